# SPDX-License-Identifier: Apache-2.0
"""policy.networking.k8s.io: AdminNetworkPolicy and BaselineAdminNetworkPolicy (v1alpha1), ClusterNetworkPolicy (v1alpha2)."""
from __future__ import annotations

from dataclasses import dataclass
from typing import Callable, Iterator, Optional, Union

from ..fields import PORT, Fields, one_of
from ..syntax import cidr, port_name
from .meta import Meta
from .pod import PROTOCOLS
from .selector import EVERYTHING, LabelSelector, read_selector

ADMIN, BASELINE = "Admin", "Baseline"
PRIORITY = (0, 1000)
RULE_NAME_MAX = 100
NETWORKS_MAX = 25


@dataclass(frozen=True)
class AdminSubject:
    """Pods in matching namespaces (and of them those that ``pod_selector`` matches)."""

    namespace_selector: LabelSelector = EVERYTHING
    pod_selector: LabelSelector = EVERYTHING


@dataclass(frozen=True)
class AdminPeer:
    """Exactly one of pods (``subject``), nodes and networks."""

    pods: Optional[AdminSubject] = None
    nodes: Optional[LabelSelector] = None
    networks: tuple[str, ...] = ()
    """CIDRs without host bits."""


@dataclass(frozen=True)
class AdminPort:
    """A protocol's port, range or named port; ``port`` None: all ports of the protocol."""

    protocol: str = "TCP"
    """Empty with a named port that says no protocol: the protocol is the named container port's."""
    port: Union[int, str, None] = None
    end_port: Optional[int] = None


@dataclass(frozen=True)
class AdminRule:
    action: str
    """Allow | Deny | Pass (v1alpha2's Accept is Allow)"""
    name: str = ""
    peers: tuple[AdminPeer, ...] = ()
    """At least one."""
    ports: tuple[AdminPort, ...] = ()
    """None: any protocol."""


@dataclass(frozen=True)
class AdminPolicy(Meta):
    kind: str = "AdminNetworkPolicy"
    """AdminNetworkPolicy | BaselineAdminNetworkPolicy | ClusterNetworkPolicy"""
    tier: str = ADMIN
    """Admin | Baseline"""
    priority: int = 0
    """0 to 1000; a lower one is evaluated first. A BaselineAdminNetworkPolicy, of which there is one, has 0."""
    subject: AdminSubject = AdminSubject()
    ingress: tuple[AdminRule, ...] = ()
    egress: tuple[AdminRule, ...] = ()


@dataclass(frozen=True)
class _Form:
    """What the kinds of the API write differently."""

    kind: str
    actions: tuple[str, ...]
    limit: int
    """How many items lists of rules, peers and ports have at most."""
    ports: str
    """The field of a rule with its ports."""
    read_port: Callable[[Fields], Optional[AdminPort]]


def read_admin_network_policy(meta: Meta, fields: Fields) -> AdminPolicy:
    """An AdminNetworkPolicy of v1alpha1 (sigs.k8s.io/network-policy-api, apis/v1alpha1)."""
    return _read(meta, fields, _Form("AdminNetworkPolicy", ("Allow", "Deny", "Pass"), 100, "ports", _read_port))


def read_baseline_admin_network_policy(meta: Meta, fields: Fields) -> AdminPolicy:
    """A BaselineAdminNetworkPolicy of v1alpha1; there is one in a cluster, which is called default."""
    if meta.name and meta.name != "default":
        fields.problem("metadata.name", f"is {meta.name!r}", "default: there is one BaselineAdminNetworkPolicy")
    return _read(meta, fields, _Form("BaselineAdminNetworkPolicy", ("Allow", "Deny"), 100, "ports", _read_port))


def read_cluster_network_policy(meta: Meta, fields: Fields) -> AdminPolicy:
    """A ClusterNetworkPolicy of v1alpha2 (sigs.k8s.io/network-policy-api, apis/v1alpha2), its Accept as v1alpha1's Allow."""
    return _read(meta, fields, _Form("ClusterNetworkPolicy", ("Accept", "Deny", "Pass"), 25, "protocols", _read_protocol))


def _read(meta: Meta, fields: Fields, form: _Form) -> AdminPolicy:
    spec = fields.inside("spec")
    fields.ignore("status")
    fields.no_others()
    tier, priority = ADMIN, 0
    if form.kind == "BaselineAdminNetworkPolicy":
        tier = BASELINE
    else:
        spec.required("priority", "a number from {} to {}".format(*PRIORITY))
        priority = spec.integer("priority", 0, *PRIORITY)
    if form.kind == "ClusterNetworkPolicy":
        spec.required("tier", one_of((ADMIN, BASELINE)))
        tier = spec.string("tier", ADMIN, choices=(ADMIN, BASELINE))
    spec.required("subject", "namespaces or pods")
    subject = spec.mapping("subject")
    selected = _read_subject(subject) if subject else AdminSubject()
    ingress, egress = (
        tuple(_read_rule(rule, direction, form, tier) for rule in _items(spec, direction, form.limit)) for direction in ("ingress", "egress")
    )
    spec.no_others()
    return AdminPolicy(meta.namespace, meta.name, meta.labels, meta.annotations, form.kind, tier, priority, selected, ingress, egress)


def _items(fields: Fields, name: str, limit: int) -> Iterator[Fields]:
    _check_length(fields, name, limit)
    return fields.items(name)


def _check_length(fields: Fields, name: str, limit: int) -> None:
    if len(fields.list(name)) > limit:
        fields.problem(name, f"has {len(fields.list(name))} items", f"at most {limit}")


def _read_rule(fields: Fields, direction: str, form: _Form, tier: str) -> AdminRule:
    fields.required("action", one_of(form.actions))
    action = fields.string("action", choices=form.actions)
    if action == "Accept" or (action == "Pass" and tier == BASELINE):
        # What the last tier passes on is allowed: nothing comes after it that could say otherwise.
        action = "Allow"
    name = fields.string("name")
    if len(name) > RULE_NAME_MAX:
        fields.problem("name", f"has {len(name)} characters", f"at most {RULE_NAME_MAX}")
    where = "from" if direction == "ingress" else "to"
    if not fields.list(where):
        fields.problem(where, "is empty" if fields.has(where) else "is missing", "at least one peer")
    peers = tuple(_read_peer(peer, direction) for peer in _items(fields, where, form.limit))
    ports = tuple(filter(None, map(form.read_port, _items(fields, form.ports, form.limit))))
    if fields.has(form.ports) and not fields.list(form.ports):
        fields.problem(form.ports, "is empty", f"at least one item; without {form.ports}, all are meant")
    fields.no_others()
    named = [port.port for port in ports if isinstance(port.port, str)]
    if named and any(peer.nodes or peer.networks for peer in peers):
        fields.problem(where, f"has nodes or networks, which have no port with a name ({named[0]})", "namespaces or pods, or a port's number")
    return AdminRule(action, name, peers, ports)


def _read_peer(fields: Fields, direction: str) -> AdminPeer:
    if direction == "ingress":
        return AdminPeer(_read_subject(fields))
    if fields.has("domainNames"):
        fields.not_built("domainNames", "a peer by DNS name")
        return AdminPeer()
    way = _only_one(fields, ("namespaces", "pods", "nodes", "networks"))
    if way == "networks":
        if not fields.list("networks"):
            fields.problem("networks", "is empty", "at least one network")
        _check_length(fields, "networks", NETWORKS_MAX)
        return AdminPeer(networks=tuple(str(cidr(text)) for text in fields.cidrs("networks")))
    if way == "nodes":
        return AdminPeer(nodes=read_selector(fields.inside("nodes")))
    return AdminPeer(_read_subject(fields) if way else None)


def _only_one(fields: Fields, names: tuple[str, ...]) -> str:
    """The one of the fields that there is; empty if it is not just one, which is a problem then."""
    fields.ignore(*names)
    fields.no_others()
    found = [name for name in names if fields.has(name)]
    if len(found) == 1:
        return found[0]
    if found:
        fields.problem("", f"has {' and '.join(found)}", f"exactly {one_of(names)}")
    else:
        fields.problem("", f"has none of {', '.join(names)}", "exactly one of them")
    return ""


def _read_subject(fields: Fields) -> AdminSubject:
    way = _only_one(fields, ("namespaces", "pods"))
    if way == "namespaces":
        return AdminSubject(_read_namespaces(fields.inside("namespaces")))
    if not way:
        return AdminSubject()
    pods = fields.inside("pods")
    pods.required("podSelector", "a selector, {} for all pods")
    subject = AdminSubject(read_selector(pods.inside("namespaceSelector")), read_selector(pods.inside("podSelector")))
    pods.no_others()
    return subject


def _read_namespaces(fields: Fields) -> LabelSelector:
    for name in ("sameLabels", "notSameLabels"):
        if fields.has(name):
            fields.not_built(name, "a choice of namespaces by labels that they have in common with the subject's")
            return EVERYTHING
    if not fields.has("namespaceSelector"):
        return read_selector(fields)
    # Early releases of v1alpha1 had the selector one level deeper, as Antrea's documentation still has it.
    selector = read_selector(fields.inside("namespaceSelector"))
    fields.no_others()
    return selector


def _read_port(fields: Fields) -> Optional[AdminPort]:
    """An item of v1alpha1's ``ports``."""
    way = _only_one(fields, ("portNumber", "portRange", "namedPort"))
    if way == "namedPort":
        return _read_named_port(fields, way)
    inside = fields.inside(way) if way else None
    if not inside:
        return None
    protocol = inside.string("protocol", "TCP", choices=PROTOCOLS)
    return _read_number(inside, "port", protocol) if way == "portNumber" else _read_range(inside, protocol)


def _read_protocol(fields: Fields) -> Optional[AdminPort]:
    """An item of v1alpha2's ``protocols``."""
    way = _only_one(fields, ("tcp", "udp", "sctp", "destinationNamedPort"))
    if way == "destinationNamedPort":
        return _read_named_port(fields, way)
    inside = fields.inside(way) if way else None
    if not inside:
        return None
    inside.required("destinationPort", "number or range")
    port = inside.mapping("destinationPort")
    inside.no_others()
    form = _only_one(port, ("number", "range")) if port else ""
    if not port or not form:
        return None
    return _read_number(port, "number", way.upper()) if form == "number" else _read_range(port.inside("range"), way.upper())


def _read_named_port(fields: Fields, name: str) -> Optional[AdminPort]:
    port = fields.string(name, check=port_name)
    return AdminPort("", port) if port else None


def _read_number(fields: Fields, name: str, protocol: str) -> AdminPort:
    fields.required(name, "a port's number")
    port = fields.integer(name, 0, *PORT)
    fields.no_others()
    return AdminPort(protocol, port)


def _read_range(fields: Fields, protocol: str) -> AdminPort:
    fields.required("start", "the first port of the range")
    fields.required("end", "the last port of the range")
    start, end = fields.integer("start", 0, *PORT), fields.integer("end", 0, *PORT)
    fields.no_others()
    if start and end and end <= start:
        fields.problem("end", f"is {end}, not more than start ({start})", "a number greater than start")
    return AdminPort(protocol, start, end)
