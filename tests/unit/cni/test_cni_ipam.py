# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest

from sluice.node.cni.ipam import dynamic, dynamic_range, find_planned
from sluice.node.cni.request import CniError, Request
from sluice.plan.addresses import OFPORT_FIRST_DYNAMIC, planned_slots

DUAL = ("10.10.0.0/24", "fd10:10::/64")


def request(container_id: str = "a1", namespace: str = "", name: str = "") -> Request:
    return Request("ADD", container_id, "/run/netns/x", "eth0", namespace, name)


def test_the_first_dynamic_pod_gets_the_first_place_after_the_planned_ones() -> None:
    attachment = dynamic(request(), DUAL, [])
    assert attachment.ips == ("10.10.0.192", "fd10:10::c0")
    assert attachment.ofport == OFPORT_FIRST_DYNAMIC


def test_a_place_is_taken_as_soon_as_one_family_is() -> None:
    attachment = dynamic(request(), DUAL, ["10.10.0.192", "fd10:10::c1", "10.10.0.195"])
    assert attachment.ips == ("10.10.0.194", "fd10:10::c2")
    assert attachment.ofport == OFPORT_FIRST_DYNAMIC + 2


@pytest.mark.parametrize("cidrs", [DUAL, DUAL[:1], DUAL[1:], ("10.10.0.0/29", "fd10::/125")])
def test_the_range_is_a_quarter_of_the_smallest_and_never_reaches_planned_places(cidrs: tuple[str, ...]) -> None:
    first, end = dynamic_range(cidrs)
    assert first == min(map(planned_slots, cidrs)) and end > first


def test_identity_follows_from_the_container() -> None:
    one, again, other = dynamic(request("a1"), DUAL, []), dynamic(request("a1"), DUAL, ["10.10.0.192"]), dynamic(request("a2"), DUAL, [])
    assert (one.mac, one.interface) == (again.mac, again.interface)
    assert one.mac != other.mac and one.interface != other.interface
    assert len(one.interface) == 15
    # Locally administered, and not a group's.
    assert int(one.mac[:2], 16) & 3 == 2


def test_when_all_are_taken_it_says_how_many_there_are() -> None:
    with pytest.raises(CniError, match=r"all 1 addresses of 10\.10\.0\.0/29") as caught:
        dynamic(request(), ("10.10.0.0/29",), ["10.10.0.6"])
    assert caught.value.code == 100


def test_a_planned_pod_is_found_by_its_names_or_else_by_its_container() -> None:
    pods = [{"namespace": "shop", "name": name, "container_id": f"sluice-shop.{name}"} for name in ("cart", "web")]
    assert find_planned(pods, request("8c3f", "shop", "web")) == pods[1]
    assert find_planned(pods, request("sluice-shop.cart")) == pods[0]
    assert find_planned(pods, request("sluice-shop.cart", "shop", "unknown")) is None
    assert find_planned(pods, request("8c3f")) is None
