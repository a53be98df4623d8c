# SPDX-License-Identifier: Apache-2.0
"""ClusterState: what the cluster is to be, validated, placed and addressed. Plain values; no file, no Ansible, no OVS."""
from __future__ import annotations

from dataclasses import dataclass, field
from typing import Mapping

from .kinds import ContainerPort, EndpointSlice, Ingress, Namespace, NetworkPolicy, Service
from .kinds.admin_policy import AdminPolicy
from .kinds.antrea import AntreaGroup, AntreaPolicy, Tier

__all__ = ["Cluster", "ClusterState", "ContainerPort", "Ipsec", "Keys", "Node", "Pod", "Route", "Transport", "WireGuard"]


@dataclass(frozen=True)
class Ipsec:
    """How tunnels are encrypted between nodes whose encryption is ipsec."""

    authentication: str = "psk"
    """psk | self_signed | ca"""
    strict: bool = True
    """Whether tunnel packets that are not encrypted are dropped, where they should be."""
    nat_traversal: bool = False
    """Whether ESP always travels within UDP (RFC 3948)."""
    cipher: str = "aes256gcm16"
    """Of IKE and ESP; one of plan.esp.CIPHERS."""
    group: str = "ecp256"
    """The Diffie-Hellman group of IKE and ESP."""


@dataclass(frozen=True)
class WireGuard:
    """How packets travel between nodes whose encryption is wireguard."""

    port: int = 51820
    persistent_keepalive: int = 0
    """Seconds; 0: none."""


@dataclass(frozen=True)
class Cluster:
    """The settings that hold for all nodes (the ``sluice_*`` variables, after validation)."""

    name: str
    pod_cidrs: tuple[str, ...]
    """One or two CIDRs, at most one a family; the order is the order of every other per-family tuple."""
    service_cidrs: tuple[str, ...] = ()
    node_prefix_lengths: tuple[int, ...] = ()
    traffic_mode: str = "encap"
    """encap | no_encap | hybrid"""
    tunnel_type: str = "geneve"
    """geneve | vxlan | gre"""
    mtu: int | None = None
    """MTU of the pods' interfaces in bytes; None: computed from the transport interfaces and the mode."""
    masquerade: bool = True
    """Whether pods reach addresses outside the cluster with their node's address."""
    established: str = "revalidate"
    """What policies say of connections that are there already. revalidate: the same as of new ones; keep: nothing."""
    unsupported: str = "refuse"
    """What happens to input that cannot be enforced. refuse: it is a problem; warn: it is left out, with a warning."""
    ipsec: Ipsec = Ipsec()
    wireguard: WireGuard = WireGuard()


@dataclass(frozen=True)
class Route:
    """A route of the host; an empty ``via`` is on-link."""

    destination: str
    via: str = ""


@dataclass(frozen=True)
class Transport:
    """The interface over which a node reaches the other nodes, as found on the node."""

    interface: str
    addresses: tuple[str, ...]
    """With prefix length (192.0.2.11/24), at most one a family, IPv4 first."""
    mtu: int
    routes: tuple[Route, ...] = ()
    """Routes over this interface other than the on-link ones of its addresses (the default route, mostly)."""
    mac: str = ""

    @property
    def ips(self) -> tuple[str, ...]:
        """The addresses without their prefix lengths."""
        return tuple(address.partition("/")[0] for address in self.addresses)


@dataclass(frozen=True)
class Keys:
    """What a node lets the others know of its keys; what is private never leaves it."""

    wireguard: str = ""
    """Its public key, in base64."""
    certificate: str = ""
    """PEM."""
    authorities: tuple[str, ...] = ()
    """PEM of each certificate authority that it believes; several while one takes another's place."""
    revocations: tuple[str, ...] = ()
    """PEM of their revocation lists."""


@dataclass(frozen=True)
class Nic:
    """A NIC with an embedded switch, as far as planning looks at it."""

    interface: str
    """Or its PCI address."""
    vfs: int = 0
    mode: str = ""
    """legacy | switchdev; empty: as it is."""


@dataclass(frozen=True)
class Offload:
    """What a node's switch leaves to tc and to hardware."""

    hw_offload: bool = False
    tc_policy: str = ""
    """none | skip_sw | skip_hw; empty: Open vSwitch's default."""
    max_idle: int = 0
    """Milliseconds after which an idle flow leaves the datapath; 0: Open vSwitch's default."""
    nics: tuple[Nic, ...] = ()


@dataclass(frozen=True)
class VfPool:
    """Virtual functions that pods ask for by one name. An empty selector selects all."""

    resource: str
    """prefix/name"""
    vendors: tuple[str, ...] = ()
    devices: tuple[str, ...] = ()
    drivers: tuple[str, ...] = ()
    functions: tuple[str, ...] = ()
    """NICs, or some of their VFs (ens1f0#0-3,6)."""


@dataclass(frozen=True)
class Vf:
    """A virtual function, and the pool that it is in."""

    resource: str
    interface: str
    """Of its NIC; or the NIC's PCI address."""
    number: int


@dataclass(frozen=True)
class Node:
    name: str
    transport: Transport
    pod_cidrs: tuple[str, ...]
    """The node's share of each of the cluster's pod CIDRs, in the same order."""
    datapath: str = "system"
    """system | netdev"""
    labels: Mapping[str, str] = field(default_factory=dict)
    encryption: str = "none"
    """none | ipsec | wireguard; what travels between two nodes is encrypted if both have the same one."""
    keys: Keys = Keys()
    offload: Offload = Offload()


@dataclass(frozen=True)
class Pod:
    """One replica, on its node, with its addresses. Host-network pods have no addresses, MAC or port of their own."""

    namespace: str
    name: str
    node: str
    labels: Mapping[str, str] = field(default_factory=dict)
    ports: tuple[ContainerPort, ...] = ()
    owner: str = ""
    """kind/name of the workload whose replica it is; empty for a bare Pod."""
    host_network: bool = False
    service_account: str = "default"
    ips: tuple[str, ...] = ()
    """Bare addresses, in the order of the cluster's pod CIDRs."""
    mac: str = ""
    ofport: int = 0
    interface: str = ""
    """The host's end of the veth pair, which is the port's name on the bridge; at most 15 characters."""
    ready: bool = True
    terminating: bool = False
    vf: Vf | None = None
    """The virtual function that is its interface, instead of a veth pair."""

    @property
    def key(self) -> str:
        return f"{self.namespace}/{self.name}"


@dataclass(frozen=True)
class ClusterState:
    """All of it. Mappings are keyed by node name, by ``namespace/name``, or by the bare name of what has no namespace, and are in sorted order."""

    cluster: Cluster
    nodes: Mapping[str, Node]
    namespaces: Mapping[str, Namespace]
    pods: Mapping[str, Pod]
    services: Mapping[str, Service]
    """With the cluster IPs and node ports that were allocated for them."""
    endpoint_slices: Mapping[str, EndpointSlice]
    ingresses: Mapping[str, Ingress]
    network_policies: Mapping[str, NetworkPolicy]
    antrea_policies: Mapping[str, AntreaPolicy] = field(default_factory=dict)
    """Antrea's ClusterNetworkPolicies and NetworkPolicies."""
    tiers: Mapping[str, Tier] = field(default_factory=dict)
    """Those of the inventory; the static ones are kinds.antrea.STATIC_TIERS."""
    groups: Mapping[str, AntreaGroup] = field(default_factory=dict)
    """Antrea's ClusterGroups and Groups."""
    admin_policies: Mapping[str, AdminPolicy] = field(default_factory=dict)
    """Keyed by ``kind name``."""
