# SPDX-License-Identifier: Apache-2.0
"""A saved database's rows, which may have been cut or edited since, as ``config``. Pure."""
from __future__ import annotations

from typing import Any, Dict, Iterator, List, Mapping, NamedTuple, Sequence, Tuple

from ...errors import SluiceError
from .database import BOOKKEEPING, selects, switch_from
from .describe import gathered
from .schema import COLUMNS, TABLES, told_apart_by

RawRow = Dict[str, Any]
"""Column to <value> of RFC 7047 section 5.1."""

REQUIRED: Mapping[str, Sequence[str]] = {
    "Open_vSwitch": ("bridges", *BOOKKEEPING), "Bridge": ("name", "ports"), "Port": ("name", "interfaces"), "Interface": ("name",)}
"""What every version's database has, so that where it is missing, not all of the database was saved."""


class Contents(NamedTuple):
    """A database as it was saved."""

    columns: Mapping[str, Sequence[str]]
    """Those of each table."""
    rows: Mapping[str, Mapping[str, RawRow]]
    """Table to UUID to row."""


def config_from(contents: Contents, kind: str) -> Dict[str, Any]:
    """``config`` that describes the switch; raises SluiceError that begins with the ``kind`` of text if anything is missing or wrong in it."""
    for table, place, problem in _problems(contents):
        raise SluiceError(f"read as {kind}: table {table}{place}: {problem}; give the whole Open_vSwitch database, as it was printed")
    results = [{"rows": [{"_uuid": ["uuid", uuid], **row} for uuid, row in contents.rows[operation["table"]].items()]}
               for operation in selects(contents.columns)]
    return gathered(switch_from(contents.columns, results))


def is_reference(value: Any) -> bool:
    """Whether a value is a row's UUID."""
    return isinstance(value, list) and len(value) == 2 and value[0] == "uuid" and isinstance(value[1], str)


def _problems(contents: Contents) -> Iterator[Tuple[str, str, str]]:
    """Table, row and what is wrong there: a value that OVSDB does not write, or a column or row that is not there."""
    tables = [table for table in TABLES if table in REQUIRED or table in contents.columns]
    for table in tables:
        missing = sorted({*REQUIRED.get(table, ()), *told_apart_by(table)}.difference(contents.columns.get(table, ())))
        if missing:
            yield table, "", f"column {missing[0]} is missing"
    for table in tables:
        references = _references(table)
        maps = {column.name for column in TABLES[table].columns if "map" in column.kind}
        maps.update(child.column for child in TABLES[table].children if child.shape == "map")
        for uuid, row in contents.rows.get(table, {}).items():
            for column, value in row.items():
                if column not in references and column not in COLUMNS[table]:
                    continue
                atoms = _atoms(value, column in maps)
                if atoms is None:
                    yield table, f", row {uuid}", f"column {column} has a value that OVSDB does not write there"
                elif column in references and not all(is_reference(atom) and atom[1] in contents.rows.get(references[column], {}) for atom in atoms):
                    yield table, f", row {uuid}", f"column {column} refers to a row of {references[column]} that is missing"


def _references(table: str) -> Dict[str, str]:
    """Column to the table whose rows it refers to."""
    return {
        **{child.column: child.table for child in TABLES[table].children if child.column},
        **{child.back: parent for parent, content in TABLES.items() for child in content.children if child.back and child.table == table},
        **{column.name: column.refers for column in TABLES[table].columns if column.refers}}


def _atoms(value: Any, is_map: bool) -> List[Any] | None:
    """The atoms in a value, of a map those it maps to; None if it is no <value> of RFC 7047 section 5.1, or not of a map."""
    if not is_map and _is_atom(value):
        return [value]
    if not isinstance(value, list) or len(value) != 2 or value[0] != ("map" if is_map else "set") or not isinstance(value[1], list):
        return None
    if is_map:
        is_right = all(isinstance(pair, list) and len(pair) == 2 and _is_atom(pair[0]) and _is_atom(pair[1]) for pair in value[1])
        return [pair[1] for pair in value[1]] if is_right else None
    return value[1] if all(_is_atom(item) for item in value[1]) else None


def _is_atom(value: Any) -> bool:
    return isinstance(value, (str, int, float)) or is_reference(value)
