# SPDX-License-Identifier: Apache-2.0
"""A pod gets a VF and gives it back: real interfaces, namespaces, switch and packets; only what sysfs says of a NIC is made up."""
from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cni.cni_node import PLANNED, Node
from ovs_sandbox import OvsSandbox

CART, PF = "sluice-shop.cart", "0000:03:00.0"
VFS = ("0000:03:00.2", "0000:03:00.3")
SOURCE = str(Path(__file__).parents[3] / "src")


class VfNode(Node):
    """A node whose NIC has two VFs."""

    def __init__(self, ovs: OvsSandbox, folder: Path) -> None:
        super().__init__(ovs, folder)
        # The datapath is the userspace one all the same; the plugin takes it for the kernel's, to which alone flows are offloaded.
        self.config["datapath"] = "system"
        self.tree = folder / "tree"
        devices = self.tree / "sys/devices"
        ends: dict[str, list[dict[str, Any]]] = {PF: []}
        for number, address in enumerate(VFS):
            (devices / address).mkdir(parents=True)
            self._link(devices / PF / f"virtfn{number}", devices / address)
            self._link(devices / address / "physfn", devices / PF)
            self._link(self.tree / "sys/bus/pci/devices" / address, devices / address)
            ovs.in_netns("ip", "link", "add", f"ens1f0v{number}", "type", "veth", "peer", "name", f"ens1f0r{number}")
            ends[PF].append({"index": self.index(f"ens1f0r{number}"), "vf": number})
            ends[address] = [{"index": self.index(f"ens1f0v{number}"), "vf": None}]
        self._link(self.tree / "sys/bus/pci/devices" / PF, devices / PF)
        self._link(self.tree / "sys/class/net/ens1f0/device", devices / PF)
        (self.tree / "ends.json").write_text(json.dumps(ends))
        self.vf_links = self.links()
        self.macs = self.mac("ens1f0v0"), self.mac("ens1f0v1")

    @staticmethod
    def _link(place: Path, target: Path) -> None:
        place.parent.mkdir(parents=True, exist_ok=True)
        target.mkdir(parents=True, exist_ok=True)
        place.symlink_to(target)

    def _show(self, name: str) -> dict[str, Any]:
        return dict(json.loads(self.ovs.in_netns("ip", "-j", "link", "show", "dev", name))[0])

    def index(self, name: str) -> int:
        return int(self._show(name)["ifindex"])

    def mac(self, name: str) -> str:
        return str(self._show(name)["address"])

    def offload(self, on: bool) -> None:
        self.ovs.vsctl("--no-wait", "set", "Open_vSwitch", ".", f"other_config:hw-offload={'true' if on else 'false'}")

    def call(self, command: str, container: str, netns: str, args: str = "", **config: Any) -> tuple[int, Any]:
        environment = {"PATH": os.environ["PATH"], "CNI_COMMAND": command, "CNI_CONTAINERID": container, "CNI_NETNS": netns,
                       "CNI_IFNAME": "eth0", "CNI_ARGS": args}
        driver = [sys.executable, str(Path(__file__).with_name("vf_plugin.py")), str(self.tree), SOURCE]
        done = subprocess.run(["nsenter", f"--net=/run/netns/{self.ovs.netns}", *driver], env=environment, text=True, capture_output=True,
                              input=json.dumps({**self.config, **config}), check=False, timeout=120)
        assert not done.stderr, done.stderr
        return done.returncode, json.loads(done.stdout) if done.stdout else None

    def is_as_before(self) -> bool:
        return (self.links() == self.vf_links and (self.mac("ens1f0v0"), self.mac("ens1f0v1")) == self.macs
                and not (self.ports() or self.dynamic_flows() or self.files()))


@pytest.fixture
def node(ovs: OvsSandbox, tmp_path: Path) -> Iterator[VfNode]:
    node = VfNode(ovs, tmp_path)
    node.start_bridge()
    node.offload(True)
    yield node
    node.close()


def test_a_pod_gets_the_vf_that_the_runtime_names_and_gives_it_back(node: VfNode) -> None:
    one, cart = node.container(), node.container()
    result = node.add("aaa", one, deviceID=VFS[1], cniVersion="1.1.0")
    assert result["interfaces"][1]["pciID"] == VFS[1]
    assert node.ports() == [result["interfaces"][0]["name"]]
    # The representor is the port, the VF is in the pod; the other VF is where it was.
    assert node.links() == sorted(["ens1f0v0", "ens1f0r0", result["interfaces"][0]["name"]])
    node.add(CART, cart)
    assert node.reaches(one, "10.10.0.1") and node.reaches(cart, "10.10.0.192") and node.reaches(one, "fd10:10::2")
    node.delete("aaa", one)
    node.delete(CART, cart)
    assert node.is_as_before()


def test_runtime_config_names_it_too_and_two_names_are_refused(node: VfNode) -> None:
    one = node.container()
    node.add("aaa", one, runtimeConfig={"deviceID": VFS[0]})
    assert "ens1f0v0" not in node.links()
    status, answer = node.call("ADD", "bbb", node.container(), deviceID=VFS[0], runtimeConfig={"deviceID": VFS[1]})
    assert (status, answer["code"]) == (1, 7)


def test_a_planned_pod_gets_the_vf_of_the_plan(node: VfNode) -> None:
    Path(node.config["pods"]).write_text(json.dumps({"pods": [{**PLANNED, "vf": {"interface": "ens1f0", "number": 0}}]}))
    netns = node.container()
    result = node.add(CART, netns)
    assert result["interfaces"][1]["mac"] == PLANNED["mac"] and "ens1f0v0" not in node.links()
    assert node.reaches(netns, "10.10.0.1")
    status, answer = node.call("CHECK", CART, netns, prevResult=result)
    assert status == 0, answer
    node.delete(CART, netns)
    assert node.is_as_before()


def test_without_offload_it_is_refused_and_nothing_is_left(node: VfNode) -> None:
    node.offload(False)
    status, answer = node.call("ADD", "aaa", node.container(), deviceID=VFS[0])
    assert (status, answer["msg"]) == (1, "the pod asks for a VF (deviceID), but hardware offload is off in Open vSwitch on this node; set "
                                          "sluice_offload.hw_offload to true and run the site playbook")
    assert node.is_as_before()


@pytest.mark.parametrize(("device", "words"), [
    ("0000:03:00.7", "this node has no device 0000:03:00.7"), (PF, "is not a virtual function"), ("eth0", "expected a PCI address")])
def test_what_is_no_vf_is_refused(node: VfNode, device: str, words: str) -> None:
    status, answer = node.call("ADD", "aaa", node.container(), deviceID=device)
    assert status == 1 and words in answer["msg"]
    assert node.is_as_before()


def test_a_vf_that_a_pod_has_is_no_other_pods(node: VfNode) -> None:
    node.add("aaa", node.container(), deviceID=VFS[0])
    status, answer = node.call("ADD", "bbb", node.container(), deviceID=VFS[0])
    assert status == 1 and "another pod has it" in answer["msg"]
    assert len(node.files()) == 1


def test_what_fails_half_way_gives_the_vf_back(node: VfNode) -> None:
    netns = node.container()
    # The name that the VF is to have in the pod is taken.
    node.run(netns, "ip", "link", "add", "eth0", "type", "veth", "peer", "name", "other")
    status, answer = node.call("ADD", "aaa", netns, deviceID=VFS[0])
    assert status == 1, answer
    assert node.is_as_before()


def test_the_next_container_of_a_pod_takes_its_vf_over(node: VfNode) -> None:
    """Before the DEL of the one before it, as a restarted pod's may come."""
    Path(node.config["pods"]).write_text(json.dumps({"pods": [{**PLANNED, "vf": {"interface": "ens1f0", "number": 1}}]}))
    old, new = node.container(), node.container()
    names = "K8S_POD_NAMESPACE=shop;K8S_POD_NAME=cart"
    node.add("old", old, names)
    node.add("new", new, names)
    assert node.reaches(new, "10.10.0.1")
    node.delete("old", old)
    assert node.reaches(new, "10.10.0.1")
    node.delete("new", new)
    assert node.is_as_before()


def test_del_twice_and_without_a_namespace(node: VfNode) -> None:
    netns = node.container()
    node.add("aaa", netns, deviceID=VFS[0])
    assert node.call("DEL", "aaa", "") == (0, None)
    node.delete("aaa", netns)
    assert node.is_as_before()
