# SPDX-License-Identifier: Apache-2.0
"""What openvswitch.openvswitch tests of itself, said with sluice.fabric.switch: its two integration targets, and every case of its unit tests.

The steps are those of reference/ansible.md section 8. Bridges are of the userspace datapath here, as a private Open vSwitch has no other.
"""
from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from ovs_sandbox import OvsSandbox
from switch_playbook import Step, by_hand, holds, info, run_steps, switch

BRIDGE = "test-br"
DEVICES = {"eth2": "eth3", "eth4": "eth5"}


def bridge(name: str = BRIDGE, **keys: Any) -> dict[str, Any]:
    return {"bridges": [{"name": name, **keys}]}


def new_bridge(name: str = BRIDGE, **keys: Any) -> dict[str, Any]:
    return bridge(name, datapath_type="netdev", **keys)


def port(name: str, **keys: Any) -> dict[str, Any]:
    return bridge(ports=[{"name": name, **keys}])


def fake_bridge(name: str, parent: str, vlan: int) -> dict[str, Any]:
    """A fake bridge is a port of its parent (ovs-vswitchd.conf.db(5), Port fake_bridge), with an internal interface that carries its addresses."""
    return bridge(parent, ports=[{"name": name, "tag": vlan, "fake_bridge": True, "interfaces": [{"name": name, "type": "internal"}]}])


def bond(*members: str, **keys: Any) -> dict[str, Any]:
    return port("bond0", interfaces=[{"name": member} for member in members], **keys)


def first_bridge(result: Mapping[str, Any]) -> Any:
    return result["gathered"]["bridges"][0]


def set_up(*commands: list[str], fail_mode: bool = True, name: str = BRIDGE) -> list[Step]:
    """The bridge as somebody made it by hand; each scenario takes it away again."""
    made = ["add-br", name, "--", "set", "Bridge", name, "datapath_type=netdev", *(["fail_mode=secure"] if fail_mode else []), "external_ids:foo=bar"]
    return [by_hand(*made), *(by_hand(*command) for command in commands)]


ETH2 = ["add-port", BRIDGE, "eth2", "tag=10", "--", "set", "Port", "eth2", "external_ids:foo=bar"]
BOND0 = ["add-bond", BRIDGE, "bond0", "eth3", "eth4", "--", "set", "Port", "bond0", "external_ids:foo=bar", "other_config:bond-detect-mode=miimon"]
IN_BAND = ["set", "Bridge", BRIDGE, "other_config:disable-in-band=true"]
GONE = by_hand("--if-exists", "del-br", BRIDGE)
TAG_10 = {"tag": 10, "external_ids": {"foo": "bar"}}


def in_band(value: Any) -> dict[str, Any]:
    return bridge(other_config={"disable-in-band": value})


def pmd_mask(value: Any) -> dict[str, Any]:
    return {"other_config": {"pmd-cpu-mask": value}}


TARGETS: dict[str, list[Step]] = {
    "openvswitch_bridge": [
        by_hand("--if-exists", "del-br", "br-test"),
        switch("make the bridge", "changed", new_bridge("br-test")),
        switch("make it again", "unchanged", new_bridge("br-test")),
        switch("a fake bridge", "changed", fake_bridge("fake-br-test", "br-test", 100)),
        holds("br-test", "br-to-parent", "fake-br-test"),
        switch("on another VLAN", "changed", fake_bridge("fake-br-test", "br-test", 300)),
        holds("300", "br-to-vlan", "fake-br-test"),
        switch("on another VLAN again", "unchanged", fake_bridge("fake-br-test", "br-test", 300)),
        switch("tear down", "changed", bridge("br-test"), state="deleted"),
        holds("", "list-br"),
    ],
    "openvswitch_db": [
        by_hand("--if-exists", "del-br", BRIDGE),
        by_hand("add-br", BRIDGE, "--", "set", "Bridge", BRIDGE, "datapath_type=netdev"),
        switch("a key of a map", "changed", in_band(True)),
        switch("a key of a map again", "unchanged", in_band(True)),
        switch("a key of the host", "changed", pmd_mask("0xaaa00000000")),
        holds('"0xaaa00000000"', "get", "Open_vSwitch", ".", "other_config:pmd-cpu-mask"),
        switch("a key of the host again", "unchanged", pmd_mask("0xaaa00000000")),
        switch("take it away", "changed", pmd_mask("0xaaa00000000"), state="deleted"),
        holds("{}", "get", "Open_vSwitch", ".", "other_config"),
        switch("another value of a key", "changed", in_band(False)),
        holds('"false"', "get", "Bridge", BRIDGE, "other_config:disable-in-band"),
        switch("another value of a key again", "unchanged", in_band(False)),
        switch("a column that is no map", "changed", bridge(stp_enable=True)),
        switch("a column that is no map again", "unchanged", bridge(stp_enable=True)),
        holds("true", "get", "Bridge", BRIDGE, "stp_enable"),
        switch("a map without a key", "failed", bridge(other_config=True), text="bridges[0].other_config: is True; expected a map"),
        switch("take a key away", "changed", in_band(None)),
        switch("take a key away again", "unchanged", in_band(None)),
        holds("{}", "get", "Bridge", BRIDGE, "other_config"),
        by_hand("del-br", BRIDGE),
    ],
}

BRIDGE_CASES: dict[str, list[Step]] = {
    "absent idempotent": [switch("not there", "unchanged", bridge(), state="deleted")],
    "absent removes bridge": [*set_up(), switch("made by hand", "changed", bridge(), state="deleted", adopt=True), holds("", "list-br")],
    "present idempotent": [*set_up(), switch("as it is", "unchanged", bridge(fail_mode="secure", external_ids={"foo": "bar"}))],
    "present creates bridge": [
        switch("new", "changed", new_bridge(fail_mode="secure", external_ids={"foo": "bar"})),
        holds("secure", "get-fail-mode", BRIDGE), holds("bar", "br-get-external-id", BRIDGE, "foo")],
    "present creates fake bridge": [
        *set_up(), switch("new", "changed", fake_bridge("test-br2", BRIDGE, 10)), holds(BRIDGE, "br-to-parent", "test-br2"),
        holds("10", "br-to-vlan", "test-br2"), holds(f"{BRIDGE}\ntest-br2", "list-br")],
    "uses database socket": [
        switch("no such socket", "failed", new_bridge(), database="unix:/nosuch/second.sock", text="/nosuch/second.sock"), holds("", "list-br")],
    "updates VLAN": [
        *set_up(["add-br", "test-br2", BRIDGE, "200"]), switch("another", "changed", fake_bridge("test-br2", BRIDGE, 300)),
        holds("300", "br-to-vlan", "test-br2")],
    "present adds external ID": [
        *set_up(), switch("one more", "changed", bridge(fail_mode="secure", external_ids={"bip": "bop"})),
        holds("bop", "br-get-external-id", BRIDGE, "bip"), holds("bar", "br-get-external-id", BRIDGE, "foo")],
    "present clears external ID": [
        *set_up(), switch("null", "changed", bridge(fail_mode="secure", external_ids={"foo": None})), holds("", "br-get-external-id", BRIDGE, "foo")],
    "present changes fail mode": [
        *set_up(), switch("another", "changed", bridge(fail_mode="standalone", external_ids={"foo": "bar"})), holds("standalone", "get-fail-mode", BRIDGE)],
    "present runs set": [
        switch("a column", "changed", new_bridge(fail_mode="secure", external_ids={"foo": "bar"})),
        holds("netdev", "get", "Bridge", BRIDGE, "datapath_type"),
        switch("and again, which set: never was", "unchanged", new_bridge(fail_mode="secure", external_ids={"foo": "bar"}))],
}

PORT_CASES: dict[str, list[Step]] = {
    "absent idempotent": [*set_up(), switch("not there", "unchanged", port("eth2"), state="deleted"), holds(BRIDGE, "list-br")],
    "absent removes port": [
        *set_up(ETH2), switch("made by hand", "changed", port("eth2"), state="deleted", adopt=True), holds("", "list-ports", BRIDGE),
        holds(BRIDGE, "list-br")],
    "present idempotent": [*set_up(ETH2), switch("as it is", "unchanged", port("eth2", **TAG_10))],
    "present creates port": [
        *set_up(), switch("new", "changed", port("eth2", **TAG_10)), holds("10", "get", "Port", "eth2", "tag"),
        holds("bar", "get", "Port", "eth2", "external_ids:foo")],
    "present changes tag": [*set_up(ETH2), switch("another", "changed", port("eth2", **{**TAG_10, "tag": 20})), holds("20", "get", "Port", "eth2", "tag")],
    "present changes external ID": [
        *set_up(ETH2), switch("another", "changed", port("eth2", tag=10, external_ids={"foo": "baz"})),
        holds("baz", "get", "Port", "eth2", "external_ids:foo")],
    "present adds external ID": [
        *set_up(ETH2), switch("one more", "changed", port("eth2", tag=10, external_ids={"foo2": "bar2"})),
        holds("bar", "get", "Port", "eth2", "external_ids:foo"), holds("bar2", "get", "Port", "eth2", "external_ids:foo2")],
    "present clears external ID": [
        *set_up(ETH2), switch("null", "changed", port("eth2", tag=10, external_ids={"foo": None})),
        holds("", "--if-exists", "get", "Port", "eth2", "external_ids:foo")],
    "present runs set": [
        *set_up(), switch("a key", "changed", port("eth2", **TAG_10, other_config={"stp-path-cost": 10})),
        holds('"10"', "get", "Port", "eth2", "other_config:stp-path-cost")],
    "present runs several sets": [
        *set_up(), switch("port and interface", "changed", port("eth2", **TAG_10, other_config={"stp-path-cost": 10}, interfaces=[
            {"name": "eth2", "type": "vxlan", "options": {"remote_ip": "192.0.2.1"}}])),
        holds('"10"', "get", "Port", "eth2", "other_config:stp-path-cost"), holds("vxlan", "get", "Interface", "eth2", "type")],
}

BOND_CASES: dict[str, list[Step]] = {
    "absent idempotent": [*set_up(), switch("not there", "unchanged", port("bond0"), state="deleted")],
    "absent removes bond": [
        *set_up(BOND0), switch("made by hand", "changed", port("bond0"), state="deleted", adopt=True), holds("", "list-ports", BRIDGE)],
    "present idempotent": [
        *set_up(BOND0), switch("as it is", "unchanged", port("bond0", external_ids={"foo": "bar"}, other_config={"bond-detect-mode": "miimon"}))],
    "present creates bond": [
        *set_up(), switch("new", "changed", bond("eth3", "eth4", bond_updelay=100, bond_downdelay=100, other_config={"bond-detect-mode": "miimon"})),
        holds("eth3\neth4", "list-ifaces", BRIDGE), holds("100\n100", "get", "Port", "bond0", "bond_updelay", "bond_downdelay"),
        holds("miimon", "get", "Port", "bond0", "other_config:bond-detect-mode")],
    "present creates LACP bond": [
        *set_up(), switch("new", "changed", bond("eth3", "eth4", lacp="active", other_config={"bond-detect-mode": "miimon"})),
        holds("active", "get", "Port", "bond0", "lacp")],
}

DB_CASES: dict[str, list[Step]] = {
    "absent idempotent": [*set_up(), switch("not there", "unchanged", in_band(None))],
    "absent removes key": [*set_up(IN_BAND), switch("null", "changed", in_band(None)), holds("{}", "get", "Bridge", BRIDGE, "other_config")],
    "absent removes key no value": [
        by_hand("set", "Open_vSwitch", ".", "other_config:pmd-cpu-mask=0xaaa00000000"), switch("null", "changed", pmd_mask(None)),
        holds("{}", "get", "Open_vSwitch", ".", "other_config")],
    "present idempotent": [*set_up(IN_BAND), switch("as it is", "unchanged", in_band("true"))],
    "present idempotent, host": [
        by_hand("set", "Open_vSwitch", ".", "other_config:pmd-cpu-mask=0xaaa00000000"), switch("as it is", "unchanged", pmd_mask("0xaaa00000000")),
        by_hand("remove", "Open_vSwitch", ".", "other_config", "pmd-cpu-mask")],
    "present adds key": [*set_up(), switch("new", "changed", in_band("true")), holds('"true"', "get", "Bridge", BRIDGE, "other_config:disable-in-band")],
    "present updates key": [
        *set_up(IN_BAND), switch("another", "changed", in_band("false")), holds('"false"', "get", "Bridge", BRIDGE, "other_config:disable-in-band")],
    "present without key": [*set_up(), switch("not a map", "failed", bridge(other_config="false"), text="is 'false'; expected a map")],
    "present, no map": [*set_up(), switch("a flag", "changed", bridge(stp_enable=True)), holds("true", "get", "Bridge", BRIDGE, "stp_enable")],
    "get with key": [*set_up(IN_BAND), info("a key", lambda result: first_bridge(result)["other_config"]["disable-in-band"], "true")],
    "get without key": [*set_up(IN_BAND), info("a map", lambda result: first_bridge(result)["other_config"], {"disable-in-band": "true"})],
    "get, no map": [*set_up(IN_BAND), info("a name", lambda result: first_bridge(result)["name"], BRIDGE)],
}

CASES = {f"{module} {name}": steps for module, cases in (
    ("bridge", BRIDGE_CASES), ("port", PORT_CASES), ("bond", BOND_CASES), ("db", DB_CASES)) for name, steps in cases.items()}
SCENARIOS = {**TARGETS, **{name: [*steps, GONE] for name, steps in CASES.items()}}


@pytest.fixture(scope="module")
def wrong(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[str]]:
    """What is wrong in each scenario, all of them run by one playbook."""
    with OvsSandbox() as ovs:
        for device, other in DEVICES.items():
            ovs.in_netns("ip", "link", "add", device, "type", "veth", "peer", "name", other)
        return run_steps(ovs, tmp_path_factory.mktemp("targets"), SCENARIOS)


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_gives_what_openvswitch_openvswitch_states(wrong: dict[str, list[str]], scenario: str) -> None:
    assert "\n".join(wrong[scenario]) == ""
