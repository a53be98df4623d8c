# SPDX-License-Identifier: Apache-2.0
"""docs/migrate-from-openvswitch.md names every option of openvswitch.openvswitch, and every table of a switch's database."""
from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

sys.path.insert(0, str(Path(__file__).parents[2]))

from documents import ROOT
from sluice.ovs.switch.schema import COLUMNS, TABLES

PAGE = (ROOT / "docs/migrate-from-openvswitch.md").read_text(encoding="utf-8")
PEER = ROOT / ".cache/bench/ansible_collections/openvswitch/openvswitch/plugins/modules"
"""The collection, where tests/bench/switch_ports.py has fetched it."""

OPTIONS = {
    "openvswitch_bridge": {"bridge", "parent", "vlan", "state", "timeout", "external_ids", "fail_mode", "set", "database_socket"},
    "openvswitch_port": {"bridge", "port", "tag", "state", "timeout", "external_ids", "set", "database_socket"},
    "openvswitch_bond": {"bridge", "port", "interfaces", "bond_mode", "lacp", "bond_updelay", "bond_downdelay", "state", "timeout", "external_ids",
                         "other_config", "set", "database_socket"},
    "openvswitch_db": {"state", "table", "record", "col", "key", "value", "timeout", "database_socket"},
}
"""Of the modules of openvswitch.openvswitch 2.1.1."""


def rows(heading: str) -> list[list[str]]:
    """The cells of the tables below a heading, but for their heads."""
    section = re.split(r"^#+ ", PAGE.partition(f"\n### {heading}\n")[2], maxsplit=1, flags=re.MULTILINE)[0]
    lines = [[cell.strip() for cell in line.strip("|").split(" | ")] for line in section.splitlines() if line.startswith("| `")]
    return [line for line in lines if line[1] != "place in `config`"]


def documented(module: str) -> list[str]:
    return [row[0].strip("`") for row in rows(module) if row[0].strip("`") not in TABLES]


@pytest.mark.parametrize("module", OPTIONS)
def test_every_option_is_named_once(module: str) -> None:
    assert sorted(documented(module)) == sorted(OPTIONS[module])


@pytest.mark.parametrize("module", OPTIONS)
def test_these_are_the_options(module: str) -> None:
    if not PEER.is_dir():
        pytest.skip("openvswitch.openvswitch is not here; tests/bench/switch_ports.py fetches it")
    source = (PEER / f"{module}.py").read_text()
    options: dict[str, Any] = yaml.safe_load(re.search(r'DOCUMENTATION = """(.*?)"""', source, re.DOTALL)[1])["options"]  # type: ignore[index]
    assert set(options) == OPTIONS[module]
    assert {path.stem for path in PEER.glob("openvswitch_*.py")} == set(OPTIONS)


def test_every_table_has_its_place() -> None:
    assert {row[0].strip("`") for row in rows("openvswitch_db")} - OPTIONS["openvswitch_db"] == set(TABLES)


def test_places_are_places() -> None:
    """Whatever is said to be in config is in the schema there."""
    for module in OPTIONS:
        for row in rows(module):
            for place in re.findall(r"`((?:bridges|managers|datapaths|ssl)[\w.\[\]]*)`", " ".join(row[1:])):
                assert leads_somewhere(place), place


def leads_somewhere(place: str) -> bool:
    table, by = "Open_vSwitch", ""
    parts = place.replace("[]", "").split(".")
    while parts:
        part = parts.pop(0)
        child = next((child for child in TABLES[table].children if child.key == part), None)
        if child is None:
            return not parts and (part == by or part in COLUMNS[table])
        table, by = child.table, child.by
        if child.shape == "map" and parts:
            parts.pop(0)
    return True


def test_places_that_are_none_are_noticed() -> None:
    assert not leads_somewhere("bridges[].ports[].nosuch")
    assert not leads_somewhere("bridges[].nosuch[].name")
    assert leads_somewhere("datapaths.TYPE.ct_zones.N.timeout_policy")
