# SPDX-License-Identifier: Apache-2.0
"""What Open vSwitch's own Python bindings read of a switch is what the engine reads of it."""
from __future__ import annotations

import time
from typing import Any

from ovs.db import idl
from ovs_sandbox import OvsSandbox
from switch_engine import EVERYTHING, run

from sluice.ovs.ovsdb import Connection
from sluice.ovs.switch.apply import read
from sluice.ovs.switch.record import Record
from sluice.ovs.switch.schema import COLUMNS, TABLES

SCHEMA = "/usr/share/openvswitch/vswitch.ovsschema"


def replica(database: str) -> Any:
    """A copy of the database, as the bindings keep it."""
    helper = idl.SchemaHelper(SCHEMA)
    helper.register_all()
    copy = idl.Idl(database, helper)
    deadline = time.monotonic() + 10
    while not copy.has_ever_connected() and time.monotonic() < deadline:
        copy.run()
        time.sleep(0.01)
    return copy


def rows(record: Record) -> dict[str, Record]:
    """A record and all below it, by UUID."""
    below = [item for records in record.children.values() for child in records.values() for item in rows(child).items()]
    return {record.row.uuid: record, **dict(below)}


def as_ours(value: Any, kind: str) -> Any:
    """A value of the bindings as a Record has it; what is referred to by the name it has."""
    if isinstance(value, list):
        items = sorted(item.name if hasattr(item, "uuid") else item for item in value)
        return tuple(items) if kind == "set" else items[0] if items else None
    return value


def test_the_bindings_read_the_same(ovs: OvsSandbox) -> None:
    run(ovs, EVERYTHING)
    with Connection(ovs.database) as connection:
        ours = rows(read(connection).root)
    copy = replica(ovs.database)
    try:
        theirs = {str(uuid): (table, row) for table in TABLES for uuid, row in copy.tables[table].rows.items()}
    finally:
        copy.close()
    assert theirs.keys() == ours.keys()
    for uuid, (table, row) in theirs.items():
        columns = [name for name in COLUMNS[table] if hasattr(row, name)]
        assert columns
        assert {name: as_ours(getattr(row, name), COLUMNS[table][name].kind) for name in columns} == {
            name: ours[uuid].values[name] for name in columns}
