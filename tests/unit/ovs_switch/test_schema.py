# SPDX-License-Identifier: Apache-2.0
"""schema.py says what the real schema of Open vSwitch's database says, and leaves out nothing that is configuration."""
from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from sluice.ovs.switch.config import NUMBERS
from sluice.ovs.switch.schema import TABLES, Child, Column

SCHEMA = json.loads(Path("/usr/share/openvswitch/vswitch.ovsschema").read_text())["tables"]
UINT32 = {"type": "integer", "minInteger": 0, "maxInteger": 0xFFFFFFFF}
SECONDS = {"type": "integer", "minInteger": 1, "maxInteger": 3600}

NEWER: dict[tuple[str, str], dict[str, Any]] = {
    ("CT_Zone", "limit"): {"key": UINT32, "min": 0},
    ("Datapath", "ct_zone_default_limit"): {"key": UINT32, "min": 0},
    ("Flow_Sample_Collector_Set", "local_group_id"): {"key": UINT32, "min": 0},
    ("IPFIX", "stats_interval"): {"key": SECONDS, "min": 0},
    ("IPFIX", "template_interval"): {"key": SECONDS, "min": 0},
    ("Mirror", "filter"): {"key": "string", "min": 0},
}
"""Columns that Open vSwitch 3.5 has (schema 8.8.0, as that of 4.0), and 3.1 (8.3.1) has not, with their types there."""

STATUS = {
    "Open_vSwitch": "cur_cfg datapath_types db_version dpdk_initialized dpdk_version iface_types next_cfg ovs_version statistics "
                    "system_type system_version",
    "Bridge": "datapath_id datapath_version rstp_status status",
    "Port": "bond_active_slave rstp_statistics rstp_status statistics status",
    "Interface": "admin_state bfd_status cfm_fault cfm_fault_status cfm_flap_count cfm_health cfm_remote_mpids cfm_remote_opstate duplex error "
                 "ifindex lacp_current link_resets link_speed link_state mac_in_use mtu ofport statistics status",
    "Mirror": "statistics",
    "Controller": "is_connected role status",
    "Manager": "is_connected status",
    "Datapath": "capabilities datapath_version",
}
"""Columns that ovs-vswitchd or its start script writes, and next_cfg, by which a change is waited for."""

CHILDREN = [(table, child) for table, of in TABLES.items() for child in of.children]


def real(table: str, column: str) -> Any:
    """The type of a column as the schema has it, in its long form."""
    kind = SCHEMA[table]["columns"].get(column, {}).get("type") or NEWER[table, column]
    long = {"key": kind} if isinstance(kind, str) or "key" not in kind else kind
    return {"min": 1, "max": 1, **{part: {"type": of} if isinstance(of, str) and part in ("key", "value") else of for part, of in long.items()}}


def kind_of(of: Any) -> str:
    if "value" in of:
        return "map"
    if of["max"] == 1:
        return "scalar" if of["min"] else "optional"
    return "set"


def columns(table: str) -> dict[str, Column]:
    return {column.name: column for column in TABLES[table].columns}


def test_all_tables_are_there() -> None:
    assert sorted(TABLES) == sorted(SCHEMA)


@pytest.mark.parametrize("table", SCHEMA)
def test_every_column_is_configured_or_status(table: str) -> None:
    structure = {child.column for child in TABLES[table].children}
    for child in (child for _, child in CHILDREN if child.table == table):
        structure |= {child.back, child.by if child.shape == "list" else ""}
    known = [*columns(table), *(structure - {""}), *STATUS.get(table, "").split()]
    assert sorted(known) == sorted({*SCHEMA[table]["columns"], *(column for of, column in NEWER if of == table)})


def test_newer_columns_are_not_in_the_oldest_supported_schema() -> None:
    assert [column for table, column in NEWER if column in SCHEMA[table]["columns"]] == []


@pytest.mark.parametrize(("table", "column"), [(table, column) for table in TABLES for column in columns(table).values()],
                         ids=lambda value: value if isinstance(value, str) else value.name)
def test_types_agree(table: str, column: Column) -> None:
    of = real(table, column.name)
    assert column.kind.rpartition(" ")[2] == kind_of(of)
    value = of.get("value", of["key"])
    if column.refers:
        assert value == {"type": "uuid", "refTable": column.refers, "refType": "weak"}
        return
    assert {str: "string", int: "integer", bool: "boolean"}[column.atom] == value["type"]
    assert sorted(column.choices) == sorted(of["key"].get("enum", ["set", []])[1])
    if "value" in of:
        assert {str: "string", int: "integer"}[column.key_atom] == of["key"]["type"]
    # Where the database sets no limit, ours may: it does not take what makes no sense.
    for ours, limit in ((column.minimum, "minInteger"), (column.maximum, "maxInteger")):
        assert ours == value.get(limit, ours)


@pytest.mark.parametrize(("table", "child"), CHILDREN, ids=lambda value: value if isinstance(value, str) else value.key)
def test_children_agree(table: str, child: Child) -> None:
    if child.back:
        assert real(child.table, child.back)["key"] == {"type": "uuid", "refTable": table}
        assert [child.by, child.back] in SCHEMA[child.table]["indexes"]
    else:
        of = real(table, child.column)
        assert of.get("value", of["key"])["refTable"] == child.table
        assert {"map": "map", "optional": "single", "set": "list"}[kind_of(of)] == child.shape
        assert NUMBERS.get(child.key) == of["key"].get("maxInteger")
    if child.shape == "list":
        assert SCHEMA[child.table]["columns"][child.by]["type"] in ("string", {"key": UINT32, "min": 1, "max": 1})


@pytest.mark.parametrize("table", TABLES)
def test_roots_and_required_columns_agree(table: str) -> None:
    # There is one row of Open_vSwitch at any time, which nobody deletes.
    assert TABLES[table].is_root == (SCHEMA[table].get("isRoot", False) and table != "Open_vSwitch")
    needed = {column.name for column in TABLES[table].columns if column.kind == "set" and real(table, column.name)["min"]}
    assert needed <= set(TABLES[table].required)
