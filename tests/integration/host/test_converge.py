# SPDX-License-Identifier: Apache-2.0
"""The host engine against a real kernel: ip, nft and sysctl in a network namespace."""
from __future__ import annotations

import copy
import subprocess
from typing import Any

import pytest
from host_node import Node, done


def test_first_run_makes_it_so_and_the_second_changes_nothing(node: Node, config: dict[str, Any]) -> None:
    assert done(node.engine(config))["changed"]
    state = node.state()
    assert state["links"]["sluice-gw0"] == {
        "mac": "0a:00:00:00:00:01", "mtu": 1450, "up": True, "addresses": ["10.10.0.1/24", "fd10::1/64"]}
    assert state["links"]["eth1"]["addresses"] == []
    assert state["links"]["br-transport"]["addresses"] == ["192.168.77.11/24", "fd77::11/64"]
    routes = "\n".join(state["routes"])
    assert "default via 192.168.77.1 dev br-transport proto 83" in routes
    assert "default via fd77::1 dev br-transport proto 83" in routes
    assert "10.10.0.0/16 via 169.254.0.1 dev sluice-gw0 proto 83 src 10.10.0.1" in routes
    assert "dev eth1 metric 50" not in routes
    assert "masquerade" in state["nftables"]
    assert "net.ipv4.ip_forward = 1" in state["sysctl"]
    assert state["files"]["etc/cni/net.d/10-sluice.conflist"] == ("{}\n", "0o100600")
    assert "net.ipv4.ip_forward = 1\n" in state["files"]["etc/sysctl.d/90-sluice.conf"][0]
    again = done(node.engine(config))
    assert (again["changed"], again["actions"], again["diff"]) == (False, [], [])
    assert node.state() == state


def test_check_mode_changes_nothing_and_says_what_the_run_does(node: Node, config: dict[str, Any]) -> None:
    before = node.state()
    predicted = done(node.engine(config, check=True))
    assert node.state() == before
    assert predicted == done(node.engine(config))
    assert not done(node.engine(config, check=True))["changed"]


def test_check_mode_where_links_are_not_made_yet(node: Node, config: dict[str, Any]) -> None:
    node.ip("link del sluice-gw0", "link del br-transport")
    predicted = done(node.engine(config, check=True))
    assert "ip addr add 10.10.0.1/24 dev sluice-gw0 broadcast +" in predicted["actions"]
    error = node.engine(config)["error"]
    assert "no network interface named br-transport, sluice-gw0 appeared" in error


def test_uninstall_leaves_the_node_as_it_was(node: Node, config: dict[str, Any]) -> None:
    (node.root / "etc/cni/net.d").mkdir(parents=True)
    (node.root / "etc/cni/net.d/10-sluice.conflist").write_text("theirs\n")
    before = node.state()
    done(node.engine(config))
    predicted = done(node.engine({}, "absent", check=True))
    assert node.engine({}, "absent") == predicted
    assert node.state() == before
    assert not done(node.engine({}, "absent"))["changed"]


def test_uninstall_after_the_switch_took_its_links_away(node: Node, config: dict[str, Any]) -> None:
    done(node.engine(config))
    node.ip("link del sluice-gw0", "link del br-transport")
    done(node.engine({}, "absent"))
    state = node.state()
    assert state["links"]["eth1"]["addresses"] == ["192.168.77.11/24", "fd77::11/64"]
    assert any(route.startswith("default via 192.168.77.1 dev eth1") for route in state["routes"])


def test_uninstall_without_record_removes_what_the_configuration_names(node: Node, config: dict[str, Any]) -> None:
    done(node.engine(config))
    (node.root / "var/lib/sluice/host-before.json").unlink()
    done(node.engine(config, "absent"))
    state = node.state()
    assert "sluice" not in state["nftables"]
    assert not any("proto 83" in line for line in state["routes"] + state["neighbours"])
    assert not any(path.endswith((".conf", ".conflist", ".txt")) for path in state["files"])


@pytest.mark.parametrize("drift", [
    ("ip", "route", "del", "10.10.0.0/16"),
    ("ip", "-6", "route", "del", "fd10::/48"),
    ("ip", "route", "add", "10.99.0.0/16", "dev", "sluice-gw0", "proto", "83"),
    ("ip", "route", "add", "198.51.100.0/24", "dev", "eth1"),
    ("ip", "route", "change", "10.10.0.0/16", "via", "169.254.0.9", "dev", "sluice-gw0", "onlink", "proto", "83"),
    ("ip", "addr", "del", "10.10.0.1/24", "dev", "sluice-gw0"),
    ("ip", "addr", "add", "10.10.0.77/24", "dev", "sluice-gw0"),
    ("ip", "addr", "add", "192.168.77.11/24", "dev", "eth1"),
    ("ip", "neigh", "del", "169.254.0.1", "dev", "sluice-gw0"),
    ("ip", "neigh", "replace", "169.254.0.1", "lladdr", "aa:aa:aa:aa:aa:aa", "dev", "sluice-gw0"),
    ("ip", "link", "set", "sluice-gw0", "down"),
    ("ip", "link", "set", "sluice-gw0", "mtu", "1300"),
    ("nft", "flush", "chain", "inet", "sluice", "forward"),
    ("nft", "insert", "rule", "inet", "sluice", "forward", "accept"),
    ("nft", "add", "chain", "inet", "sluice", "forward", "{ policy accept ; }"),
    ("nft", "delete", "table", "inet", "sluice"),
    ("sysctl", "-qw", "net.ipv4.ip_forward=0"),
    ("sysctl", "-qw", "net.ipv4.conf.eth1.rp_filter=1"),
], ids=" ".join)
def test_drift_is_found_and_repaired(node: Node, config: dict[str, Any], drift: tuple[str, ...]) -> None:
    done(node.engine(config))
    good = node.state()
    node.run(*drift)
    predicted, repaired, again = map(done, node.engines({"config": config, "check": True}, {"config": config}, {"config": config}))
    assert predicted["changed"] and predicted["diff"]
    assert repaired == predicted
    assert not again["changed"]
    assert node.state() == good


def test_others_routes_neighbours_and_tables_stay(node: Node, config: dict[str, Any]) -> None:
    # On a link whose MAC does not change: the kernel itself forgets the neighbours of one that does.
    node.ip("link set br-transport up", "route add 203.0.113.0/24 dev br-transport",
            "neigh add 10.10.0.9 lladdr 0a:00:00:00:00:09 dev br-transport")
    node.run("nft", "add table inet theirs")
    done(node.engine(config))
    state = node.state()
    assert any(route.startswith("203.0.113.0/24") for route in state["routes"])
    assert any(entry.startswith("10.10.0.9") for entry in state["neighbours"])
    assert "table inet theirs" in state["nftables"]


def test_what_the_configuration_names_no_more_goes_back(node: Node, config: dict[str, Any]) -> None:
    before = node.state()
    done(node.engine(config))
    less = copy.deepcopy(config)
    less.update({"links": less["links"][:1], "routes": less["routes"][:2], "nftables": {}, "files": {}})
    del less["sysctl"]["net.ipv4.conf.eth1.rp_filter"]
    assert done(node.engine(less, check=True)) == done(node.engine(less))
    state = node.state()
    assert state["links"]["eth1"] == before["links"]["eth1"]
    assert state["links"]["br-transport"]["addresses"] == []
    assert set(before["routes"]) <= set(state["routes"])
    assert state["nftables"] == ""
    assert "etc/sluice" in state["files"] and "etc/sluice/flows.txt" not in state["files"]
    assert "rp_filter = 0" in state["sysctl"] and "ip_forward = 1" in state["sysctl"]
    assert not done(node.engine(less))["changed"]
    done(node.engine({}, "absent"))
    assert node.state() == before


def test_sections_that_are_missing_are_left_alone(node: Node, config: dict[str, Any]) -> None:
    done(node.engine(config))
    assert not done(node.engine({"sysctl": config["sysctl"]}))["changed"]
    assert not done(node.engine({}))["changed"]


@pytest.mark.parametrize("fault", [
    {"routes": [{"destination": "198.51.100.0/24", "via": "203.0.113.7", "device": "sluice-gw0"}]},
    {"sysctl": {"net.ipv4.ip_forward": "1", "net.ipv4.no_such_parameter": "1"}},
    {"nftables": {"sluice": "chain c { type filter hook nowhere priority 0; }"}},
    {"sysctl": {"net.ipv4.ip_forward": "many"}},
], ids=["route", "no sysctl", "nftables", "sysctl value"])
def test_failure_half_way_leaves_the_old_state(node: Node, config: dict[str, Any], fault: dict[str, Any]) -> None:
    before = node.state()
    result = node.engine({**config, **fault})
    assert "error" in result
    after = node.state()
    # The record of what was before may be there: it is what uninstalling would need.
    for part in ("links", "routes", "neighbours", "nftables", "sysctl"):
        assert after[part] == before[part]
    assert not any(path.endswith((".conf", ".conflist", ".txt")) for path in after["files"])
    done(node.engine(config))
    assert not done(node.engine(config))["changed"]
    broken = {**config, **fault}
    good = node.state()
    assert "error" in node.engine(broken)
    assert {**node.state(), "files": good["files"]} == good
    assert not done(node.engine(config))["changed"]


def test_failure_to_write_a_file_leaves_the_old_state(node: Node, config: dict[str, Any]) -> None:
    before = node.state()
    config["files"]["/etc/sluice"] = {"content": "in the way of a directory"}
    assert "error" in node.engine(config)
    assert {**node.state(), "files": None} == {**before, "files": None}


def test_restore_knows_no_record_and_writes_no_files(node: Node, config: dict[str, Any]) -> None:
    done(node.engine(config))
    good = node.state()
    node.ip("link del sluice-gw0", "link add sluice-gw0 type bridge", "addr add 192.168.77.11/24 dev eth1")
    node.run("nft", "flush ruleset")
    boot = {key: value for key, value in config.items() if key not in ("files", "units")}
    assert done(node.engine(boot, remember=False))["changed"]
    assert node.state() == good


def test_addresses_in_one_subnet_that_go_together(node: Node, config: dict[str, Any]) -> None:
    node.ip("addr add 192.168.77.12/24 dev eth1", "addr add 192.168.77.13/24 dev eth1",
            "addr add 10.10.0.5/24 dev sluice-gw0", "addr add 10.10.0.1/24 dev sluice-gw0")
    before = node.state()
    done(node.engine(config))
    assert node.state()["links"]["sluice-gw0"]["addresses"] == ["10.10.0.1/24", "fd10::1/64"]
    done(node.engine({}, "absent"))
    assert node.state() == before


def test_neighbours_hear_of_addresses_that_moved(node: Node, config: dict[str, Any]) -> None:
    """br-transport has another MAC than eth1, and a neighbour that has cached eth1's must not wait until its entry ages."""
    node.ip("link add neighbour type veth peer name port", "link set port master br-transport up", "link set neighbour up",
            "link set br-transport up")
    command = ["nsenter", f"--net=/run/netns/{node.name}", "tcpdump", "-lnneq", "-c", "3", "-i", "neighbour", "arp or icmp6[0] == 136"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as capture:
        assert capture.stderr is not None
        while "listening" not in capture.stderr.readline():
            pass
        done(node.engine(config))
        heard, _ = capture.communicate(timeout=10)
    mac = node.state()["links"]["br-transport"]["mac"]
    assert heard.count(f"{mac} > ") == 3
    assert "192.168.77.11" in heard
    assert "fd77::11" in heard
