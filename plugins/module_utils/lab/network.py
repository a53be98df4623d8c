# SPDX-License-Identifier: Apache-2.0
"""The lab's links: one network namespace with the bridges mgmt and underlay, one that stands for the internet, one a node that is a container.

Nothing is ever made in the host's own namespace, so labs cannot meet there, whatever their addresses.
"""
from __future__ import annotations

import hashlib
import json
import shlex
import sys
from pathlib import Path
from typing import Any, Sequence, Union

from . import cgroups
from .command import run, succeeds
from .files import write
from .process import start_detached
from .spec import Address, Lab, Node, node_namespace

ECHO_PORT = 7777
_LINK_NAME_LENGTH = 15


def bridge_port(node: str, network: str) -> str:
    """The name of ``node``'s port on bridge ``network``: readable where it fits the kernel's 15 characters, a hash where not."""
    name = f"{node}.{network[0]}"
    if len(name) <= _LINK_NAME_LENGTH:
        return name
    return f"{hashlib.sha256(node.encode()).hexdigest()[:12]}_{network[0]}"


def mac(lab: Lab, owner: Union[Address, str]) -> str:
    """The MAC address of the interface with an IP address of ``lab``, or of one of its bridges. Always the same, so that a node that was off for a moment,
    or replaced by another, is not looked for at a MAC address that its neighbours remember (for up to a minute)."""
    # The 2 says: locally administered, unicast (IEEE 802, clause 8).
    return ":".join(["02", *(f"{byte:02x}" for byte in hashlib.sha256(f"{lab.name} {owner}".encode()).digest()[:5])])


def lab_commands(lab: Lab) -> list[list[str]]:
    """What makes the lab's own namespace and the outside; both must not exist."""
    inside, outside = lab.namespace, lab.outside_namespace
    commands = [["ip", "netns", "add", inside], ["ip", "-n", inside, "link", "set", "lo", "up"]]
    for bridge, segment in (("mgmt", lab.management), ("underlay", lab.underlay)):
        # Snooping would drop neighbour discovery until somebody asks for memberships; nobody does here.
        commands.append(["ip", "-n", inside, "link", "add", bridge, "address", mac(lab, bridge), "mtu", str(segment.mtu),
                         "type", "bridge", "mcast_snooping", "0"])
        commands.append(["ip", "-n", inside, "link", "set", bridge, "up"])
    commands += [["ip", "-n", inside, "address", "add", lab.management.interface(gateway), "dev", "mgmt", "nodad"]
                 for gateway in lab.management.gateways]
    commands += [
        ["ip", "netns", "add", outside],
        ["ip", "-n", outside, "link", "set", "lo", "up"],
        ["ip", "-n", inside, "link", "add", "outside", "mtu", str(lab.underlay.mtu), "type", "veth", "peer", "name", "uplink",
         "address", mac(lab, lab.underlay.gateways[0]), "mtu", str(lab.underlay.mtu), "netns", outside],
        ["ip", "-n", inside, "link", "set", "outside", "master", "underlay", "up"],
        ["ip", "-n", outside, "link", "set", "uplink", "up"],
    ]
    commands += [["ip", "-n", outside, "address", "add", lab.underlay.interface(gateway), "dev", "uplink", "nodad"]
                 for gateway in lab.underlay.gateways]
    commands += [["ip", "-n", outside, "address", "add", str(address), "dev", "lo"] for address in lab.outside]
    commands += [_no_checksum_offload(inside, "outside"), _no_checksum_offload(outside, "uplink")]
    return commands


def node_commands(lab: Lab, node: Node) -> list[list[str]]:
    """What gives ``node`` a fresh network namespace with eth0 (management) and eth1 (underlay), as a machine has them at power-on."""
    namespace = node_namespace(lab.name, node.name)
    commands = [["ip", "netns", "add", namespace]]
    for bridge, device, segment, addresses in (("mgmt", "eth0", lab.management, node.management),
                                               ("underlay", "eth1", lab.underlay, node.underlay)):
        port, mtu = bridge_port(node.name, bridge), str(segment.mtu)
        commands.append(["ip", "-n", lab.namespace, "link", "add", port, "mtu", mtu, "type", "veth",
                         "peer", "name", device, "address", mac(lab, addresses[0]), "mtu", mtu, "netns", namespace])
        commands.append(["ip", "-n", lab.namespace, "link", "set", port, "master", bridge, "up"])
    commands += [_no_checksum_offload(lab.namespace, bridge_port(node.name, "underlay")), _no_checksum_offload(namespace, "eth1")]
    # A new namespace may inherit these from a host that routes.
    commands += [["ip", "netns", "exec", namespace, "sysctl", "-q", "-w", "net.ipv4.ip_forward=0", "net.ipv6.conf.all.forwarding=0"]]
    return commands


def tap_commands(lab: Lab, node: Node) -> list[list[str]]:
    """What gives the virtual machine ``node`` its ports on the bridges; the machine itself has the other ends, eth0 and eth1."""
    commands = []
    for bridge, segment in (("mgmt", lab.management), ("underlay", lab.underlay)):
        port = bridge_port(node.name, bridge)
        commands.append(["ip", "-n", lab.namespace, "tuntap", "add", "dev", port, "mode", "tap", "vnet_hdr"])
        commands.append(["ip", "-n", lab.namespace, "link", "set", port, "mtu", str(segment.mtu), "master", bridge, "up"])
    return commands


def node_removal_commands(lab: Lab, node: str) -> list[list[str]]:
    """What removes ``node``'s namespace (which only a container has) and ports, each of which may be missing. The ports go first, because the kernel takes
    the links of a removed namespace away some time later, and a new port must find the name free."""
    return [["ip", "-n", lab.namespace, "link", "delete", bridge_port(node, bridge)] for bridge in ("mgmt", "underlay")] + [
        ["ip", "netns", "delete", node_namespace(lab.name, node)]]


def as_script(commands: Sequence[Sequence[str]], *, may_fail: bool = False) -> str:
    """``commands`` as lines of a shell script."""
    return "".join(shlex.join(command) + (" 2>/dev/null || :" if may_fail else "") + "\n" for command in commands)


def _no_checksum_offload(namespace: str, device: str) -> list[str]:
    # Open vSwitch's userspace datapath reads frames by AF_PACKET, where an offloaded checksum has not been computed yet.
    return ["ip", "netns", "exec", namespace, "ethtool", "-K", device, "tx", "off"]


def description(lab: Lab) -> dict[str, Any]:
    """What the lab's own network is, as plain data."""
    return {
        "management": {"networks": [str(network) for network in lab.management.networks], "mtu": lab.management.mtu},
        "underlay": {"networks": [str(network) for network in lab.underlay.networks], "mtu": lab.underlay.mtu},
        "outside": [str(address) for address in lab.outside],
    }


def observe(lab: Lab) -> dict[str, Any]:
    """What the lab's own network is now; empty if it is not there or not whole."""
    record = lab.home / "network.json"
    whole = record.exists() and {"mgmt", "underlay", "outside"} <= links(lab.namespace) and "uplink" in links(lab.outside_namespace)
    found: dict[str, Any] = json.loads(record.read_text()) if whole else {}
    return found


def links(namespace: str) -> set[str]:
    """The names of the links in ``namespace``; none if there is no such namespace."""
    listing = run(["ip", "-json", "-n", namespace, "link", "show"], check=False)
    return {link["ifname"] for link in json.loads(listing or "[]")}


def build(lab: Lab) -> None:
    """Make the lab's own network anew. Nodes must not be running."""
    remove(lab)
    for command in lab_commands(lab):
        run(command)
    write(lab.home / "network.json", json.dumps(description(lab), indent=2, sort_keys=True) + "\n")


def remove(lab: Lab) -> None:
    """Remove the lab's own network and what runs in it (echo servers, Ansible's connections)."""
    (lab.home / "network.json").unlink(missing_ok=True)
    cgroups.end(_echo_group(lab))
    for namespace in (lab.namespace, lab.outside_namespace):
        remove_namespace(namespace)


def remove_namespace(namespace: str) -> None:
    """Remove a network namespace, first its links: they vanish at once, the namespace when the kernel gets to it."""
    if not Path("/run/netns", namespace).exists():
        return
    for link in sorted(links(namespace) - {"lo"}):
        succeeds(["ip", "-n", namespace, "link", "delete", link])
    run(["ip", "netns", "delete", namespace])


def processes(namespace: str) -> list[int]:
    """The ids of the processes in ``namespace``."""
    return [int(process) for process in run(["ip", "netns", "pids", namespace], check=False).split()]


def echo_runs(lab: Lab) -> bool:
    """Whether the echo server in the outside namespace runs."""
    return bool(cgroups.processes(_echo_group(lab)))


def start_echo(lab: Lab, source: str) -> None:
    """Start the echo server, whose program text is ``source``, in the outside namespace."""
    program = lab.home / "echo.py"
    write(program, source)
    start_detached(["ip", "netns", "exec", lab.outside_namespace, sys.executable, str(program), str(ECHO_PORT), *map(str, lab.outside)],
                   _echo_group(lab), lab.home / "echo.log")


def _echo_group(lab: Lab) -> str:
    return f"{lab.namespace}/outside"
