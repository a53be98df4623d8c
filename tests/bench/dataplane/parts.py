# SPDX-License-Identifier: Apache-2.0
"""What is compared with what: each part makes paths side by side, of which all but the bases have a base."""
from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, field, replace

from passes import Passes

from dataplane import clusters
from dataplane.clusters import CLIENT, CLUSTER_IP, ENDPOINT_PORT, REMOTE_SERVER, SERVER, SERVER_PORT, SERVICE_PORT
from dataplane.kube_proxy import KernelService, iptables_rules, nftables_rules
from dataplane.nodes import SwitchNode, in_netns, kernel_pods, plain_address, plain_nodes, sluice_nodes
from dataplane.traffic import Path
from sluice.intent.state import ClusterState

AT_LEAST = 0.95
"""What a Service and policies have to leave of the throughput of established connections (issue 5)."""


@dataclass(frozen=True)
class Contender:
    """A path, and by the name of another what it is to be compared with."""

    path: Path
    base: str = ""
    bound: bool = False
    """Whether AT_LEAST holds for it."""


@dataclass
class Part:
    title: str
    contenders: list[Contender] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    """What is not here, and why."""

    def add(self, path: Path, base: str = "", bound: bool = False) -> None:
        self.contenders.append(Contender(path, base, bound))


def _carried_by(path: Path, nodes: Sequence[SwitchNode]) -> Path:
    """The path with what is known of the processes on the nodes that carry its packets: nothing, where the kernel does."""
    if nodes[0].datapath == "netdev":
        path = replace(path, passes=lambda: Passes(*map(sum, zip(*(node.passes() for node in nodes)))))
    if nodes[0].datapath == "netdev" or any(node.extra for node in nodes):
        path = replace(path, cpu=lambda: sum(node.cpu() for node in nodes))
    return path


def _sluice(stack: ExitStack, name: str, state: ClusterState, server: str = SERVER) -> Path:
    """The path from CLIENT to ``server`` of such a cluster."""
    nodes, pods = stack.enter_context(sluice_nodes(state))
    used = [nodes[node] for node in dict.fromkeys(state.pods[key].node for key in (CLIENT, server))]
    return _carried_by(Path(name, pods[CLIENT], pods[server], state.pods[server].ips[0], SERVER_PORT), used)


def _through_service(direct: Path, name: str) -> Path:
    return replace(direct, name=name, port=ENDPOINT_PORT, dialled=(CLUSTER_IP, SERVICE_PORT))


def _plain(stack: ExitStack, name: str, count: int, datapath: str, tunnel: str = "") -> Path:
    nodes, pods = stack.enter_context(plain_nodes(count, 2, datapath, tunnel))
    client, server = plain_address(0, 0), plain_address(count - 1, 1)
    return _carried_by(Path(name, pods[client], pods[server], server), nodes)


def _kernel(stack: ExitStack, name: str, bridge: bool) -> Path:
    _host, (client, server) = stack.enter_context(kernel_pods(bridge))
    return Path(name, client, server, "10.2.0.3")


@contextmanager
def same_node(datapath: str) -> Iterator[Part]:
    """Between two pods of one node."""
    part, plain = Part("Two pods of one node"), "bridge of Open vSwitch, NORMAL"
    with ExitStack() as stack:
        part.add(_plain(stack, plain, 1, datapath))
        part.add(_sluice(stack, "Sluice", clusters.pods_only(1, datapath)), base=plain)
        part.add(_kernel(stack, "Linux bridge", True), plain)
        part.add(_kernel(stack, "a veth pair", False), plain)
        yield part


@contextmanager
def cross_node(datapath: str) -> Iterator[Part]:
    """Between pods of two nodes."""
    part, plain = Part("Pods of two nodes, Geneve"), "bridges of Open vSwitch, NORMAL, Geneve"
    with ExitStack() as stack:
        part.add(_plain(stack, plain, 2, datapath, "geneve"))
        part.add(_sluice(stack, "Sluice", clusters.pods_only(2, datapath), REMOTE_SERVER), base=plain)
        yield part


@contextmanager
def service(datapath: str) -> Iterator[Part]:
    """Through a Service."""
    part = Part("A Service with one endpoint")
    with ExitStack() as stack:
        for server, nodes, where in ((SERVER, 1, "one node"), (REMOTE_SERVER, 2, "two nodes")):
            state = clusters.with_service(clusters.pods_only(nodes, datapath), server)
            direct = _sluice(stack, f"Sluice, {where}, direct", state, server)
            part.add(direct)
            part.add(_through_service(direct, f"Sluice, {where}, Service"), direct.name, bound=True)
        for tool, rules, command in (("iptables", iptables_rules, ("iptables-restore",)), ("nft", nftables_rules, ("nft", "-f", "-"))):
            host, (client, server_end) = stack.enter_context(kernel_pods(True))
            try:
                # The answer, too, has to be translated, though it crosses the bridge only: nodes of Kubernetes have this set.
                in_netns(host, "sysctl", "-qw", "net.ipv4.ip_forward=1", "net.bridge.bridge-nf-call-iptables=1")
                in_netns(host, *command, stdin=rules(KernelService(CLUSTER_IP, SERVICE_PORT, "10.2.0.3", ENDPOINT_PORT, "10.2.0.0/24")))
            except RuntimeError as error:
                part.missing.append(f"kube-proxy's {tool}: {error}")
                continue
            direct = Path(f"Linux bridge, {tool}, direct", client, server_end, "10.2.0.3", SERVER_PORT)
            part.add(direct)
            part.add(_through_service(direct, f"Linux bridge, {tool}, Service"), direct.name)
        yield part


@contextmanager
def policies(datapath: str) -> Iterator[Part]:
    """With many policies."""
    part, none = Part("NetworkPolicies, of which one allows"), "no policy"
    with ExitStack() as stack:
        bare = clusters.pods_only(1, datapath)
        part.add(_sluice(stack, none, bare))
        for count in (100, 1000):
            part.add(_sluice(stack, f"{count} policies", clusters.with_policies(bare, count, SERVER, CLIENT)), base=none, bound=True)
        yield part


@contextmanager
def tunnels(datapath: str) -> Iterator[Part]:
    """What tunnels and encryption cost."""
    part, plain, routed = Part("Tunnels and encryption between two nodes"), "bridges of Open vSwitch, NORMAL, no tunnel", "Sluice, no_encap"
    with ExitStack() as stack:
        part.add(_plain(stack, plain, 2, datapath))
        part.add(_sluice(stack, routed, clusters.pods_only(2, datapath, "no_encap"), REMOTE_SERVER), base=plain)
        for tunnel in ("geneve", "vxlan", "gre"):
            part.add(_sluice(stack, f"Sluice, {tunnel}", clusters.pods_only(2, datapath, tunnel_type=tunnel), REMOTE_SERVER), base=routed)
        for encryption, name in (("wireguard", "WireGuard"), ("ipsec", "Geneve in ESP")):
            if encryption == "ipsec" and datapath == "netdev":
                part.missing.append("IPsec: it is the kernel's datapath whose tunnels a kernel can put into ESP")
                continue
            try:
                part.add(_sluice(stack, f"Sluice, {name}", clusters.pods_only(2, datapath, encryption=encryption), REMOTE_SERVER), base=routed)
            except RuntimeError as error:
                part.missing.append(f"{name}: {error}")
        yield part


PARTS: dict[str, Callable[[str], AbstractContextManager[Part]]] = {
    "same_node": same_node, "cross_node": cross_node, "service": service, "policies": policies, "tunnels": tunnels}
