# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import Any

import pytest

from sluice.errors import InputError
from sluice.node.containers import run_command
from sluice.node.workloads import NOTHING, Workloads, describe, parse_config, plan


def pod(name: str, **change: Any) -> dict[str, Any]:
    return {"namespace": "shop", "name": name, "container_id": f"sluice-shop.{name}", "host_network": False, "ips": ["10.10.0.2"],
            "mac": "0a:00:00:00:00:02", "mtu": 1450, "ofport": 16, "interface": f"sp-{name}", "labels": {"app": name}, "owner": "",
            "ports": [{"port": 80, "protocol": "TCP", "name": "http"}], **change}


def state(*pods: dict[str, Any]) -> Workloads:
    return parse_config({"pods": list(pods)})


def test_on_a_pristine_node_everything_is_written_enabled_and_started() -> None:
    steps = plan(NOTHING, state(pod("cart"), pod("web")))
    assert steps.write_template and list(steps.write) == list(steps.enable) == list(steps.restart) == ["shop.cart", "shop.web"]
    assert not steps.stop and not steps.remove_template


def test_a_second_run_does_nothing() -> None:
    assert plan(state(pod("cart")), state(pod("cart"))).are_none


def test_a_new_pod_leaves_the_others_alone() -> None:
    steps = plan(state(pod("cart")), state(pod("cart"), pod("web")))
    assert (list(steps.write), steps.enable, steps.restart, steps.stop) == (["shop.web"], ["shop.web"], ["shop.web"], [])


def test_a_pod_that_is_gone_is_stopped_and_nothing_else() -> None:
    steps = plan(state(pod("cart"), pod("web")), state(pod("web")))
    assert steps.stop == ["shop.cart"] and not (steps.write or steps.enable or steps.restart or steps.write_template)


@pytest.mark.parametrize("change", [{"ips": ["10.10.0.9"]}, {"ports": []}, {"ofport": 17}, {"host_network": True}])
def test_a_pod_whose_definition_changed_is_started_again(change: dict[str, Any]) -> None:
    steps = plan(state(pod("cart"), pod("web")), state(pod("cart", **change), pod("web")))
    assert (list(steps.write), steps.restart, steps.enable) == (["shop.cart"], ["shop.cart"], [])


def test_labels_and_owner_need_no_new_container() -> None:
    assert plan(state(pod("cart")), state(pod("cart", labels={"app": "other"}, owner="Deployment/cart"))).are_none


def test_what_was_stopped_or_disabled_by_hand_is_put_right() -> None:
    wanted = state(pod("cart"), pod("web"))
    found = dict(wanted.pods)
    found["shop.cart"] = found["shop.cart"]._replace(started=False)
    found["shop.web"] = found["shop.web"]._replace(enabled=False)
    steps = plan(wanted._replace(pods=found), wanted)
    assert (steps.restart, steps.enable, steps.write) == (["shop.cart"], ["shop.web"], {})


def test_absent_removes_the_template_as_well() -> None:
    steps = plan(state(pod("cart")), NOTHING)
    assert steps.stop == ["shop.cart"] and steps.remove_template
    assert plan(NOTHING, NOTHING).are_none


def test_every_incomplete_pod_is_named() -> None:
    bare = {"namespace": "shop", "name": "x"}
    with pytest.raises(InputError) as caught:
        parse_config({"pods": [pod("cart"), bare, "text"]})
    assert {problem.path for problem in caught.value.problems} >= {"pods[1].ips", "pods[1].container_id", "pods[2].name"}
    with pytest.raises(InputError, match="not a list"):
        parse_config({})


def test_the_diff_shows_what_changes() -> None:
    before, after = describe(state(pod("cart"))), describe(state(pod("cart", ips=["10.10.0.9"])))
    assert "shop.cart: started, enabled" in before and '"10.10.0.2"' in before and '"10.10.0.9"' in after


@pytest.mark.parametrize(("change", "tail"), [
    ({}, ["standin", "shop/cart", "TCP/80"]),
    ({"ports": []}, ["standin", "shop/cart", "TCP/8080"]),
    ({"host_network": True, "ports": []}, ["standin", "shop/cart"]),
])
def test_the_stand_in_listens_on_the_declared_ports(change: dict[str, Any], tail: list[str]) -> None:
    command = run_command(pod("cart", **change))
    assert command[-len(tail):] == tail and command[-len(tail) - 2] == "shop.cart"
    assert ("--cni" in command) != bool(change.get("host_network"))
