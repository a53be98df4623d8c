# SPDX-License-Identifier: Apache-2.0
"""Switch states in the shape of ``config``: whole (gathered), or as far as a run manages them; and as text for a diff. Pure."""
from __future__ import annotations

import json
import re
from typing import Any, Dict, Iterator, Mapping, Optional

from .config import Wanted
from .record import Record, Switch, is_reserved, owner_of
from .schema import COLUMNS, EMPTY, TABLES, Child
from .secrets import hidden
from .values import EMPTY_VALUES, Values

Config = Dict[str, Any]

PLAIN = re.compile(r"(?!(true|false|null|yes|no|on|off|y|n)$)[A-Za-z_][A-Za-z0-9_./-]*", re.IGNORECASE)
"""What YAML reads as this string without quotes."""


def gathered(have: Switch) -> Config:
    """All that is configured, so that it fed back as ``config`` changes nothing. Empty columns are left out."""
    return {"bridges": [], **_whole(have.root)}


def interface_status(have: Switch) -> Dict[str, Config]:
    """Where each interface is, who created its port, and what ovs-vswitchd reports of it."""
    result = {}
    for bridge in have.bridges.values():
        for port in bridge.of("ports").values():
            owner = owner_of(port)
            place = {"bridge": bridge.row.name, "port": port.row.name, **({"owner": owner} if owner else {})}
            result.update({name: {**place, **interface.status} for name, interface in port.of("interfaces").items()})
    return result


def managed(wanted: Wanted, shown: Switch, other: Switch) -> Config:
    """The part of a state that a run is about: what ``wanted`` gives, and what tells it from the ``other`` state."""
    return _part(wanted, shown.root, other.root)


def as_text(config: Config) -> str:
    """A config as YAML, for people to read and for a diff line by line."""
    return "".join(f"{line}\n" for line in _lines(config))


def _part(wanted: Optional[Wanted], record: Record, other: Record) -> Config:
    given = wanted.values if wanted else EMPTY
    values: Dict[str, Any] = {}
    for name, value in record.values.items():
        different = other.values[name]
        if name not in given and value == different:
            continue
        if isinstance(value, dict):
            keys = {*(given.get(name) or ()), *(key for key, item in value.items() if different.get(key) != item)}  # type: ignore[union-attr]
            exact = name in given and COLUMNS[record.row.table][name].kind == "map"
            values[name] = value if exact else {key: item for key, item in value.items() if key in keys}
        elif name in given or value != different:
            values[name] = value
    shown = _columns(record.row.table, values)
    for child in TABLES[record.row.table].children:
        parts = {}
        for key, item in record.of(child.key).items():
            named = wanted.of(child.key).get(key) if wanted else None
            there = other.of(child.key).get(key)
            if there is None:
                parts[key] = _whole(item)
            elif named is not None or item is not there:
                part = _part(named, item, there)
                if part or named is not None:
                    parts[key] = part
        shown.update(_placed(child, parts))
    return shown


def _whole(record: Record) -> Config:
    shown = _columns(record.row.table, record.values)
    for child in TABLES[record.row.table].children:
        shown.update(_placed(child, {key: _whole(item) for key, item in record.of(child.key).items()}))
    return shown


def _placed(child: Child, parts: Mapping[Any, Config]) -> Config:
    """Children where ``config`` has them."""
    if not parts:
        return {}
    if child.shape == "list":
        return {child.key: [{child.by: key, **part} for key, part in parts.items()]}
    shorthand = TABLES[child.table].shorthand
    placed = {str(key): part[shorthand] if list(part) == [shorthand] else part for key, part in parts.items()}
    return {child.key: placed if child.shape == "map" else next(iter(placed.values()))}


def _columns(table: str, values: Values) -> Config:
    """All columns that are not empty, in the order of the schema here; not Sluice's bookkeeping, which is no configuration."""
    shown: Config = {}
    nothing = EMPTY_VALUES[table]
    for name in nothing:
        value: Any = values.get(name)
        if value is None or value == nothing[name]:
            continue
        value = hidden(table, name, value)
        if isinstance(value, dict):
            value = {str(key): item for key, item in sorted(value.items()) if name != "external_ids" or not is_reserved(key)}
        if value != {}:
            shown[name] = list(value) if isinstance(value, tuple) else value
    return shown


def _lines(value: Any, indent: str = "") -> Iterator[str]:
    """YAML's block style, of maps, lists and scalars."""
    if isinstance(value, Mapping):
        for key, item in value.items():
            if isinstance(item, (Mapping, list)) and item:
                yield f"{indent}{_scalar(key)}:"
                yield from _lines(item, indent + "  ")
            else:
                yield f"{indent}{_scalar(key)}: {_scalar(item)}"
    else:
        for item in value:
            first, *rest = _lines(item, indent + "  ") if isinstance(item, Mapping) else [f"{indent}  {_scalar(item)}"]
            yield f"{indent}- {first[len(indent) + 2:]}"
            yield from rest


def _scalar(value: Any) -> str:
    return value if isinstance(value, str) and PLAIN.fullmatch(value) else json.dumps(value, ensure_ascii=False)
