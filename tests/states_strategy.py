# SPDX-License-Identifier: Apache-2.0
"""Small random clusters with policies and Services of all kinds, and questions about them, for hypothesis.

The states are as the loader and the planner would give them: what the readers of an inventory refuse is not made. Everything is drawn from
few values, so that rules meet, and the simplest value comes first, so that a failing state shrinks to what matters.
"""
from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import Any, Dict, NamedTuple, Optional, Sequence, Tuple, Union

from hypothesis import strategies as st

from sluice.audit.reachability import Reachability
from sluice.audit.verdict import Verdict
from sluice.intent.kinds import (
    ContainerPort,
    EndpointSlice,
    IPBlock,
    LabelSelector,
    LabelSelectorRequirement,
    Namespace,
    NetworkPolicy,
    NetworkPolicyPeer,
    NetworkPolicyPort,
    NetworkPolicyRule,
    Service,
    ServicePort,
)
from sluice.intent.kinds.admin_policy import ADMIN, BASELINE, AdminPeer, AdminPolicy, AdminPort, AdminRule, AdminSubject
from sluice.intent.kinds.antrea import AntreaAppliedTo, AntreaGroup, AntreaICMP, AntreaPeer, AntreaPolicy, AntreaPort, AntreaRule, Tier
from sluice.intent.kinds.endpoint_slice import SERVICE_LABEL, Endpoint, EndpointPort
from sluice.intent.state import ClusterState, Pod
from sluice.plan.addresses import gateway_address
from states import cluster_state

NAMESPACES = ("alpha", "beta", "gamma")
Values = Dict[str, Tuple[str, ...]]
Versions = Tuple[int, ...]
OUTSIDE = {4: ("203.0.113.7", "203.0.113.9"), 6: ("2001:db8:113::7", "2001:db8:113::9")}
_EDGES = {4: ("203.0.113.8", "203.0.113.15", "203.0.113.16", "203.0.113.255", "203.0.114.0", "11.0.0.0"),
          6: ("2001:db8:113::8", "2001:db8:113::f", "2001:db8:113::10", "2001:db8:113:ffff:ffff:ffff:ffff:ffff", "2001:db8:114::")}
"""Addresses outside of the cluster with which one of the blocks below begins or ends, or the next ones."""
PORTS = (80, 81, 8080)
PORT_NAMES = ("web", "alt", "dns")
SOURCE_PORTS = (49152, 40000)
_PORT_EDGES = (79, 82, 8079, 8081)
_SOURCE_PORT_EDGES = (49152, 40000, 39999, 45000, 45001, 49153)
"""With which one of the ranges below begins or ends, or the next ones."""
SERVICE_ACCOUNTS = ("default", "robot")
SERVICE_CIDRS = ("10.96.0.0/12", "fd96::/108")

_POD_LABELS: Values = {"app": ("a", "b", "c"), "role": ("x", "y")}
_NAMESPACE_LABELS: Values = {"team": ("red", "blue"), "env": ("test", "prod")}
_NODE_LABELS: Values = {"rack": ("r1", "r2"), "topology.kubernetes.io/zone": ("east", "west")}
_SERVICES = tuple(f"{namespace}/svc{number}" for number, namespace in enumerate(NAMESPACES))
_BLOCKS = {
    4: (("0.0.0.0/0", ("10.0.0.0/24", "203.0.113.8/29")), ("10.0.0.0/16", ("10.0.1.0/24", "10.0.0.2/32")), ("10.0.0.0/24", ("10.0.0.2/31",)),
        ("10.0.1.3/32", ()), ("203.0.113.0/24", ("203.0.113.9/32",))),
    6: (("::/0", ("fd10::/64", "2001:db8:113::8/125")), ("fd10::/32", ("fd10:0:0:1::/64",)), ("fd10::2/128", ()), ("2001:db8:113::/48", ())),
}


class Probe(NamedTuple):
    """A question, with the arguments of Reachability.verdict."""

    source: str
    destination: str
    port: Optional[int]
    protocol: str
    source_port: int = SOURCE_PORTS[0]
    icmp_type: Optional[int] = None
    icmp_code: Optional[int] = None
    version: int = 4
    node: str = ""
    """Where a client outside comes in."""

    def ask(self, engine: Reachability) -> Verdict:
        return engine.verdict(self.source, self.destination, self.port, self.protocol, source_port=self.source_port,
                              icmp_type=self.icmp_type, icmp_code=self.icmp_code, version=self.version, node=self.node)


@st.composite
def states(draw: st.DrawFn, versions: Sequence[int] = (4,), datapath: str = "netdev") -> ClusterState:
    """A cluster of two nodes, three namespaces and six to nine pods."""
    base = cluster_state(2, 5, datapath=datapath, families=versions, service_cidrs=tuple(SERVICE_CIDRS[version == 6] for version in versions))
    namespaces = {name: Namespace.named(name, draw(_namespace_labels), draw(_logging)) for name in NAMESPACES}
    pods = _pods(draw, base)
    nodes = {name: replace(node, labels={"kubernetes.io/hostname": name, **draw(_node_labels)}) for name, node in base.nodes.items()}
    services, slices = _services(draw, versions, pods)
    state = replace(base, nodes=nodes, namespaces=namespaces, pods=pods, services=services, endpoint_slices=slices)
    return replace(
        state, tiers={"custom": Tier("", "custom", priority=draw(st.sampled_from((30, 120, 240))))}, groups=_keyed(draw(_groups(tuple(versions)))),
        network_policies=_keyed(draw(_network_policies(tuple(versions)))), antrea_policies=_keyed(draw(_antrea_policies(tuple(versions)))),
        admin_policies=draw(_admin_policies(tuple(versions))))


def probes(state: ClusterState) -> st.SearchStrategy[Probe]:
    """Questions that the state has an answer to: between pods, nodes, the outside and Services."""
    return st.one_of([_probes_of(state, 6 if ":" in cidr else 4) for cidr in state.cluster.pod_cidrs])


def _probes_of(state: ClusterState, version: int) -> st.SearchStrategy[Probe]:
    outside = [f"ip:{address}" for address in OUTSIDE[version]]
    edges = [f"ip:{address}" for address in _EDGES[version]]
    gateways = [f"ip:{gateway_address(cidr)}" for node in state.nodes.values() for cidr in node.pod_cidrs if (":" in cidr) == (version == 6)]
    pods = [key for key, pod in state.pods.items() if not pod.host_network]
    nodes = [f"node:{name}" for name in state.nodes]
    entries = tuple(state.nodes)
    # Twice the pods of the pod network: most of what there is to say is about them.
    sources = st.sampled_from([(end, "") for end in (*pods, *pods, *state.pods, *nodes)] + [(end, node) for end in (*outside, *edges[:2]) for node in entries])
    services = [f"ip:{ip}" for service in state.services.values() for ip in (*service.cluster_ips, *service.external_ips) if (":" in ip) == (version == 6)]
    destinations = st.sampled_from([*pods, *pods, *state.pods, *outside, *edges, *gateways, *services])
    spoken = st.tuples(st.sampled_from((*PORTS, *PORTS, *_PORT_EDGES)), st.sampled_from(("TCP", "UDP", "SCTP")), st.sampled_from(_SOURCE_PORT_EDGES))
    plain = st.builds(lambda source, destination, how: Probe(
        source[0], destination, how[0], how[1], how[2], version=version, node=source[1]), sources, destinations, spoken)
    echo = (8, 13) if version == 4 else (128,)
    pings = st.builds(lambda source, destination, kind: Probe(source[0], destination, None, "ICMP", icmp_type=kind, icmp_code=0, version=version,
                                                              node=source[1]), sources, destinations, st.sampled_from(echo))
    found = [(f"svc:{service.key}", port) for service in state.services.values() for port in service.ports
             if any((":" in ip) == (version == 6) for ip in service.cluster_ips)]
    found += [(f"ip:{ip}", port) for service in state.services.values() for port in service.ports
              for ip in (*service.external_ips, *service.load_balancer_ingress) if (":" in ip) == (version == 6)]
    found += [(f"nodeport:{service.key}", port) for service in state.services.values() for port in service.ports if port.node_port]
    if not found:
        return (plain | pings).filter(_between_ends)
    balanced = st.builds(lambda source, to, client: Probe(source[0], to[0], to[1].port, to[1].protocol, client, version=version, node=source[1]),
                         sources, st.sampled_from(found), st.sampled_from(SOURCE_PORTS))
    return st.one_of(plain, plain, pings, balanced).filter(_between_ends)


def _between_ends(probe: Probe) -> bool:
    """What comes from outside and goes there, or to an address that is known inside only, does not pass through the cluster."""
    if not probe.source.startswith("ip:"):
        return True
    address = probe.destination[3:]
    inside = any(address.startswith(start) for start in ("10.96.", "fd96:"))
    return not (probe.destination.startswith("svc:") or inside or address in OUTSIDE[probe.version] or address in _EDGES[probe.version])


# Pods and Services


def _some_labels(values: Values) -> st.SearchStrategy[dict[str, str]]:
    return st.fixed_dictionaries({}, optional={key: st.sampled_from(some) for key, some in values.items()})


_pod_labels = _some_labels(_POD_LABELS)
_namespace_labels = _some_labels(_NAMESPACE_LABELS)
_node_labels = _some_labels(_NODE_LABELS)
_logging = st.sampled_from(({}, {}, {"networkpolicy.antrea.io/enable-logging": "true"}))
_seldom = st.sampled_from((False, False, False, False, False, True))
_mostly = _seldom.map(lambda not_so: not not_so)
_container_ports = st.lists(st.builds(ContainerPort, st.sampled_from(PORTS), st.sampled_from(("TCP", "UDP", "SCTP")), st.sampled_from(PORT_NAMES)),
                            max_size=3, unique_by=lambda port: port.name).map(tuple)
_namespaces = st.sampled_from(NAMESPACES)
_service_accounts = st.sampled_from(SERVICE_ACCOUNTS)


def _pods(draw: st.DrawFn, base: ClusterState) -> dict[str, Pod]:
    pods = {}
    for number, pod in enumerate(list(base.pods.values())[:draw(st.integers(6, 9))]):
        made = replace(
            pod, namespace=draw(_namespaces), name=f"pod{number}", labels=draw(_pod_labels), ports=draw(_container_ports),
            service_account=draw(_service_accounts), ready=draw(_mostly), terminating=draw(_seldom))
        if draw(_seldom):
            made = replace(made, host_network=True, ips=(), mac="", ofport=0, interface="")
        pods[made.key] = made
    return dict(sorted(pods.items()))


_target_ports: st.SearchStrategy[Union[int, str]] = st.sampled_from(PORTS) | st.sampled_from(PORT_NAMES[:2])
_service_selectors = st.sampled_from([((key, value),) for key, values in _POD_LABELS.items() for value in values])


def _services(draw: st.DrawFn, versions: Sequence[int], pods: dict[str, Pod]) -> tuple[dict[str, Service], dict[str, EndpointSlice]]:
    services: dict[str, Service] = {}
    slices: dict[str, EndpointSlice] = {}
    for number in range(draw(st.integers(0, 3))):
        kind = draw(st.sampled_from(("ClusterIP", "NodePort", "LoadBalancer")))
        # SCTP is not among them: the userspace datapath cannot translate it.
        protocols = draw(st.lists(st.sampled_from(("TCP", "UDP")), min_size=1, max_size=2, unique=True))
        ports = tuple(ServicePort(80, protocol, protocol.lower(), draw(_target_ports),
                                  0 if kind == "ClusterIP" else 30000 + 10 * number + index) for index, protocol in enumerate(protocols))
        local = st.sampled_from(("Cluster", "Cluster", "Local"))
        balanced = kind == "LoadBalancer"
        by_hand, affine = draw(_seldom), draw(_seldom)
        service = Service(
            NAMESPACES[number], f"svc{number}", type=kind, ports=ports,
            cluster_ips=tuple(f"fd96::{number + 1:x}" if version == 6 else f"10.96.0.{number + 1}" for version in versions),
            selector=() if by_hand else draw(_service_selectors),
            internal_traffic_policy=draw(local), external_traffic_policy="Cluster" if kind == "ClusterIP" else draw(local),
            load_balancer_ingress=tuple(f"fd98::{number + 1:x}" if version == 6 else f"198.51.100.{number + 1}" for version in versions) if balanced else (),
            load_balancer_source_ranges=draw(st.sampled_from(((), ("10.0.0.0/8", "fd10::/32"), ("203.0.113.7/32", "2001:db8:113::7/128"))))
            if balanced else (),
            external_ips=tuple(f"fd99::{number + 1:x}" if version == 6 else f"192.0.2.{number + 1}" for version in versions) if draw(_seldom) else (),
            session_affinity="ClientIP" if affine else "None", session_affinity_timeout=600 if affine else 0,
            traffic_distribution=draw(st.sampled_from(("", "", "PreferSameZone", "PreferSameNode"))),
            publish_not_ready_addresses=draw(_seldom), ip_families=tuple(f"IPv{version}" for version in versions))
        services[service.key] = service
        if by_hand:
            for version in versions:
                one = _slice(draw, service, version, pods)
                slices[one.key] = one
    return dict(sorted(services.items())), slices


def _slice(draw: st.DrawFn, service: Service, version: int, pods: dict[str, Pod]) -> EndpointSlice:
    nodes = {ip: pod.node for pod in pods.values() for ip in pod.ips if (":" in ip) == (version == 6)}
    addresses = draw(st.lists(st.sampled_from([*nodes, OUTSIDE[version][0]]), max_size=3, unique=True))
    ready = [draw(_mostly) for _address in addresses]
    return EndpointSlice(
        service.namespace, f"{service.name}-{version}", {SERVICE_LABEL: service.name}, address_type=f"IPv{version}",
        endpoints=tuple(Endpoint((address,), ready=good, serving=good, node_name=nodes.get(address, "")) for address, good in zip(addresses, ready)),
        ports=tuple(EndpointPort(draw(st.sampled_from(PORTS)), port.protocol, port.name) for port in service.ports))


# What all kinds of policies say


def _selectors(values: Values) -> st.SearchStrategy[LabelSelector]:
    keys = st.sampled_from(sorted(values))
    labels = keys.flatmap(lambda key: st.sampled_from(values[key]).map(lambda value: LabelSelector(((key, value),))))
    among = st.builds(lambda key, operator: LabelSelectorRequirement(key, operator, values[key][:2]), keys, st.sampled_from(("In", "NotIn")))
    there = st.builds(LabelSelectorRequirement, keys, st.sampled_from(("Exists", "DoesNotExist")))
    return st.just(LabelSelector()) | labels | (among | there).map(lambda requirement: LabelSelector((), (requirement,)))


_pod_selectors = _selectors(_POD_LABELS)
_namespace_selectors = _selectors(_NAMESPACE_LABELS) | st.sampled_from(NAMESPACES).map(
    lambda name: LabelSelector((("kubernetes.io/metadata.name", name),)))
_node_selectors = _selectors({"rack": _NODE_LABELS["rack"]})
_protocols = st.sampled_from(("TCP", "UDP", "SCTP"))
_ranges: st.SearchStrategy[tuple[Any, Optional[int]]] = st.sampled_from([(None, None), (80, None), (80, 81), (81, 8080)])
_named: st.SearchStrategy[tuple[Any, Optional[int]]] = st.sampled_from([(name, None) for name in PORT_NAMES])


@cache
def _blocks(versions: Versions) -> st.SearchStrategy[IPBlock]:
    return st.sampled_from([block for version in versions for block in _BLOCKS[version]]).flatmap(_block)


@cache
def _block(choice: tuple[str, tuple[str, ...]]) -> st.SearchStrategy[IPBlock]:
    cidr, excepts = choice
    return st.lists(st.sampled_from(excepts), unique=True).map(lambda some: IPBlock(cidr, tuple(sorted(some)))) if excepts else st.just(IPBlock(cidr))


def _keyed(policies: Sequence[Any]) -> dict[str, Any]:
    return dict(sorted((policy.key, policy) for policy in policies))


# NetworkPolicies


@cache
def _network_policies(versions: Versions) -> st.SearchStrategy[list[NetworkPolicy]]:
    pods = st.builds(NetworkPolicyPeer, pod_selector=_pod_selectors)
    namespaces = st.builds(NetworkPolicyPeer, pod_selector=st.none() | _pod_selectors, namespace_selector=_namespace_selectors)
    blocks = st.builds(NetworkPolicyPeer, ip_block=_blocks(versions))
    # A port's name means nothing on an address, so readers refuse it beside one.
    by_address = st.builds(NetworkPolicyRule, st.lists(blocks | pods, min_size=1, max_size=2).map(tuple),
                           st.lists(_policy_ports(_ranges), max_size=2).map(tuple))
    by_pod = st.builds(NetworkPolicyRule, st.lists(pods | namespaces, max_size=2).map(tuple), st.lists(_policy_ports(_ranges | _named), max_size=2).map(tuple))
    rules = st.lists(by_pod | by_address, max_size=2).map(tuple)
    policies = st.builds(NetworkPolicy, _namespaces, st.sampled_from(("np1", "np2", "np3")), pod_selector=_pod_selectors,
                         policy_types=st.sampled_from((("Ingress",), ("Egress",), ("Ingress", "Egress"))), ingress=rules, egress=rules)
    return st.lists(policies, max_size=5, unique_by=lambda one: one.key)


def _policy_ports(ports: st.SearchStrategy[tuple[Any, Optional[int]]]) -> st.SearchStrategy[NetworkPolicyPort]:
    return st.builds(lambda protocol, port: NetworkPolicyPort(protocol, *port), _protocols, ports)


# Antrea's policies


@cache
def _groups(versions: Versions) -> st.SearchStrategy[list[AntreaGroup]]:
    """ClusterGroups: one of pods, one of addresses or nodes (to which nothing can be applied), one with children; and a Group in each namespace."""
    pods = st.builds(AntreaGroup, st.just(""), st.just("pods"), pod_selector=_pod_selectors, namespace_selector=st.none() | _namespace_selectors) | st.builds(
        AntreaGroup, st.just(""), st.just("pods"), service=st.sampled_from(_SERVICES))
    others = st.builds(AntreaGroup, st.just(""), st.just("others"), ip_blocks=st.lists(_blocks(versions), min_size=1, max_size=2).map(tuple)) | st.builds(
        AntreaGroup, st.just(""), st.just("others"), node_selector=_node_selectors)
    own = [st.builds(AntreaGroup, st.just(namespace), st.just("own"), pod_selector=_pod_selectors) for namespace in NAMESPACES]
    return st.tuples(pods, others, st.just(AntreaGroup("", "all", child_groups=("pods", "others", "missing"))), *own).map(list)


@cache
def _antrea_policies(versions: Versions) -> st.SearchStrategy[list[AntreaPolicy]]:
    policies = st.one_of([_antrea_policy(versions, namespace, baseline, per_rule)
                          for namespace in ("", *NAMESPACES) for baseline in (False, True) for per_rule in (False, True)])
    return st.lists(policies, max_size=3, unique_by=lambda one: one.key)


def _antrea_policy(versions: Versions, namespace: str, baseline: bool, per_rule: bool) -> st.SearchStrategy[AntreaPolicy]:
    applied = st.lists(_applied_to(namespace), min_size=1, max_size=2).map(tuple)
    actions = st.sampled_from(("Allow", "Drop", "Reject") if baseline else ("Allow", "Drop", "Reject", "Pass"))
    own = {"action": actions, "enable_logging": _seldom, "applied_to": applied if per_rule else st.just(())}
    by_pod = st.builds(AntreaRule, **own, peers=st.lists(_antrea_pods(namespace), max_size=2).map(tuple),
                       ports=st.lists(_antrea_ports(_ranges | _named), max_size=2).map(tuple), icmp=_icmp)
    by_address = st.builds(AntreaRule, **own, peers=st.lists(_antrea_addresses(versions, namespace), min_size=1, max_size=2).map(tuple),
                           ports=st.lists(_antrea_ports(_ranges), max_size=2).map(tuple), icmp=_icmp)
    by_service = st.builds(AntreaRule, **own, to_services=st.lists(st.sampled_from(_SERVICES), min_size=1, max_size=2, unique=True).map(tuple))
    return st.builds(
        lambda name, tier, priority, everyone, ingress, egress: AntreaPolicy(
            namespace, name, tier=tier, priority=priority, applied_to=() if per_rule else everyone,
            ingress=_named_rules("ingress", ingress), egress=_named_rules("egress", egress)),
        st.sampled_from(("ap1", "ap2")), st.just("baseline") if baseline else st.sampled_from(("application", "emergency", "custom")),
        st.sampled_from((1.0, 1.5, 5.0)), applied, st.lists(by_pod | by_address, max_size=3), st.lists(by_pod | by_address | by_service, max_size=3))


def _named_rules(direction: str, rules: Sequence[AntreaRule]) -> tuple[AntreaRule, ...]:
    return tuple(replace(rule, name=f"{direction}-{index}") for index, rule in enumerate(rules))


_accounts = st.builds(lambda namespace, name: f"{namespace}/{name}", _namespaces, _service_accounts)


def _applied_to(namespace: str) -> st.SearchStrategy[AntreaAppliedTo]:
    applied = st.builds(AntreaAppliedTo, pod_selector=_pod_selectors) | st.just(AntreaAppliedTo(group=f"{namespace}/own" if namespace else "pods"))
    if namespace:
        return applied
    return applied | st.builds(AntreaAppliedTo, pod_selector=st.none() | _pod_selectors, namespace_selector=_namespace_selectors) | st.builds(
        AntreaAppliedTo, service_account=_accounts)


def _antrea_pods(namespace: str) -> st.SearchStrategy[AntreaPeer]:
    """Peers that are pods."""
    some = st.none() | _pod_selectors
    peers = st.builds(AntreaPeer, pod_selector=_pod_selectors) | st.builds(AntreaPeer, pod_selector=some, namespace_selector=_namespace_selectors)
    peers |= st.just(AntreaPeer(group=f"{namespace}/own" if namespace else "pods"))
    if namespace:
        return peers
    return peers | st.builds(AntreaPeer, pod_selector=some, namespaces_self=st.just(True)) | st.builds(
        AntreaPeer, pod_selector=some, namespaces_same_labels=st.sampled_from((("team",), ("team", "env")))) | st.builds(
        AntreaPeer, service_account=_accounts)


def _antrea_addresses(versions: Versions, namespace: str) -> st.SearchStrategy[AntreaPeer]:
    """Peers that are addresses, or of which some are."""
    peers = st.builds(AntreaPeer, ip_block=_blocks(versions))
    if namespace:
        return peers
    return peers | st.builds(AntreaPeer, node_selector=_node_selectors) | st.builds(AntreaPeer, group=st.sampled_from(("others", "all")))


def _antrea_ports(ports: st.SearchStrategy[tuple[Any, Optional[int]]]) -> st.SearchStrategy[AntreaPort]:
    sources = st.sampled_from([(None, None), (None, None), (49152, None), (40000, 45000)])
    return st.builds(lambda protocol, port, source: AntreaPort(protocol, *port, *source), _protocols, ports, sources)


_icmp = st.sampled_from([(), (), (AntreaICMP(),), (AntreaICMP(8),), (AntreaICMP(8, 0),), (AntreaICMP(13),), (AntreaICMP(128, 0),)])


# Administrators' policies


_KINDS = (("AdminNetworkPolicy", ADMIN), ("ClusterNetworkPolicy", ADMIN), ("BaselineAdminNetworkPolicy", BASELINE), ("ClusterNetworkPolicy", BASELINE))


@cache
def _admin_policies(versions: Versions) -> st.SearchStrategy[dict[str, AdminPolicy]]:
    return st.lists(st.one_of([_admin_policy(versions, kind, tier) for kind, tier in _KINDS]), max_size=2).map(_named_apart)


def _admin_policy(versions: Versions, kind: str, tier: str) -> st.SearchStrategy[AdminPolicy]:
    return st.builds(AdminPolicy, st.just(""), st.just("default"), kind=st.just(kind), tier=st.just(tier), priority=st.sampled_from((10, 20)),
                     subject=st.builds(AdminSubject, _namespace_selectors, _pod_selectors),
                     ingress=_admin_rules(tier, None), egress=_admin_rules(tier, _blocks(versions)))


def _named_apart(policies: Sequence[AdminPolicy]) -> dict[str, AdminPolicy]:
    """Each with its own name and priority, since those of one tier and priority have no order that the API defines; one baseline of its kind."""
    apart = {}
    for index, policy in enumerate(policies):
        single = policy.kind == "BaselineAdminNetworkPolicy"
        made = replace(policy, name="default" if single else f"adm{index}", priority=0 if single else policy.priority + index)
        apart[f"{made.kind} {made.name}"] = made
    return dict(sorted(apart.items()))


def _admin_rules(tier: str, blocks: Optional[st.SearchStrategy[IPBlock]]) -> st.SearchStrategy[tuple[AdminRule, ...]]:
    """Rules of one direction; only egress has peers that are nodes or networks (``blocks``)."""
    actions = st.sampled_from(("Allow", "Deny") if tier == BASELINE else ("Allow", "Deny", "Pass"))
    pods = st.builds(AdminPeer, pods=st.builds(AdminSubject, _namespace_selectors, _pod_selectors))
    rules = st.builds(AdminRule, actions, peers=st.lists(pods, min_size=1, max_size=2).map(tuple), ports=_admin_ports(_ranges | _named))
    if blocks is not None:
        addresses = st.builds(AdminPeer, nodes=_node_selectors) | blocks.map(lambda block: AdminPeer(networks=(block.cidr,)))
        rules |= st.builds(AdminRule, actions, peers=st.lists(addresses | pods, min_size=1, max_size=2).map(tuple), ports=_admin_ports(_ranges))
    return st.lists(rules, max_size=3).map(lambda some: tuple(replace(rule, name=f"rule-{index}") for index, rule in enumerate(some)))


def _admin_ports(ports: st.SearchStrategy[tuple[Any, Optional[int]]]) -> st.SearchStrategy[tuple[AdminPort, ...]]:
    return st.lists(st.builds(lambda protocol, port: AdminPort("" if isinstance(port[0], str) else protocol, *port), _protocols, ports), max_size=2).map(tuple)
