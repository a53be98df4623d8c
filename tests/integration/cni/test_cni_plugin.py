# SPDX-License-Identifier: Apache-2.0
"""The plugin attaches real network namespaces to a real switch, and packets pass."""
from __future__ import annotations

import signal
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from cni.cni_node import PLANNED, Node

CART = "sluice-shop.cart"


def test_a_planned_pod_gets_what_the_plan_says(node: Node) -> None:
    netns = node.container()
    result = node.add(CART, netns)
    assert [ip["address"] for ip in result["ips"]] == ["10.10.0.2/24", "fd10:10::2/64"]
    assert result["interfaces"][1] == {"name": "eth0", "mac": PLANNED["mac"], "sandbox": netns}
    assert node.ovs.vsctl("get", "Interface", "sp-cart", "ofport").strip() == "16"
    assert node.dynamic_flows() == []
    assert node.reaches(netns, "10.10.0.1") and node.reaches(netns, "fd10:10::1")
    node.delete(CART, netns)
    assert node.is_clean()


def test_kubernetes_names_find_the_plan_whatever_the_container_is_called(node: Node) -> None:
    netns = node.container()
    result = node.add("8c3f", netns, "IgnoreUnknown=1;K8S_POD_NAMESPACE=shop;K8S_POD_NAME=cart")
    assert result["ips"][0]["address"] == "10.10.0.2/24"


def test_pods_unknown_to_the_inventory_get_the_dynamic_quarter_and_reach_each_other(node: Node) -> None:
    one, two, cart = node.container(), node.container(), node.container()
    first, second = node.add("aaa", one), node.add("bbb", two, "K8S_POD_NAMESPACE=tools;K8S_POD_NAME=shell")
    node.add(CART, cart)
    assert [ip["address"] for ip in first["ips"]] == ["10.10.0.192/24", "fd10:10::c0/64"]
    assert [ip["address"] for ip in second["ips"]] == ["10.10.0.193/24", "fd10:10::c1/64"]
    assert node.ovs.vsctl("get", "Interface", second["interfaces"][0]["name"], "ofport").strip() == str(0x8001)
    assert 'sluice-pod="tools/shell"' in node.ovs.vsctl("get", "Port", second["interfaces"][0]["name"], "external_ids")
    for source in (one, two, cart):
        for destination in ("10.10.0.1", "10.10.0.2", "10.10.0.192", "10.10.0.193",
                            "fd10:10::1", "fd10:10::2", "fd10:10::c0", "fd10:10::c1"):
            assert node.reaches(source, destination), (source, destination)


def test_the_mtu_is_exact(node: Node) -> None:
    one, two = node.container(), node.container()
    node.add("aaa", one)
    node.add("bbb", two)
    assert node.reaches(one, "10.10.0.193", "-Mdo", "-s", str(1400 - 28))
    assert not node.reaches(one, "10.10.0.193", "-Mdo", "-s", str(1401 - 28))


def test_tcp_passes_the_userspace_datapath(node: Node) -> None:
    """Which it does not where the veth leaves checksums to be filled in by a device."""
    one, two = node.container(), node.container()
    node.add("aaa", one)
    node.add("bbb", two)
    server = "import socket; s = socket.create_server(('10.10.0.193', 80)); s.settimeout(5); c = s.accept()[0]; c.sendall(b'x' * 100000)"
    client = ("import socket, time\nfor _ in range(50):\n try: c = socket.create_connection(('10.10.0.193', 80), 1); break\n"
              " except OSError: time.sleep(.1)\nn = 0\nwhile d := c.recv(65536): n += len(d)\nprint(n)")
    with ThreadPoolExecutor() as pool:
        serving = pool.submit(node.run, two, "python3", "-c", server)
        assert node.run(one, "python3", "-c", client).stdout == "100000\n"
        assert serving.result().returncode == 0


def test_a_pod_cannot_speak_with_another_address(node: Node) -> None:
    one, two = node.container(), node.container()
    node.add("aaa", one)
    node.add("bbb", two)
    node.run(one, "ip", "address", "add", "10.10.0.77/24", "dev", "eth0")
    assert not node.reaches(one, "10.10.0.193", "-I", "10.10.0.77")
    assert node.reaches(one, "10.10.0.193")


def test_the_host_hears_no_pod_past_the_switch(node: Node) -> None:
    """The userspace datapath leaves the device to the kernel as well, which must not answer or forward."""
    one = node.container()
    mac = node.add("aaa", one)["interfaces"][0]["mac"]
    node.ovs.in_netns("ip", "address", "add", "192.0.2.1/32", "dev", "lo")
    # As distributions set it: no check of the reverse path stands in for the rule.
    node.ovs.in_netns("sysctl", "-q", "-w", "net.ipv4.conf.all.rp_filter=2", "net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1")
    node.ovs.ofctl("del-flows", "br-sluice")
    node.run(one, "ip", "neigh", "flush", "dev", "eth0")
    assert not node.reaches(one, "10.10.0.1")
    for address in ("10.10.0.1", "fd10:10::1"):
        node.run(one, "ip", "neigh", "replace", address, "lladdr", mac, "dev", "eth0")
        assert not node.reaches(one, address)
    assert not node.reaches(one, "192.0.2.1")


@pytest.mark.parametrize("version", ["0.3.1", "0.4.0", "1.0.0", "1.1.0"])
def test_each_version_is_answered_in_its_form(node: Node, version: str) -> None:
    netns = node.container()
    result = node.add(CART, netns, cniVersion=version)
    assert result["cniVersion"] == version
    assert [ip.get("version") for ip in result["ips"]] == (["4", "6"] if version.startswith("0.") else [None, None])
    status, answer = node.call("CHECK", CART, netns, cniVersion=version, prevResult=result)
    assert (status, answer and answer["code"]) == ((1, 1) if version == "0.3.1" else (0, None))
    node.delete(CART, netns)


def test_check_names_what_has_changed(node: Node) -> None:
    netns = node.container()
    result = node.add("aaa", netns)
    assert node.call("CHECK", "aaa", netns, prevResult=result) == (0, None)
    node.run(netns, "ip", "address", "delete", "10.10.0.192/24", "dev", "eth0")
    node.ovs.vsctl("del-port", node.ports()[0])
    status, answer = node.call("CHECK", "aaa", netns, prevResult=result)
    assert status == 1 and answer["code"] == 102
    assert "eth0 lacks the address 10.10.0.192/24" in answer["msg"] and "the switch has no port" in answer["msg"]


def test_delete_succeeds_when_all_is_gone_already(node: Node) -> None:
    netns = node.container()
    node.delete("aaa", netns)
    node.add("aaa", netns)
    node.kill_container(netns)
    for file in node.files():
        (node.state / file).unlink()
    node.delete("aaa", "")
    node.delete("aaa", "")
    assert node.ports() == [] and node.links() == []


def test_after_a_reboot_what_is_left_is_reclaimed(node: Node) -> None:
    """The files and OVSDB rows of before are still there; namespaces, links and flows are not. Then all pods come at once."""
    old = {name: node.container() for name in ("aaa", "bbb", CART)}
    for name, netns in old.items():
        node.add(name, netns)
    node.ovs.kill("ovs-vswitchd", signal.SIGTERM)
    for netns in old.values():
        node.kill_container(netns)
    node.ovs.start_vswitchd()
    node.restore_flows()
    new = {name: node.container() for name in (CART, "bbb", "ccc")}
    with ThreadPoolExecutor() as pool:
        results = dict(zip(new, pool.map(node.add, new, new.values()), strict=True))
    addresses = {name: [ip["address"] for ip in result["ips"]] for name, result in results.items()}
    assert addresses[CART] == ["10.10.0.2/24", "fd10:10::2/64"]
    assert sorted(addresses["bbb"] + addresses["ccc"]) == ["10.10.0.192/24", "10.10.0.193/24", "fd10:10::c0/64", "fd10:10::c1/64"]
    assert len(node.ports()) == 3 and len(node.links()) == 3
    assert node.reaches(new["bbb"], "10.10.0.2") and node.reaches(new["ccc"], "fd10:10::2")
    for name, netns in new.items():
        node.delete(name, netns)
    assert node.is_clean()


def test_the_next_container_of_a_pod_takes_over_and_the_last_ones_del_does_not_hurt_it(node: Node) -> None:
    kubernetes = "K8S_POD_NAMESPACE=shop;K8S_POD_NAME=cart"
    old, new = node.container(), node.container()
    node.add("old", old, kubernetes)
    node.add("new", new, kubernetes)
    node.delete("old", old)
    assert node.reaches(new, "10.10.0.1")
    node.delete("new", new)
    assert node.is_clean()


def test_many_at_once_get_different_addresses(node: Node) -> None:
    netns = {f"c{number}": node.container() for number in range(12)}
    with ThreadPoolExecutor() as pool:
        results = list(pool.map(node.add, netns, netns.values()))
    assert len({ip["address"] for result in results for ip in result["ips"]}) == 24
    with ThreadPoolExecutor() as pool:
        list(pool.map(node.delete, netns, netns.values()))
    assert node.is_clean()


def test_a_full_range_is_an_error_that_says_so(node: Node) -> None:
    small: dict[str, Any] = {"node_cidrs": ["10.10.0.0/29"], "gateways": ["10.10.0.1"]}
    netns = node.container()
    assert [ip["address"] for ip in node.add("aaa", netns, **small)["ips"]] == ["10.10.0.6/29"]
    status, answer = node.call("ADD", "bbb", node.container(), **small)
    assert (status, answer["code"]) == (1, 100)
    assert "all 1 addresses of 10.10.0.0/29" in answer["msg"]
    node.delete("aaa", netns)
    assert node.is_clean()


@pytest.mark.parametrize("fault", ["no bridge", "number taken", "flows refused"])
def test_a_failed_add_leaves_nothing(node: Node, fault: str) -> None:
    netns = node.container()
    if fault == "no bridge":
        status, answer = node.call("ADD", CART, netns, bridge="br-none")
        assert "there is no bridge br-none" in answer["msg"]
    elif fault == "number taken":
        node.ovs.vsctl("add-port", "br-sluice", "other", "--", "set", "Interface", "other", "type=internal", f"ofport_request={0x8000}")
        status, answer = node.call("ADD", "aaa", netns)
        assert "instead of 32768" in answer["msg"]
        node.ovs.vsctl("del-port", "other")
    else:
        node.ovs.vsctl("set", "Bridge", "br-sluice", "protocols=OpenFlow10")
        status, answer = node.call("ADD", "aaa", netns)
        # Removing them failed as well, so the attachment is remembered until that works.
        node.ovs.vsctl("set", "Bridge", "br-sluice", "protocols=OpenFlow15")
        node.delete("aaa", netns)
    assert (status, answer["code"]) == (1, 101)
    assert "eth0" not in node.run(netns, "ip", "link").stdout
    assert node.is_clean()


def test_a_stopped_vswitchd_is_worth_another_try(node: Node) -> None:
    netns = node.container()
    node.ovs.pause("ovs-vswitchd")
    try:
        status, answer = node.call("ADD", CART, netns)
    finally:
        node.ovs.resume("ovs-vswitchd")
    assert (status, answer["code"]) == (1, 11)
    assert "ovs-vswitchd" in answer["msg"]
    node.add(CART, netns)
    assert node.reaches(netns, "10.10.0.1")


def test_an_interface_that_is_not_ours_is_left_alone(node: Node) -> None:
    netns = node.container()
    node.run(netns, "ip", "link", "add", "eth0", "type", "veth", "peer", "name", "other")
    status, answer = node.call("ADD", "aaa", netns)
    assert (status, answer["code"]) == (1, 5)
    assert "eth0@other" in node.run(netns, "ip", "link", "show", "eth0").stdout
    assert node.is_clean()


def test_the_hosts_own_namespace_is_refused(node: Node) -> None:
    status, answer = node.call("ADD", "aaa", f"/run/netns/{node.ovs.netns}")
    assert (status, answer["code"]) == (1, 4)
    status, answer = node.call("ADD", "aaa", "/run/netns/sluice-none")
    assert (status, answer["code"]) == (1, 4)


def test_version(node: Node) -> None:
    status, answer = node.call("VERSION", "", "")
    assert status == 0
    assert answer == {"cniVersion": "1.0.0", "supportedVersions": ["0.3.1", "0.4.0", "1.0.0", "1.1.0"]}


