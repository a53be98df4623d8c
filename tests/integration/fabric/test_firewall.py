# SPDX-License-Identifier: Apache-2.0
"""Nodes that have a firewall of their own, which drops what it is not told of: ufw on one, firewalld on the other, a hand-made table on top."""
from __future__ import annotations

import ipaddress
import json
import os
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fabric.fabric_lab import ROOT, FabricLab

TASK = "Put the host's settings"
UFW = "ufw status verbose; grep -h tuple /etc/ufw/user.rules /etc/ufw/user6.rules"
FIREWALLD = "firewall-cmd --list-all-zones; firewall-cmd --list-all-policies; ls -R /etc/firewalld"
SETTINGS = {"node1": UFW, "node2": FIREWALLD}
INSTALL = {
    "node1": "apt-get install -qy ufw && ufw allow 22/tcp && ufw default deny incoming && ufw default deny routed && ufw --force enable",
    "node2": "apt-get install -qy firewalld && firewall-cmd --state && firewall-cmd --query-service=ssh",
}
# A table that drops all forwarded packets.
BASTION = "table inet bastion { chain fence { type filter hook forward priority 10; policy drop; } ; }"

before: dict[str, str] = {}


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FabricLab]:
    lab = FabricLab("w" + uuid.uuid4().hex[:6], tmp_path_factory.mktemp("fabric"))
    try:
        lab.set_nodes(1, 2)
        lab.set_variables(sluice_lab_extra_packages=["ufw", "firewalld"])
        lab.succeed("lab_up")
        for node, command in INSTALL.items():
            lab.on(node, f"export DEBIAN_FRONTEND=noninteractive; {command}")
            before[node] = lab.on(node, SETTINGS[node])
        yield lab
    finally:
        lab.run("lab_down")


def passes(lab: FabricLab, node: str) -> dict[str, list[bool]]:
    """Whether TCP connections from a pod of the node to the outside are made, and from there to the pod, over IPv4 and IPv6.

    No pings: ufw lets them pass whatever it is told.
    """
    connect = "timeout 3 bash -c ': > /dev/tcp/{}/{}'"
    pod, port = next((pod, port["port"]) for pod in lab.pods() if pod["node"] == node for port in pod["ports"] if port["protocol"] == "TCP")
    into = [subprocess.run(["ip", "netns", "exec", f"sluice-{lab.name}-outside", "sh", "-c", connect.format(ip, port)], check=False, stderr=subprocess.DEVNULL)
            for ip in pod["ips"]]
    return {
        "out": ["made" in lab.on(node, f"{lab.pod_command(pod, connect.format(address, 7777))} && echo made", check=False)
                for address in ("203.0.113.10", "2001:db8:113::10")],
        "in": [done.returncode == 0 for done in into],
    }


OPEN = {"out": [True, True], "in": [True, True]}


def route_from_outside(lab: FabricLab) -> None:
    """To each node's pods, for which the outside otherwise knows no way."""
    for number in (1, 2):
        links = json.loads((lab.artifacts / f"node{number}/host.json").read_text())["links"]
        for address, via in zip(next(link["addresses"] for link in links if link["name"] == "sluice-gw0"), (f"192.168.77.1{number}", f"fd77::1{number}")):
            network = str(ipaddress.ip_interface(address).network)
            subprocess.run(["ip", "-n", f"sluice-{lab.name}-outside", "route", "replace", network, "via", via], check=True)


def ad_hoc(lab: FabricLab, node: str, arguments: dict[str, Any]) -> bool:
    """Whether one run of sluice.fabric.host changed the node."""
    command = [str(Path(sys.executable).parent / "ansible"), node, "-i", str(lab.hosts), "-b", "-m", "sluice.fabric.host", "-a", json.dumps(arguments)]
    environment = {**os.environ, "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"), "ANSIBLE_FORCE_COLOR": "0"}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return "CHANGED" in done.stdout


def test_the_openings_are_predicted_and_made(guarded: FabricLab) -> None:
    forecast = guarded.succeed("site", "--check", "--diff").diffs()
    assert {node: guarded.on(node, SETTINGS[node]) for node in SETTINGS} == before
    done = guarded.succeed("site", "--diff").diffs()
    for node in SETTINGS:
        assert done[node, TASK] == forecast[node, TASK]
    assert "firewall ufw route allow out on sluice-gw0" in str(done["node1", TASK])
    assert "/etc/firewalld/policies/sluice-in.xml" in str(done["node2", TASK])
    guarded.verify()
    route_from_outside(guarded)
    assert {node: passes(guarded, node) for node in SETTINGS} == dict.fromkeys(SETTINGS, OPEN)
    assert guarded.succeed("site").changed == []


def test_the_openings_outlast_a_reload(guarded: FabricLab) -> None:
    guarded.on("node1", "ufw reload")
    guarded.on("node2", "firewall-cmd --complete-reload")
    guarded.verify()
    assert guarded.succeed("site").changed == []


@pytest.mark.parametrize(("closings", "left"), [
    ({"node1": "ufw route delete allow in on sluice-gw0", "node2": "firewall-cmd --zone=sluice --remove-interface=sluice-gw0"},
     {"node1": {"out": [False, False], "in": [True, True]}, "node2": {"out": [False, False], "in": [False, False]}}),
    ({"node1": "ufw route delete allow out on sluice-gw0", "node2": "rm /etc/firewalld/policies/sluice-in.xml; firewall-cmd --reload"},
     {"node1": {"out": [True, True], "in": [False, False]}, "node2": {"out": [True, True], "in": [False, False]}}),
], ids=["out", "in"])
def test_openings_that_are_closed_are_missed_and_made_again(
        guarded: FabricLab, closings: dict[str, str], left: dict[str, dict[str, list[bool]]]) -> None:
    for node, closing in closings.items():
        guarded.on(node, closing)
    assert {node: passes(guarded, node) for node in SETTINGS} == left
    assert sorted(guarded.succeed("site").changed) == [("node1", TASK), ("node2", TASK)]
    assert {node: passes(guarded, node) for node in SETTINGS} == dict.fromkeys(SETTINGS, OPEN)


def test_a_firewall_that_is_switched_off_for_a_while_keeps_its_openings(guarded: FabricLab) -> None:
    guarded.on("node1", "ufw disable")
    guarded.on("node2", "systemctl stop firewalld")
    assert guarded.succeed("site").changed == []
    guarded.on("node1", "ufw --force enable")
    guarded.on("node2", "systemctl start firewalld")
    assert {node: passes(guarded, node) for node in SETTINGS} == dict.fromkeys(SETTINGS, OPEN)


def test_a_chain_of_others_is_named_with_the_rules_that_it_lacks(guarded: FabricLab) -> None:
    guarded.on("node1", f"nft '{BASTION}'")
    try:
        assert passes(guarded, "node1") == {"out": [False, False], "in": [False, False]}
        run = guarded.succeed("site")
        assert run.changed == []
        output = " ".join(run.output.split())
        for way in ("iifname", "oifname"):
            command = f'nft insert rule inet bastion fence {way} "sluice-gw0" accept'
            assert command in output
            guarded.on("node1", f"nft '{command.removeprefix('nft ')}'")
        assert passes(guarded, "node1") == OPEN
        assert "bastion" not in guarded.succeed("site").output
    finally:
        guarded.on("node1", "nft delete table inet bastion", check=False)


def test_tunnel_ports_are_opened_where_the_kernel_takes_the_packets(guarded: FabricLab) -> None:
    """The lab's nodes are of the userspace datapath, which needs none: so the rules alone are looked at, and that the firewalls take them."""
    for node, address in (("node1", "192.168.77.11"), ("node2", "192.168.77.12")):
        ports: list[dict[str, object]] = [
            {"protocol": "udp", "port": 6081}, {"protocol": "gre"}, {"protocol": "udp", "port": 4789, "address": f"fd77::{address[-2:]}"}]
        firewall = {"ports": [{"interface": "eth1", "address": address, **port} for port in ports], "interfaces": ["sluice-gw0"]}
        assert [ad_hoc(guarded, node, {"config": {"firewall": firewall}}) for _ in range(2)] == [True, False]
    chains = guarded.on("node1", "iptables -S ufw-user-input; ip6tables -S ufw6-user-input")
    assert "-A ufw-user-input -d 192.168.77.11/32 -i eth1 -p udp -m udp --dport 6081 -j ACCEPT" in chains
    assert "-A ufw-user-input -d 192.168.77.11/32 -i eth1 -p gre -j ACCEPT" in chains or (
        "-A ufw-user-input -d 192.168.77.11/32 -i eth1 -p 47 -j ACCEPT" in chains)
    assert "-A ufw6-user-input -d fd77::11/128 -i eth1 -p udp -m udp --dport 4789 -j ACCEPT" in chains
    table = guarded.on("node2", "nft list table inet firewalld")
    assert "ip daddr 192.168.77.12 udp dport 6081 accept" in table
    assert "ip6 daddr fd77::12 udp dport 4789 accept" in table
    assert "sluice-tunnel" in guarded.on("node2", "firewall-cmd --list-all-policies")
    assert sorted(guarded.succeed("site").changed) == [("node1", TASK), ("node2", TASK)]
    assert "6081" not in guarded.on("node1", UFW) + guarded.on("node2", FIREWALLD)


def test_uninstall_removes_the_openings(guarded: FabricLab) -> None:
    guarded.succeed("uninstall")
    assert {node: guarded.on(node, SETTINGS[node]) for node in SETTINGS} == before
    assert guarded.succeed("uninstall").changed == []
