# SPDX-License-Identifier: Apache-2.0
"""The ``sluice_*`` variables of an inventory: one table of what there is, and the reading of them."""
from __future__ import annotations

import difflib
from dataclasses import dataclass, field
from typing import Collection, Mapping, Optional

from ..errors import Problem
from .encryption import check_secret, read_ipsec, read_wireguard
from .fields import Source, describe, one_of
from .offload import read_offload, read_vf_pools
from .state import Cluster, Offload, VfPool
from .syntax import Network, address, cidr, label_key, label_value

INVENTORY = "inventory"
"""What problems of variables name as their file: Ansible does not tell in which file a variable was set."""

PREFIX = "sluice_"
FOREIGN_PREFIXES = ("sluice_lab_",)
"""Families of variables that belong to others than this table."""

MTU_MIN = {4: 576, 6: 1280}
"""RFC 791 section 3.1 (what every host has to accept), RFC 8200 section 5."""
MTU_MAX = 65535
NODE_PREFIX_LENGTH = {4: 24, 6: 64}
NODE_PREFIX_LENGTH_MAX = {4: 30, 6: 126}
"""A longer prefix leaves no address for a pod."""


@dataclass(frozen=True)
class Variable:
    """One variable, in the terms of Ansible's argument specs."""

    name: str
    type: str
    """str | int | bool | list | dict | raw"""
    description: str
    elements: str = ""
    """What a list has: str | int | dict."""
    default: object = None
    required: bool = False
    choices: tuple[str, ...] = ()
    refused: Mapping[str, str] = field(default_factory=dict)
    """Values that a user may expect to be choices, and why they are none."""
    per_host: bool = False
    """Whether hosts may differ in it."""
    secret: bool = False
    """Whether no message may show its value."""


VARIABLES = (
    Variable("sluice_cluster_name", "str", "Name of the cluster; artifacts are written below it.", default="sluice"),
    Variable("sluice_pod_cidrs", "list", "Addresses of all pods: one network, or one IPv4 and one IPv6 network.", "str", required=True),
    Variable("sluice_service_cidrs", "list", "Addresses of Services: at most one network a family.", "str", default=()),
    Variable(
        "sluice_node_prefix_lengths",
        "list",
        "Prefix length of a node's share of each of sluice_pod_cidrs, in the same order; by default 24 for IPv4 and 64 for IPv6.",
        "int",
        default=(),
    ),
    Variable(
        "sluice_traffic_mode",
        "str",
        "How pods' packets travel between nodes: in tunnels, routed, or routed where nodes share a subnet and else in tunnels.",
        default="encap",
        choices=("encap", "no_encap", "hybrid"),
        refused={"policy_only": "is not built yet: another CNI plugin's routing cannot be kept so far"},
    ),
    Variable(
        "sluice_tunnel_type",
        "str",
        "The tunnels of the modes encap and hybrid.",
        default="geneve",
        choices=("geneve", "vxlan", "gre"),
        refused={
            "stt": "needs a kernel module that Linux never had and Open vSwitch no longer ships, and its segments look like TCP "
            "without being TCP, which firewalls and NICs on the way drop"
        },
    ),
    Variable("sluice_mtu", "raw", "MTU of pods' interfaces in bytes, or auto: what the transport leaves after the tunnel.", default="auto"),
    Variable("sluice_masquerade", "bool", "Whether pods reach the world outside with their node's address.", default=True),
    Variable("sluice_ipsec", "dict", "How IPsec encrypts tunnels: authentication, strict, nat_traversal, cipher and group.", default={}),
    Variable(
        "sluice_ipsec_secret",
        "str",
        "The secret of which the pre-shared key of each pair of nodes is made; at least 32 characters, from a vault.",
        default="",
        secret=True,
    ),
    Variable("sluice_wireguard", "dict", "How WireGuard encrypts: port and persistent_keepalive.", default={}),
    Variable("sluice_manifests", "list", "Files and folders of Kubernetes manifests, relative to the inventory.", "str", default=()),
    Variable("sluice_namespaces", "list", "Namespace objects.", "dict", default=()),
    Variable("sluice_pods", "list", "Pod objects and workloads (Deployment, DaemonSet and so on).", "dict", default=()),
    Variable("sluice_services", "list", "Service, EndpointSlice and Ingress objects.", "dict", default=()),
    Variable(
        "sluice_policies",
        "list",
        "NetworkPolicy objects, and those of Antrea (with tiers and groups) and of administrators.",
        "dict",
        default=(),
    ),
    Variable(
        "sluice_established",
        "str",
        "What policies say of connections that are there already: the same as of new ones, or nothing.",
        default="revalidate",
        choices=("revalidate", "keep"),
    ),
    Variable(
        "sluice_unsupported",
        "str",
        "What becomes of what cannot be enforced, such as a policy that asks for what is not built yet: it is refused, or left out with a warning.",
        default="refuse",
        choices=("refuse", "warn"),
    ),
    Variable("sluice_artifacts_dir", "str", "Where compiled programs are written, relative to the inventory.", default="artifacts"),
    Variable("sluice_allocations_file", "str", "Where allocations are kept, relative to the inventory.", default="allocations.yml"),
    Variable(
        "sluice_datapath",
        "str",
        "The switch's datapath: the kernel's, or Open vSwitch's own in userspace.",
        default="system",
        choices=("system", "netdev"),
        per_host=True,
    ),
    Variable(
        "sluice_transport_interface",
        "str",
        "The interface to the other nodes; without it, the one of sluice_transport_cidrs or of the default route.",
        default="",
        per_host=True,
    ),
    Variable(
        "sluice_transport_cidrs",
        "list",
        "Networks of which the interface to the other nodes has an address.",
        "str",
        default=(),
        per_host=True,
    ),
    Variable("sluice_node_labels", "dict", "Labels of the node, which nodeSelectors see.", default={}, per_host=True),
    Variable(
        "sluice_encryption",
        "str",
        "Encryption between nodes: what travels between two of them is encrypted if both have the same.",
        default="none",
        choices=("none", "ipsec", "wireguard"),
        per_host=True,
    ),
    Variable(
        "sluice_offload",
        "dict",
        "What the node's switch leaves to tc and to SmartNICs: hw_offload, tc_policy, max_idle, and nics with their virtual functions.",
        default={},
        per_host=True,
    ),
    Variable(
        "sluice_vf_pools",
        "list",
        "Virtual functions that pods may ask for by a name, written as the resourceList of the SR-IOV network device plugin.",
        "dict",
        default=(),
        per_host=True,
    ),
)
BY_NAME = {variable.name: variable for variable in VARIABLES}

OBJECT_LISTS = ("sluice_namespaces", "sluice_pods", "sluice_services", "sluice_policies")


@dataclass(frozen=True)
class ClusterSettings:
    """The variables that hold for all nodes."""

    cluster: Cluster
    plannable: bool
    """Whether it has what addresses are planned with; otherwise there are problems about that."""
    artifacts_dir: str
    allocations_file: str
    manifests: tuple[str, ...]
    objects: Mapping[str, tuple[object, ...]]
    """The items of each of OBJECT_LISTS."""


@dataclass(frozen=True)
class HostSettings:
    """The variables that hold for one node."""

    datapath: str
    transport_interface: str
    transport_cidrs: tuple[str, ...]
    labels: Mapping[str, str]
    encryption: str = "none"
    offload: Offload = field(default_factory=Offload)
    vf_pools: tuple[VfPool, ...] = ()


class _Values:
    """The variables of the cluster or of one host, each with its type, choices and default."""

    def __init__(self, variables: Mapping[str, object], source: Source) -> None:
        self.source = source
        self._variables = variables

    def problem(self, name: str, message: str, expected: str = "") -> None:
        self.source.problem(name, message, expected)

    def raw(self, name: str) -> object:
        """The value as it is given; None if it is not."""
        variable = BY_NAME[name]
        value = self._variables.get(name)
        if variable.required and (value is None or value == []):
            self.problem(name, "is missing", variable.description[0].lower() + variable.description[1:].rstrip("."))
        return value

    def string(self, name: str) -> str:
        variable = BY_NAME[name]
        expected = one_of(variable.choices) if variable.choices else "a string"
        value = self.raw(name)
        default = str(variable.default)
        if value is None:
            return default
        if not isinstance(value, str):
            self.problem(name, describe(value), expected)
            return default
        if value in variable.refused:
            self.problem(name, f"{value} {variable.refused[value]}", expected)
            return default
        if variable.choices and value not in variable.choices:
            self.problem(name, f"is {value!r}", expected)
            return default
        return str(value)

    def boolean(self, name: str) -> bool:
        value = self.raw(name)
        # `-e sluice_masquerade=false` on the command line is a string.
        if isinstance(value, str) and value.lower() in ("true", "false", "yes", "no"):
            value = value.lower() in ("true", "yes")
        if value is not None and not isinstance(value, bool):
            self.problem(name, describe(value), "true or false")
            value = None
        return bool(BY_NAME[name].default) if value is None else bool(value)

    def number(self, value: object) -> Optional[int]:
        if isinstance(value, str) and value.isdigit():
            return int(value)
        return value if isinstance(value, int) and not isinstance(value, bool) else None

    def list(self, name: str) -> tuple[object, ...]:
        value = self.raw(name)
        if value is None:
            return ()
        if not isinstance(value, (list, tuple)):
            self.problem(name, describe(value), "a list")
            return ()
        return tuple(value)

    def strings(self, name: str) -> tuple[str, ...]:
        good = []
        for index, value in enumerate(self.list(name)):
            if isinstance(value, str):
                good.append(str(value))
            else:
                self.problem(f"{name}[{index}]", describe(value), "a string")
        return tuple(good)

    def networks(self, name: str) -> tuple[Network, ...]:
        good = []
        for index, value in enumerate(self.strings(name)):
            network = cidr(value)
            if network is None:
                self.problem(f"{name}[{index}]", f"is {value!r}", "a network such as 10.10.0.0/16 or fd10:10::/48")
                continue
            if address(value.partition("/")[0]) != network.network_address:
                self.problem(f"{name}[{index}]", f"{value} has bits set beyond its prefix length", str(network))
            good.append(network)
        return tuple(good)

    def labels(self, name: str) -> dict[str, str]:
        value = self.raw(name)
        if value is None:
            return {}
        if not isinstance(value, Mapping):
            self.problem(name, describe(value), "a mapping of labels")
            return {}
        good = {}
        for key, text in value.items():
            if not isinstance(text, str):
                self.problem(f"{name}.{key}", describe(text), "a string (in quotes)")
            elif label_key(str(key)) or label_value(text):
                self.problem(f"{name}.{key}", f"{key}: {text!r} is no label", label_key(str(key)) or label_value(text))
            else:
                good[str(key)] = str(text)
        return good


def read_cluster(variables: Mapping[str, object], problems: list[Problem]) -> ClusterSettings:
    """The cluster's settings; what is wrong goes to ``problems``."""
    values = _Values(variables, Source(INVENTORY, "", problems))
    name = values.string("sluice_cluster_name")
    if name in ("", ".", "..") or "/" in name:
        values.problem("sluice_cluster_name", f"is {name!r}", "a name that can be the name of a folder")
    pods = values.networks("sluice_pod_cidrs")
    usable = 0 < len(values.list("sluice_pod_cidrs")) == len(pods)
    _check_use(values, pods)
    usable &= _check_families(values, "sluice_pod_cidrs", pods)
    services = values.networks("sluice_service_cidrs")
    _check_families(values, "sluice_service_cidrs", services)
    _check_overlap(values, pods, services)
    lengths = _read_prefix_lengths(values, pods)
    tunnel_type, traffic_mode = values.string("sluice_tunnel_type"), values.string("sluice_traffic_mode")
    mtu = _read_mtu(values, pods)
    masquerade = values.boolean("sluice_masquerade")
    established, unsupported = values.string("sluice_established"), values.string("sluice_unsupported")
    ipsec = read_ipsec(values.raw("sluice_ipsec"), values.source)
    wireguard = read_wireguard(values.raw("sluice_wireguard"), values.source)
    check_secret(values.raw("sluice_ipsec_secret"), values.source)
    cluster = Cluster(
        name, _texts(pods), _texts(services), lengths, traffic_mode, tunnel_type, mtu, masquerade, established, unsupported, ipsec, wireguard
    )
    return ClusterSettings(
        cluster,
        usable and len(lengths) == len(pods),
        values.string("sluice_artifacts_dir"),
        values.string("sluice_allocations_file"),
        values.strings("sluice_manifests"),
        {variable: values.list(variable) for variable in OBJECT_LISTS},
    )


def read_host(host: str, variables: Mapping[str, object], problems: list[Problem]) -> HostSettings:
    """One host's settings; what is wrong goes to ``problems``."""
    values = _Values(variables, Source(INVENTORY, f"host {host}", problems))
    interface = values.string("sluice_transport_interface")
    if len(interface) > 15 or "/" in interface or " " in interface:
        values.problem("sluice_transport_interface", f"is {interface!r}", "the name of a network interface")
        interface = ""
    datapath, offload = values.string("sluice_datapath"), read_offload(values.raw("sluice_offload"), values.source)
    if datapath == "netdev" and offload.hw_offload:
        values.problem("sluice_offload.hw_offload", "is true, but sluice_datapath is netdev, whose flows tc does not take",
                       "sluice_datapath: system, or hw_offload: false")
    return HostSettings(
        datapath,
        interface,
        _texts(values.networks("sluice_transport_cidrs")),
        values.labels("sluice_node_labels"),
        values.string("sluice_encryption"),
        offload,
        read_vf_pools(values.raw("sluice_vf_pools"), values.source),
    )


def check_names(
    cluster: Mapping[str, object], hosts: Mapping[str, Mapping[str, object]], extra_known: Collection[str], problems: list[Problem]
) -> None:
    """A variable that looks like ours and is not known is a mistake: it would be without effect, in silence.

    ``extra_known`` are the names that belong to roles and playbooks.
    """
    wrong: dict[str, list[str]] = {}
    for host, variables in (("", cluster), *sorted(hosts.items())):
        for name in variables:
            if name.startswith(PREFIX) and name not in BY_NAME and name not in extra_known and not name.startswith(FOREIGN_PREFIXES):
                wrong.setdefault(name, []).append(host)
    # Without the prefix, which would make all names alike.
    known = [name[len(PREFIX) :] for name in (*BY_NAME, *sorted(extra_known))]
    for name, places in wrong.items():
        close = difflib.get_close_matches(name[len(PREFIX) :], known, n=1, cutoff=0.6)
        expected = PREFIX + close[0] if close else "one of the variables in docs/inventory.md"
        problems.append(Problem(INVENTORY, some_hosts(places), str(name), "is not a variable of Sluice", expected))


def check_uniform(cluster: Mapping[str, object], hosts: Mapping[str, Mapping[str, object]], problems: list[Problem]) -> None:
    """A setting of the whole cluster cannot be another on some host, or nodes would not agree how to reach each other."""
    for variable in VARIABLES:
        # Objects are long to compare, and where they differ no two nodes disagree: they are read once, from the cluster's variables.
        if variable.per_host or variable.name in OBJECT_LISTS:
            continue
        name, common = variable.name, cluster.get(variable.name)
        differing = [host for host in sorted(hosts) if name in hosts[host] and hosts[host][name] != common]
        if differing:
            values = "" if variable.secret else f"{hosts[differing[0]][name]!r} here and {common!r} elsewhere"
            message = f"is {values or 'another here than elsewhere'}"
            problems.append(Problem(INVENTORY, some_hosts(differing), name, message, "one value for all of sluice_nodes"))


def some_hosts(names: list[str]) -> str:
    """The object of a problem that several hosts have; of the variables of all hosts it is none."""
    if not names[0]:
        return ""
    return f"host {names[0]}" + (f" and {len(names) - 1} more" if len(names) > 1 else "")


def _texts(networks: tuple[Network, ...]) -> tuple[str, ...]:
    return tuple(str(network) for network in networks)


def _check_use(values: _Values, pods: tuple[Network, ...]) -> None:
    for index, network in enumerate(pods):
        special = network.is_loopback or network.is_link_local or network.is_multicast or network.is_unspecified
        # IPv6 addresses that begin with a zero byte have other uses (loopback, mapped IPv4 addresses; RFC 4291 section 2.5).
        if special or (network.version == 6 and int(network.network_address) >> 120 == 0):
            values.problem(f"sluice_pod_cidrs[{index}]", f"{network} has a use of its own", "a private network (RFC 1918, RFC 4193)")


def _check_families(values: _Values, name: str, networks: tuple[Network, ...]) -> bool:
    versions = [network.version for network in networks]
    for version in (4, 6):
        if versions.count(version) > 1:
            same = " and ".join(str(network) for network in networks if network.version == version)
            values.problem(name, f"has two IPv{version} networks ({same})", "at most one network a family")
    return len(set(versions)) == len(versions)


def _check_overlap(values: _Values, pods: tuple[Network, ...], services: tuple[Network, ...]) -> None:
    for index, service in enumerate(services):
        for pod in pods:
            if overlap(pod, service):
                message = f"{service} overlaps {pod} of sluice_pod_cidrs"
                values.problem(f"sluice_service_cidrs[{index}]", message, "a network of its own")


def overlap(one: Network, other: Network) -> bool:
    """Whether two networks of any family share an address."""
    if one.version != other.version:
        return False
    short = min(one.prefixlen, other.prefixlen)
    shift = one.max_prefixlen - short
    return int(one.network_address) >> shift == int(other.network_address) >> shift


def _read_prefix_lengths(values: _Values, pods: tuple[Network, ...]) -> tuple[int, ...]:
    name = "sluice_node_prefix_lengths"
    given = values.list(name)
    if not given:
        given = tuple(min(max(NODE_PREFIX_LENGTH[pod.version], pod.prefixlen), NODE_PREFIX_LENGTH_MAX[pod.version]) for pod in pods)
    if len(given) != len(pods):
        values.problem(name, f"has {len(given)} numbers for {len(pods)} networks in sluice_pod_cidrs", "one number for each")
        return ()
    lengths = []
    for index, (value, pod) in enumerate(zip(given, pods)):
        number = values.number(value)
        low, high = pod.prefixlen, NODE_PREFIX_LENGTH_MAX[pod.version]
        if number is None or not low <= number <= high:
            what = describe(value) if number is None else f"is {number}"
            values.problem(f"{name}[{index}]", what, f"a number from {low} (the whole of {pod}) to {high}")
        else:
            lengths.append(number)
    return tuple(lengths)


def _read_mtu(values: _Values, pods: tuple[Network, ...]) -> Optional[int]:
    value = values.raw("sluice_mtu")
    if value is None or value == "auto":
        return None
    low = max((MTU_MIN[pod.version] for pod in pods), default=MTU_MIN[4])
    number = values.number(value)
    if number is None or not low <= number <= MTU_MAX:
        reason = " (IPv6 needs 1280)" if low == MTU_MIN[6] else ""
        what = describe(value) if number is None else f"is {number}"
        values.problem("sluice_mtu", what, f"auto, or a number of bytes from {low} to {MTU_MAX}{reason}")
        return None
    return number
