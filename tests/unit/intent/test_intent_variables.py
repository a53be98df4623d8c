# SPDX-License-Identifier: Apache-2.0
"""The table of variables, and the settings read with it."""
from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from fresh_hosts import CLUSTER, hosts

from sluice.errors import InputError
from sluice.intent.load import load
from sluice.intent.state import Cluster
from sluice.intent.variables import OBJECT_LISTS, VARIABLES

DOCUMENT = Path(__file__).resolve().parents[3] / "docs" / "inventory.md"


def cluster(**variables: Any) -> Cluster:
    return load({**CLUSTER, **variables}, hosts(1), "/").cluster


def test_defaults() -> None:
    assert load({"sluice_pod_cidrs": ["10.10.0.0/16", "fd10:10::/48"]}, hosts(1), "/inventory").cluster == Cluster(
        "sluice", ("10.10.0.0/16", "fd10:10::/48"), (), (24, 64), "encap", "geneve", None, True
    )


def test_paths_are_beside_the_inventory_unless_absolute() -> None:
    intent = load({**CLUSTER, "sluice_artifacts_dir": "/srv/artifacts"}, hosts(1), "/inventory")
    assert (intent.artifacts_dir, intent.allocations_file) == ("/srv/artifacts", "/inventory/allocations.yml")


def test_the_order_of_the_pod_cidrs_is_kept_and_their_text_is_canonical() -> None:
    found = cluster(sluice_pod_cidrs=["FD10:0010:0::/48", "10.10.0.0/16"])
    assert (found.pod_cidrs, found.node_prefix_lengths) == (("fd10:10::/48", "10.10.0.0/16"), (64, 24))


def test_a_small_pod_network_is_one_nodes_by_default() -> None:
    assert cluster(sluice_pod_cidrs=["10.10.0.0/26"]).node_prefix_lengths == (26,)


@pytest.mark.parametrize(("given", "masquerade"), [(False, False), ("false", False), ("no", False), ("True", True), (None, True)])
def test_booleans_may_come_from_the_command_line(given: object, masquerade: bool) -> None:
    assert cluster(sluice_masquerade=given).masquerade is masquerade


@pytest.mark.parametrize(("given", "mtu"), [("auto", None), (None, None), (1400, 1400), ("1400", 1400)])
def test_mtu(given: object, mtu: object) -> None:
    assert cluster(sluice_mtu=given).mtu == mtu


def test_ipv4_alone_may_have_a_smaller_mtu() -> None:
    assert cluster(sluice_pod_cidrs=["10.10.0.0/16"], sluice_mtu=576).mtu == 576


def test_variables_of_roles_playbooks_and_the_lab_are_no_mistakes() -> None:
    variables = {**CLUSTER, "sluice_lab_name": "demo", "sluice_verify_outside": 1, "ansible_host": "x", "other": 1}
    with pytest.raises(InputError, match="sluice_verify_outside: is not a variable of Sluice"):
        load(variables, hosts(1), "/")
    load(variables, hosts(1), "/", extra_known=["sluice_verify_outside"])


@pytest.mark.parametrize("variable", VARIABLES, ids=lambda variable: variable.name)
def test_a_default_is_a_good_value(variable: Any) -> None:
    """What the table says is the default can be set in so many words."""
    if variable.required or not variable.default:
        return
    given = hosts(1)
    if variable.per_host:
        given["node1"]["vars"] = {variable.name: variable.default}
        load(CLUSTER, given, "/")
    else:
        assert load({**CLUSTER, variable.name: variable.default}, given, "/").cluster == load(CLUSTER, given, "/").cluster


@pytest.mark.parametrize("variable", [variable for variable in VARIABLES if variable.choices], ids=lambda variable: variable.name)
def test_every_choice_is_taken_and_every_refusal_tells_why(variable: Any) -> None:
    def load_with(value: str) -> None:
        given = hosts(1, 2)
        given["node1"]["vars"] = {variable.name: value} if variable.per_host else {}
        load(CLUSTER if variable.per_host else {**CLUSTER, variable.name: value}, given, "/")

    for choice in variable.choices:
        load_with(choice)
    for refused, reason in variable.refused.items():
        with pytest.raises(InputError, match=re.escape(reason)):
            load_with(refused)


def test_the_document_has_every_variable_and_no_other() -> None:
    text = DOCUMENT.read_text()
    headings = re.findall(r"^\| `(sluice_[a-z_]+)` ", text, flags=re.MULTILINE)
    assert headings == [variable.name for variable in VARIABLES]
    for variable in VARIABLES:
        for choice in (*variable.choices, *variable.refused):
            assert f"`{choice}`" in text, (variable.name, choice)


def test_lists_of_objects_are_in_the_table() -> None:
    assert {variable.name for variable in VARIABLES if variable.elements == "dict"} == {*OBJECT_LISTS, "sluice_vf_pools"}
