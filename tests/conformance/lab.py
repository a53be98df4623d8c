# SPDX-License-Identifier: Apache-2.0
"""The standing lab: nodes, pods' namespaces and the world outside, made once and changed from case to case."""
from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Mapping

from sluice.compile.artifacts import artifact_files, write_files
from sluice.compile.paths import program_paths
from sluice.intent.state import ClusterState, Pod
from sluice.node.cni import bypass, links
from sluice.node.cni.netlink import Netlink
from sluice.node.netns import inside
from sluice.plan.addresses import BRIDGE, gateway_address

from .case import ROUTER, TRANSPORT, TRANSPORT_MTU, node_address
from .namespaces import ip_batch, new_netns, run
from .node import Node
from .place import Place

PROGRAM_COOKIES = "0x51c3000000000000/0xffff000000000000"
ALL_COOKIES = "0/0"


@dataclass
class _PodPort:
    """A namespace that is the pod behind one port of a node, whichever pod that is."""

    netns: int
    link: links.PodLink


@dataclass
class _Applied:
    """What a node was made last, to run no module in vain."""

    switch: str = ""
    host: str = ""
    ports: dict[int, _PodPort] = field(default_factory=dict)
    """By the port's OpenFlow number."""


class Lab:
    """A context manager; all of it is gone afterwards."""

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="sluice-conformance-")
        self._outside = new_netns()
        self._outside_addresses: set[str] = set()
        self._nodes: dict[str, Node] = {}
        self._applied: dict[str, _Applied] = {}
        ip_batch(self._outside, [
            "link set lo up", "link add br0 type bridge", "link set br0 up",
            *(f"addr add {address}/{24 if family == 4 else 64} dev br0 nodad" for family, address in ROUTER.items())])

    def __enter__(self) -> Lab:
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None) -> None:
        for node in self._nodes.values():
            node.close()
        for applied in self._applied.values():
            for port in applied.ports.values():
                os.close(port.netns)
        os.close(self._outside)
        self._folder.cleanup()

    def apply(self, state: ClusterState, fresh: bool) -> None:
        """Make the lab this cluster. ``fresh``: nothing that connections before have left is to be seen, as in a lab of its own.

        Raises InputError for a state that does not compile, ModuleFailed.
        """
        directory = Path(tempfile.mkdtemp(dir=self._folder.name))
        write_files({directory / path: text for path, text in artifact_files(state)})
        paths = program_paths(state, directory)
        for number in range(1, len(state.nodes) + 1):
            self._node(number)
        for name in state.nodes:
            self._apply_host(name, directory / name)
        changed = any([self._attach(name, pods) for name, pods in _local_pods(state).items()])
        if fresh:
            for name in state.nodes:
                # The first ends what the datapath remembers of packets: with their statistics, up to half a second later, ovs-vswitchd would teach
                # itself again the flows that they taught it.
                for forget in ("revalidator/purge", "dpctl/flush-conntrack"):
                    self._nodes[name].run("ovs-appctl", "-t", "/run/openvswitch/ovs-vswitchd.ctl", forget)
        runs = [self._nodes[name].start_module("flows", _flows(paths[name], directory / name, fresh)) for name in state.nodes]
        for module in runs:
            module.result()
        for name in state.nodes:
            self._nodes[name].start_agent()
        self._route_outside(state)
        if changed:
            self._forget_neighbours(state)

    def pod(self, state: ClusterState, key: str, family: int) -> Place:
        """Where a pod's sockets are. Raises KeyError for a pod that is not in the state."""
        pod = state.pods[key]
        if pod.host_network:
            return self.node(state, pod.node, family, key)
        return Place(key, self._applied[pod.node].ports[pod.ofport].netns, _of_family(pod.ips, family))

    def node(self, state: ClusterState, name: str, family: int, called: str = "") -> Place:
        return Place(called or name, self._nodes[name].netns, _of_family(bare(state.nodes[name].transport.addresses), family))

    def outside(self, address: str) -> Place:
        """A host outside of the cluster with this address."""
        if address not in self._outside_addresses:
            ip_batch(self._outside, [f"addr add {address}/{128 if ':' in address else 32} dev lo"])
            self._outside_addresses.add(address)
        return Place(f"ip:{address}", self._outside, address, binds=True)

    def running(self, node: str) -> Node:
        """A node itself, for what no case does to it."""
        return self._nodes[node]

    def trace(self, node: str) -> str:
        """What the bridge of a node has, for a person to look into."""
        return self._nodes[node].run("ovs-ofctl", "-O", "OpenFlow15", "dump-flows", BRIDGE)

    def _node(self, number: int) -> Node:
        name = f"node{number}"
        if name not in self._nodes:
            node = self._nodes[name] = Node(name)
            self._applied[name] = _Applied()
            with inside(self._outside):
                Netlink().add_veth(f"n{number}", TRANSPORT, f"0a:64:00:00:00:{number:02x}", TRANSPORT_MTU, node.netns)
            run(["nsenter", f"--net=/proc/{os.getpid()}/fd/{self._outside}", "ethtool", "-K", f"n{number}", "tx", "off"])
            ip_batch(self._outside, [f"link set n{number} master br0 up"])
            node.run("ethtool", "-K", TRANSPORT, "tx", "off")
            ip_batch(node.netns, [
                f"link set {TRANSPORT} up",
                *(line for family in (4, 6) for line in (f"addr add {node_address(number, family)} dev {TRANSPORT} nodad",
                                                         f"route add default via {ROUTER[family]}"))])
        return self._nodes[name]

    def _apply_host(self, name: str, program: Path) -> None:
        node, applied = self._nodes[name], self._applied[name]
        switch, host = (program / "switch.json").read_text(), (program / "host.json").read_text()
        if switch != applied.switch:
            node.module("switch", {"config": json.loads(switch)})
        if host != applied.host:
            # No systemd here: what its units would do is done by :meth:`apply`.
            config = {section: value for section, value in json.loads(host).items() if section not in ("units", "files", "firewall")}
            node.module("host", {"config": config})
        applied.switch, applied.host = switch, host

    def _attach(self, name: str, pods: Iterable[tuple[Pod, links.PodLink]]) -> bool:
        """Make the node's ports lead to these pods; whether any of them was another before."""
        node, ports = self._nodes[name], self._applied[name].ports
        added: list[str] = []
        changed = False
        for pod, link in pods:
            port = ports.get(pod.ofport)
            if port is None:
                port = ports[pod.ofport] = _PodPort(new_netns(), link)
                with inside(node.netns):
                    # As the CNI plugin does.
                    links.create(link, port.netns)
                    bypass.close(link.interface)
                    links.configure(link, port.netns)
                added += ["--", "add-port", BRIDGE, link.interface, "--", "set", "Interface", link.interface, f"ofport_request={pod.ofport}"]
            elif port.link != link:
                ip_batch(port.netns, _readdress(link))
                port.link = link
                changed = True
        if added:
            node.run("ovs-vsctl", *added[1:])
        return changed

    def _route_outside(self, state: ClusterState) -> None:
        lines = []
        for node in state.nodes.values():
            hops = bare(node.transport.addresses)
            lines += [f"route replace {cidr} via {_of_family(hops, 6 if ':' in cidr else 4)} proto static" for cidr in node.pod_cidrs]
        # Of IPv4: a node's IPv6 share is the same in all cases.
        ip_batch(self._outside, ["route flush proto static", *lines])

    def _forget_neighbours(self, state: ClusterState) -> None:
        for name, node in self._nodes.items():
            for netns in (node.netns, *(port.netns for port in self._applied[name].ports.values())):
                ip_batch(netns, ["neigh flush all"])


def bare(addresses: Iterable[str]) -> list[str]:
    """Without their prefix lengths."""
    return [address.partition("/")[0] for address in addresses]


def _of_family(addresses: Iterable[str], family: int) -> str:
    return next(address for address in addresses if (":" in address) == (family == 6))


def _local_pods(state: ClusterState) -> dict[str, list[tuple[Pod, links.PodLink]]]:
    found: dict[str, list[tuple[Pod, links.PodLink]]] = {name: [] for name in state.nodes}
    for pod in state.pods.values():
        if not pod.host_network:
            cidrs = state.nodes[pod.node].pod_cidrs
            addresses = tuple(f"{ip}/{cidr.partition('/')[2]}" for ip, cidr in zip(pod.ips, cidrs))
            # The port's name is its number's: another pod behind the same port must not need another port.
            found[pod.node].append((pod, links.PodLink(
                interface=f"pod{pod.ofport}", ifname="eth0", mac=pod.mac, mtu=1400, addresses=addresses,
                gateways=tuple(gateway_address(cidr) for cidr in cidrs), tx_checksum=False)))
    return found


def _readdress(link: links.PodLink) -> list[str]:
    return [
        "link set eth0 down", f"link set eth0 address {link.mac}", "addr flush dev eth0", "link set eth0 up",
        *(f"addr add {address} dev eth0 nodad" for address in link.addresses),
        *(f"route replace default via {gateway} dev eth0" for gateway in link.gateways)]


def _flows(paths: Mapping[str, Any], program: Path, fresh: bool) -> dict[str, Any]:
    """What role pod_network gives to sluice.fabric.flows; a fresh lab has no learned flows either."""
    bridge = next(bridge for bridge in json.loads((program / "switch.json").read_text())["bridges"] if bridge["name"] == BRIDGE)
    texts = {kind: "".join(Path(file).read_text() for file in paths[kind]) for kind in ("flows", "groups", "meters")}
    files = {f"/etc/sluice/{kind}.txt": text for kind, text in texts.items()}
    files["/etc/sluice/rules.json"] = (program / "rules.json").read_text()
    return {"bridge": BRIDGE, "tables": bridge["flow_tables"], **texts, "files": files, "cookie": ALL_COOKIES if fresh else PROGRAM_COOKIES}

