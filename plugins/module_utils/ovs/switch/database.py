# SPDX-License-Identifier: Apache-2.0
"""What an Open_vSwitch database holds, as far as it is configured: read in one transaction, so it is one moment's state."""
from __future__ import annotations

from collections import Counter
from typing import Any, Dict, List, Mapping, Sequence, Tuple

from ...errors import SluiceError
from .record import SINGLE, Record, Row, Switch, child_row
from .schema import TABLES, Child, told_apart_by
from .values import EMPTY_VALUES, column_value, from_ovsdb, names, references

INTERFACE_STATUS = ("ofport", "link_state", "admin_state", "mac_in_use", "mtu", "error")
"""What ovs-vswitchd says of an interface."""
BOOKKEEPING = ("next_cfg", "cur_cfg", "ovs_version", "iface_types", "datapath_types")

Columns = Mapping[str, Sequence[str]]
"""By table, the columns that a database has."""
Raw = Dict[str, Dict[str, Dict[str, Any]]]
"""Table, UUID, column: the values as the protocol writes them."""


def selects(columns: Columns, statistics: bool = False) -> List[Dict[str, Any]]:
    """The operations whose results :func:`switch_from` reads."""
    status = {"Open_vSwitch": BOOKKEEPING, "Interface": (*INTERFACE_STATUS, "statistics") if statistics else INTERFACE_STATUS}
    return [{"op": "select", "table": table, "where": [],
             "columns": ["_uuid", *sorted({*_columns(table), *status.get(table, ())}.intersection(columns[table]))]}
            for table in TABLES if table in columns]


def switch_from(columns: Columns, results: Sequence[Mapping[str, Any]]) -> Switch:
    """The Switch in the results of :func:`selects`; raises SluiceError if the database was never initialised."""
    present = [table for table in TABLES if table in columns]
    raw: Raw = {table: {from_ovsdb(row["_uuid"]): row for row in result["rows"]} for table, result in zip(present, results)}
    if not raw["Open_vSwitch"]:
        raise SluiceError("the Open_vSwitch database has no Open_vSwitch row yet: initialise it with `ovs-vsctl --no-wait init`")
    uuid, root = next(iter(raw["Open_vSwitch"].items()))
    absent = frozenset((table, column.name) for table in TABLES for column in TABLES[table].columns if column.name not in columns.get(table, ()))
    return Switch(
        _Reader(raw).record(Row("Open_vSwitch", ".", uuid)), root["next_cfg"], root["cur_cfg"], from_ovsdb(root["ovs_version"]) or None,
        references(root["iface_types"]), references(root["datapath_types"]), absent)


def _columns(table: str) -> List[str]:
    """What is read of a table: its columns, and those that refer to its children or tell it apart."""
    forward = [child.column for child in TABLES[table].children if child.column]
    return [*(column.name for column in TABLES[table].columns), *forward, *told_apart_by(table)]


_NOTHING = ["set", []]
"""What a column holds that this database does not have."""


class _Reader:
    def __init__(self, raw: Raw) -> None:
        self._raw = raw
        self._port_names = {uuid: row["name"] for uuid, row in raw["Port"].items()}
        self._backwards: Dict[Tuple[str, str], List[str]] = {}
        self._users: Counter[str] = Counter()
        for table, content in raw.items():
            for child in TABLES[table].children:
                if child.back:
                    for uuid, row in raw.get(child.table, {}).items():
                        self._backwards.setdefault((child.table, from_ovsdb(row[child.back])), []).append(uuid)
                else:
                    self._users.update(reference for row in content.values() for _key, reference in _referred(child, row))

    def record(self, row: Row) -> Record:
        raw = self._raw[row.table][row.uuid]
        table = TABLES[row.table]
        values = dict(EMPTY_VALUES[row.table])
        for column in table.columns:
            value = raw.get(column.name, _NOTHING)
            if isinstance(value, list) and not value[1]:
                continue  # Most columns of most rows are empty, which is what `values` has already.
            value = column_value(column, value)
            values[column.name] = names(value, self._port_names.__getitem__) if column.refers else value
        children = {child.key: self._children(row, child, raw) for child in table.children}
        status = {name: from_ovsdb(raw[name]) for name in (*INTERFACE_STATUS, "statistics") if name in raw} if row.table == "Interface" else {}
        return Record(row, values, {key: records for key, records in children.items() if records},
                      {name: value for name, value in status.items() if value != ()}, self._users[row.uuid] or 1)

    def _children(self, parent: Row, child: Child, raw: Mapping[str, Any]) -> Dict[Any, Record]:
        pairs = [(None, uuid) for uuid in self._backwards.get((child.table, parent.uuid), ())] if child.back else _referred(child, raw)
        found: Dict[Any, Record] = {}
        for key, uuid in pairs:
            if child.shape == "list":
                key = from_ovsdb(self._raw[child.table][uuid][child.by])
            found[key] = self.record(child_row(parent, child.table, child.key, key)._replace(uuid=uuid))
        return dict(sorted(found.items()))


def _referred(child: Child, raw: Mapping[str, Any]) -> List[Tuple[Any, str]]:
    """Key and UUID of the rows that a row refers to as its children; a list's keys are in the rows themselves."""
    value = from_ovsdb(raw.get(child.column, _NOTHING))
    if isinstance(value, dict):
        return list(value.items())
    return [(SINGLE, uuid) for uuid in (value if isinstance(value, tuple) else (value,))]
