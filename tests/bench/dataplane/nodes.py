# SPDX-License-Identifier: Apache-2.0
"""Nodes for measurements: namespaces with an Open vSwitch of their own, either made by Sluice's engine or plain, and pods on them."""
from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path

from passes import Passes, read_passes

from bench import cpu
from conformance.namespaces import ip_batch, new_netns, run
from conformance.node import Node
from dataplane.traffic import MTU
from sluice.compile.fabric import Fabric
from sluice.compile.node import compile_node
from sluice.host.settings import TUNNEL_PORT
from sluice.intent.state import ClusterState, Keys
from sluice.node.cni import bypass, links
from sluice.node.netns import inside
from sluice.ovs.encode import encode_program
from sluice.ovs.flow_apply import apply_program
from sluice.ovs.openflow.connection import socket_address
from sluice.ovs.program import Owner
from sluice.ovs.switch.apply import apply
from sluice.pipeline.notify import METERS
from sluice.pipeline.tables import FLOW_TABLES
from sluice.plan.addresses import BRIDGE, WIREGUARD, gateway_address

ROOT = Path(__file__).parents[3]
HOST_ENGINE = ROOT / "tests" / "integration" / "host" / "engine.py"
TRANSPORT = "eth1"
PLAIN_BRIDGE, PLAIN_TRANSPORT = "br-plain", "br-phy"
REALISED_SECONDS = 30.0


class SwitchNode(Node):
    """A node whose Open vSwitch has a datapath of type ``datapath``: netdev, or system, which is the kernel's."""

    def __init__(self, name: str, datapath: str) -> None:
        self.datapath = datapath
        self.extra: list[int] = []
        """Processes besides ovs-vswitchd that carry packets."""
        super().__init__(name)

    def start_switch(self) -> None:
        self._switch = self._daemon("ovs-vswitchd", *(["--disable-system"] if self.datapath == "netdev" else []))

    def cpu(self) -> float:
        """Seconds of CPU, so far, of the processes that carry its packets."""
        return sum(cpu(pid) for pid in (self._switch.pid, *self.extra))

    def passes(self) -> Passes:
        """What its userspace datapath has done so far."""
        return read_passes(self.run("ovs-appctl", "-t", "/run/openvswitch/ovs-vswitchd.ctl", "dpif-netdev/pmd-stats-show"))

    def attach(self, bridge: str, link: links.PodLink, ofport: int) -> int:
        """A pod, with its port on the bridge, as the CNI plugin makes it; gives the descriptor of its namespace."""
        netns = new_netns()
        with inside(self.netns):
            links.create(link, netns)
            if self.datapath == "netdev":
                bypass.close(link.interface)
            links.configure(link, netns)
        self.run("ovs-vsctl", "add-port", bridge, link.interface, "--", "set", "Interface", link.interface, f"ofport_request={ofport}")
        return netns

    def make_wireguard(self) -> str:
        """A key, and a device by wireguard-go where the kernel has none, which the engine then sets up; gives the public key.

        Raises RuntimeError where there is no wg, or neither of the two makes devices.
        """
        self.write("/etc/sluice/wireguard.key", self.run("wg", "genkey"))
        try:
            self.run("ip", "link", "add", "dev", WIREGUARD, "type", "wireguard")
        except RuntimeError:
            if shutil.which("wireguard-go") is None:
                raise
            self.extra.append(self._start([*self._enter, "wireguard-go", "--foreground", WIREGUARD]).pid)
        return self.run("sh", "-c", "wg pubkey < /etc/sluice/wireguard.key").strip()

    def make_esp(self, own: str, peer: str, outgoing: int, incoming: int) -> None:
        """Encrypt Geneve's packets to and from a peer, as strongSwan would have the kernel do it, with keys that are as good as any here.

        ``outgoing``, ``incoming``: the SPI of each direction. Raises RuntimeError where the kernel has no ESP.
        """
        port = str(TUNNEL_PORT["geneve"]["port"])
        for direction, source, destination, spi in (("out", own, peer, outgoing), ("in", peer, own, incoming)):
            ends = ["src", source, "dst", destination]
            # ip-xfrm(8): a key of 32 bytes and a salt of 4, both made of the SPI, and a tag of 128 bits.
            self.run("ip", "xfrm", "state", "add", *ends, "proto", "esp", "spi", str(spi), "mode", "transport",
                     "aead", "rfc4106(gcm(aes))", "0x" + f"{spi:08x}" * 9, "128")
            self.run("ip", "xfrm", "policy", "add", *ends, "proto", "udp", "dport", port, "dir", direction,
                     "tmpl", *ends, "proto", "esp", "mode", "transport")

    def apply(self, fabric: Fabric) -> None:
        """Make it what the state says, as modules switch, host and flows do."""
        program = compile_node(fabric, self.name)
        sockets = self.root / "run" / "openvswitch"
        apply(f"unix:{sockets}/db.sock", program.switch, "merged", "sluice", REALISED_SECONDS)
        # There is no systemd in it.
        config = {section: value for section, value in program.host.items() if section not in ("units", "files", "firewall")}
        request = {"config": config, "state": "present", "check": False, "wait": REALISED_SECONDS, "remember": False, "root": "/"}
        self.write("/run/host.json", json.dumps([request]))
        answer = json.loads(self.run("sh", "-c", f"PYTHONPATH={ROOT / 'src'} {sys.executable} {HOST_ENGINE} < /run/host.json"))[0]
        if "error" in answer:
            raise RuntimeError(f"{self.name}: {answer['error']}")
        groups = {fabric.peer_group(fabric.state.nodes[self.name])} - {""}
        flows = [*program.flows, *fabric.service_flows, *(flow for group in groups for flow in fabric.peer_flows[group])]
        want = encode_program(flows, [*program.groups, *fabric.service_groups], METERS, FLOW_TABLES, Owner())
        apply_program(socket_address(BRIDGE, f"{sockets}/{BRIDGE}.mgmt"), want, FLOW_TABLES, Owner())


def join(nodes: Sequence[SwitchNode], addresses: Sequence[Sequence[str]], macs: Sequence[str]) -> None:
    """A cable between the transport interfaces of two nodes."""
    one, other = nodes
    ip_batch(one.netns, [f"link add {TRANSPORT} type veth peer name {TRANSPORT} netns /proc/{os.getpid()}/fd/{other.netns}"])
    for node, own, mac in zip(nodes, addresses, macs):
        if node.datapath == "netdev":
            node.run("ethtool", "-K", TRANSPORT, "tx", "off")
        ip_batch(node.netns, [f"link set {TRANSPORT} address {mac} up", *(f"addr add {address} dev {TRANSPORT} nodad" for address in own)])


def with_keys(state: ClusterState, nodes: Sequence[SwitchNode]) -> ClusterState:
    """The state with new keys of the nodes that have WireGuard."""
    return replace(state, nodes={node.name: replace(state.nodes[node.name], keys=Keys(wireguard=node.make_wireguard()))
                                 if state.nodes[node.name].encryption == "wireguard" else state.nodes[node.name] for node in nodes})


@contextmanager
def started(names: Sequence[str], datapath: str) -> Iterator[list[SwitchNode]]:
    """Nodes without a bridge; all of them is gone afterwards."""
    with ExitStack() as stack:
        nodes = []
        for name in names:
            nodes.append(SwitchNode(name, datapath))
            stack.callback(nodes[-1].close)
        yield nodes


@contextmanager
def sluice_nodes(state: ClusterState) -> Iterator[tuple[dict[str, SwitchNode], dict[str, int]]]:
    """One or two nodes of Sluice, and the namespaces of their pods by key."""
    with started(list(state.nodes), next(iter(state.nodes.values())).datapath) as nodes, ExitStack() as stack:
        if len(nodes) == 2:
            transports = [node.transport for node in state.nodes.values()]
            join(nodes, [transport.addresses for transport in transports], [transport.mac for transport in transports])
        else:
            transport = state.nodes[nodes[0].name].transport
            ip_batch(nodes[0].netns, [f"link add {TRANSPORT} type veth peer name far", f"link set {TRANSPORT} up",
                                      *(f"addr add {address} dev {TRANSPORT} nodad" for address in transport.addresses)])
        state = with_keys(state, nodes)
        fabric = Fabric(state)
        if any(fabric.encrypted_peers(node) and node.encryption == "ipsec" for node in state.nodes.values()):
            one, other = (node.transport.ips[0] for node in state.nodes.values())
            nodes[0].make_esp(one, other, 0x1001, 0x1002)
            nodes[1].make_esp(other, one, 0x1002, 0x1001)
        pods = {}
        for node in nodes:
            node.apply(fabric)
            cidrs = state.nodes[node.name].pod_cidrs
            for pod in fabric.pods_by_node[node.name]:
                pods[pod.key] = node.attach(BRIDGE, links.PodLink(
                    pod.interface, "eth0", pod.mac, MTU, tuple(f"{ip}/{cidr.partition('/')[2]}" for ip, cidr in zip(pod.ips, cidrs)),
                    tuple(gateway_address(cidr) for cidr in cidrs), node.datapath != "netdev"), pod.ofport)
                stack.callback(os.close, pods[pod.key])
        yield {node.name: node for node in nodes}, pods


def plain_address(node: int, pod: int) -> str:
    """Of a pod on a plain bridge; all are in one subnet."""
    return f"10.1.{node}.{pod + 2}"


@contextmanager
def plain_nodes(count: int, pods_per_node: int, datapath: str, tunnel: str = "") -> Iterator[tuple[list[SwitchNode], dict[str, int]]]:
    """One or two nodes whose bridge is a switch and nothing more (NORMAL), and the namespaces of their pods by address.

    ``tunnel``: of which type it is between the two; empty: the cable is a port of both bridges.
    """
    with started([f"plain{number + 1}" for number in range(count)], datapath) as nodes, ExitStack() as stack:
        if count == 2:
            join(nodes, [[f"172.31.0.{number + 1}/24"] if tunnel else [] for number in range(count)], ["0a:31:00:00:00:01", "0a:31:00:00:00:02"])
        pods = {}
        for number, node in enumerate(nodes):
            node.run("ovs-vsctl", "add-br", PLAIN_BRIDGE, "--", "set", "Bridge", PLAIN_BRIDGE, f"datapath_type={datapath}", "fail_mode=standalone")
            if count == 2 and tunnel:
                _plain_tunnel(node, number, tunnel)
            elif count == 2:
                node.run("ovs-vsctl", "add-port", PLAIN_BRIDGE, TRANSPORT)
            for pod in range(pods_per_node):
                address = plain_address(number, pod)
                pods[address] = node.attach(PLAIN_BRIDGE, links.PodLink(
                    f"pod{pod}", "eth0", f"0a:01:00:00:{number:02x}:{pod:02x}", MTU, (f"{address}/16",), (), datapath != "netdev"), 16 + pod)
                stack.callback(os.close, pods[address])
        yield nodes, pods


def _plain_tunnel(node: SwitchNode, number: int, tunnel: str) -> None:
    if node.datapath == "netdev":
        # Open vSwitch looks the next hops of tunnels up on its own ports only.
        node.run("ovs-vsctl", "add-br", PLAIN_TRANSPORT, "--", "set", "Bridge", PLAIN_TRANSPORT, "datapath_type=netdev", "--",
                 "add-port", PLAIN_TRANSPORT, TRANSPORT)
        ip_batch(node.netns, [f"addr flush dev {TRANSPORT}", f"addr add 172.31.0.{number + 1}/24 dev {PLAIN_TRANSPORT}", f"link set {PLAIN_TRANSPORT} up"])
    node.run("ovs-vsctl", "add-port", PLAIN_BRIDGE, "tun0", "--", "set", "Interface", "tun0", f"type={tunnel}", f"options:remote_ip=172.31.0.{2 - number}",
             *([] if tunnel == "gre" else ["options:key=7"]))


@contextmanager
def kernel_pods(bridge: bool) -> Iterator[tuple[int, list[int]]]:
    """Two pods (10.2.0.2 and .3) of a host without Open vSwitch: on a Linux bridge with the address 10.2.0.1, or joined by a cable; and the host."""
    with ExitStack() as stack:
        host, *pods = [new_netns() for _number in range(3)]
        for descriptor in (host, *pods):
            stack.callback(os.close, descriptor)
        ends = [("eth0", f"netns /proc/{os.getpid()}/fd/{pods[0]}"), ("eth0", f"netns /proc/{os.getpid()}/fd/{pods[1]}")]
        if bridge:
            ip_batch(host, ["link set lo up", "link add br0 type bridge", "addr add 10.2.0.1/24 dev br0", "link set br0 up"])
            for number, (name, netns) in enumerate(ends):
                ip_batch(host, [f"link add pod{number} mtu {MTU} type veth peer name {name} mtu {MTU} {netns}", f"link set pod{number} master br0 up"])
        else:
            ip_batch(host, [f"link add {ends[0][0]} mtu {MTU} {ends[0][1]} type veth peer name {ends[1][0]} mtu {MTU} {ends[1][1]}"])
        for number, pod in enumerate(pods):
            ip_batch(pod, ["link set lo up", "link set eth0 up", f"addr add 10.2.0.{number + 2}/24 dev eth0",
                           *(["route add default via 10.2.0.1"] if bridge else [])])
        yield host, pods


def in_netns(netns: int, *command: str, stdin: str = "") -> str:
    """A program's output in a namespace. Raises RuntimeError with what it says if it fails."""
    return run(["nsenter", f"--net=/proc/{os.getpid()}/fd/{netns}", *command], stdin)
