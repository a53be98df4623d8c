# SPDX-License-Identifier: Apache-2.0
"""A switch as a tree of records, and whose they are."""
from __future__ import annotations

import json
from typing import Any, FrozenSet, Mapping, NamedTuple, Optional, Set, Tuple

from .schema import EMPTY, TABLES
from .values import EMPTY_VALUES, Values

OWNER_KEY = "sluice-owner"
"""The external_ids key that says who created a row, and so who may remove it."""
KEYS_PREFIX = "sluice-keys-"
"""Begins the external_ids key in which an owner keeps which keys of shared maps it put into the row."""
SINGLE = ""
"""The key of a child of which there is at most one."""


class Row(NamedTuple):
    """A row's identity. ``uuid`` is empty while the row is only planned; ``name`` is unlike that of any other row of the table."""

    table: str
    name: str
    uuid: str = ""


class Record(NamedTuple):
    """A row with the rows that belong to it."""

    row: Row
    values: Values
    children: Mapping[str, Mapping[Any, Record]] = EMPTY
    """By Child.key, then by name, target or number."""
    status: Mapping[str, Any] = EMPTY
    """Of an interface, what ovs-vswitchd reports: INTERFACE_STATUS and ``statistics``; only what it has set."""
    users: int = 1
    """How many rows refer to it."""

    @property
    def shared(self) -> bool:
        """Whether a change for one of those that refer to it has to be a row of its own."""
        return self.users > 1

    def of(self, key: str) -> Mapping[Any, Record]:
        """The children of one kind."""
        return self.children.get(key, EMPTY)

    def with_children(self, key: str, records: Mapping[Any, Record]) -> Record:
        """This one with other children of one kind."""
        return self._replace(children={**self.children, key: records})


class Switch(NamedTuple):
    """A host's switch; an empty one stands for a host without Open vSwitch."""

    root: Record = Record(Row("Open_vSwitch", "."), EMPTY_VALUES["Open_vSwitch"])
    next_cfg: int = 0
    cur_cfg: int = 0
    version: Optional[str] = None
    interface_types: Tuple[str, ...] = ()
    """What this ovs-vswitchd can make; empty if it has not said so yet."""
    datapath_types: Tuple[str, ...] = ()
    absent: FrozenSet[Tuple[str, str]] = frozenset()
    """Tables with columns that the schema of this database does not have, as another version of Open vSwitch brought them."""

    @property
    def bridges(self) -> Mapping[str, Record]:
        return self.root.of("bridges")


def owner_of(record: Record) -> Optional[str]:
    """Who created a row; None: not Sluice."""
    ids = record.values.get("external_ids")
    return ids.get(OWNER_KEY) if isinstance(ids, dict) else None


def has_owner(record: Record) -> bool:
    """Whether a row of its table can say who created it."""
    return "external_ids" in EMPTY_VALUES[record.row.table]


def kept_keys(values: Values, owner: str) -> Set[Tuple[str, str]]:
    """Column and key of what the owner put into a row's shared maps."""
    ids = values.get("external_ids")
    text = ids.get(KEYS_PREFIX + owner) if isinstance(ids, dict) else None
    if not text:
        return set()
    try:
        return {(column, key) for column, separator, key in (str(item).partition(":") for item in json.loads(text)) if separator}
    except (ValueError, TypeError):
        return set()  # Somebody else wrote it: then nothing in the row is known to be the owner's.


def kept_keys_text(keys: Set[Tuple[str, str]]) -> str:
    """What `kept_keys` reads."""
    return json.dumps([f"{column}:{key}" for column, key in sorted(keys)], separators=(",", ":"), ensure_ascii=False)


def is_reserved(key: str) -> bool:
    """Whether a key of external_ids is Sluice's own bookkeeping."""
    return key == OWNER_KEY or key.startswith(KEYS_PREFIX)


def child_row(parent: Row, table: str, key: str, name: Any) -> Row:
    """A planned row's identity: of bridges, ports and interfaces their name, of others their place."""
    if "name" in TABLES[table].required and table != "Mirror":
        return Row(table, str(name))
    return Row(table, f"{parent.name} {key} {name}".rstrip())
