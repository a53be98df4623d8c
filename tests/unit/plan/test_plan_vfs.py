# SPDX-License-Identifier: Apache-2.0
"""Pods that ask for a VF go where there are some, get the lowest that is free, and keep it."""
from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from plan_inventories import intent, pod

from sluice.errors import InputError
from sluice.intent.load import Intent
from sluice.intent.state import Vf
from sluice.plan.allocations_file import Allocations, parse, render
from sluice.plan.planner import plan

CX5 = "sluice.io/cx5"


def asking(name: str, count: Any = 1, resource: str = CX5, **spec: Any) -> dict[str, Any]:
    return pod(name, containers=[{"resources": {"limits": {resource: count, "cpu": "100m"}}}], **spec)


def cluster(pods: list[dict[str, Any]], **vfs: int) -> Intent:
    """Nodes n1 to n3, with so many VFs."""
    made = intent({"n1": {}, "n2": {}, "n3": {}}, pods)
    nodes = {name: replace(node, vfs={CX5: tuple(Vf(CX5, "ens1f0", number) for number in range(vfs[name]))} if name in vfs else {})
             for name, node in made.nodes.items()}
    return replace(made, nodes=nodes)


def given(made: Intent, before: Allocations = Allocations()) -> tuple[dict[str, Any], Allocations]:  # noqa: B008
    state, after, _warnings = plan(made, before)
    return {key.partition("/")[2]: (one.node, one.vf and one.vf.number) for key, one in state.pods.items()}, after


def test_only_nodes_with_the_pool_get_them_and_the_lowest_goes_first() -> None:
    found, _after = given(cluster([asking("a"), asking("b", "1"), pod("c")], n2=4))
    assert found["a"] == ("n2", 0) and found["b"] == ("n2", 1) and found["c"][1] is None


def test_a_vf_stays_its_pod_s_and_is_free_again_after_it() -> None:
    _found, before = given(cluster([asking("a"), asking("b"), asking("c")], n2=4))
    text = render(before)
    assert '"vf": "sluice.io/cx5:ens1f0/1"' in text
    kept = parse(text, "allocations.yml", [])
    found, _after = given(cluster([asking("b"), asking("c"), asking("d"), asking("e")], n2=4), kept)
    assert found == {"b": ("n2", 1), "c": ("n2", 2), "d": ("n2", 0), "e": ("n2", 3)}


def test_pods_that_ask_for_none_have_lines_as_before() -> None:
    assert "vf" not in render(given(cluster([pod("a")], n2=4))[1])



@pytest.mark.parametrize(("pods", "words"), [
    ([asking("a", 2)], "asks for 2 sluice.io/cx5, but a pod has one interface here"),
    ([asking("a", hostNetwork=True)], "asks for 1 sluice.io/cx5, but a pod has no interface of its own here"),
    ([asking("a"), asking("b"), asking("c")], "asks for sluice.io/cx5, but all 2 of n2 are given out"),
    ([asking("a", nodeName="n1")], "asks for sluice.io/cx5, of which n1 has none"),
    ([asking("a", resource="sluice.io/cx6")], "asks for sluice.io/cx6, which is no pool of any node; expected sluice.io/cx5"),
])
def test_what_cannot_be_is_refused(pods: list[dict[str, Any]], words: str) -> None:
    with pytest.raises(InputError) as refused:
        plan(cluster(pods, n2=2), Allocations())
    assert words in str(refused.value)


def test_resources_of_others_are_no_concern() -> None:
    assert given(cluster([asking("a", resource="nvidia.com/gpu")], n2=2))[0]["a"][1] is None
