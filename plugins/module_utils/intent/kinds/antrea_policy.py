# SPDX-License-Identifier: Apache-2.0
"""Reading Antrea's ClusterNetworkPolicy and NetworkPolicy, as strictly as their CRDs and Antrea's admission webhook do."""
from __future__ import annotations

from typing import Optional

from ..fields import PORT, Fields, one_of
from ..syntax import cidr, dns_subdomain, label_key, label_value
from .antrea import ACTIONS, TIER_BASELINE, TIER_DEFAULT, AntreaAppliedTo, AntreaICMP, AntreaPeer, AntreaPolicy, AntreaPort, AntreaRule
from .meta import Meta
from .network_policy import read_ip_block
from .pod import PROTOCOLS
from .rule_name import automatic_rule_name
from .selector import LabelSelector, read_selector

PRIORITY = (1.0, 10000.0)
PEERS = {"ingress": "from", "egress": "to"}
SELECTORS = ("podSelector", "namespaceSelector", "namespaces")
"""What one peer may combine; everything else stands alone."""


def read_antrea_policy(meta: Meta, fields: Fields) -> AntreaPolicy:
    """The policy (reference: antrea.md 1.6); whether its tier and groups exist is not looked at here."""
    spec = fields.inside("spec")
    fields.ignore("status")
    fields.no_others()
    spec.required("priority", "a number from {} to {}".format(*PRIORITY))
    priority = spec.number("priority", PRIORITY[0], *PRIORITY)
    tier = spec.string("tier") or TIER_DEFAULT
    applied_to = tuple(_read_applied_to(item, meta.namespace) for item in spec.items("appliedTo"))
    rules = {
        direction: [(item, _read_rule(item, direction, meta.namespace)) for item in spec.items(direction)] for direction in ("ingress", "egress")
    }
    spec.no_others()
    both = rules["ingress"] + rules["egress"]
    _check_applied_to(spec, applied_to, both)
    _check_rules(both, tier)
    ingress, egress = (tuple(rule for item, rule in rules[direction]) for direction in ("ingress", "egress"))
    return AntreaPolicy(meta.namespace, meta.name, meta.labels, meta.annotations, tier, priority, applied_to, ingress, egress)


def _check_applied_to(spec: Fields, applied_to: tuple[AntreaAppliedTo, ...], rules: list[tuple[Fields, AntreaRule]]) -> None:
    with_own = [item for item, rule in rules if rule.applied_to]
    if applied_to:
        for item in with_own:
            item.problem("appliedTo", "stands beside the appliedTo of the policy", "appliedTo in spec or in every rule, not in both")
    elif not with_own:
        spec.problem("appliedTo", "is missing", "at least one item, here or in every rule")
    else:
        for item, rule in rules:
            if not rule.applied_to:
                item.problem("appliedTo", "is missing", "appliedTo in every rule, as other rules of the policy have it, or in spec instead")


def _check_rules(rules: list[tuple[Fields, AntreaRule]], tier: str) -> None:
    """What the rules of a policy must not have in common, and what its tier rules out."""
    first: dict[str, Fields] = {}
    for item, rule in rules:
        if rule.name and first.setdefault(rule.name, item) is not item:
            also = "" if item.has("name") else "is left to Sluice, which makes it of the rule's content: it "
            item.problem("name", f"{also}is {rule.name!r}, as that of {first[rule.name].path}", "a name of its own")
        if tier == TIER_BASELINE and rule.action == "Pass":
            item.problem("action", "is 'Pass', with which nothing comes after the tier baseline", one_of(("Allow", "Drop", "Reject")))


def _read_rule(fields: Fields, direction: str, namespace: str) -> AntreaRule:
    before = fields.source.findings
    action = _read_action(fields)
    peers = tuple(_read_peer(peer, direction, namespace) for peer in fields.items(PEERS[direction]))
    to_services = tuple(filter(None, map(_read_to_service, fields.items("toServices")))) if direction == "egress" else ()
    ports = tuple(_read_port(port) for port in fields.items("ports"))
    icmp = tuple(_read_protocol(protocol) for protocol in fields.items("protocols"))
    applied_to = tuple(_read_applied_to(item, namespace) for item in fields.items("appliedTo"))
    if fields.list("l7Protocols"):
        fields.not_built("l7Protocols", "a rule for layer 7 protocols")
    name = fields.string("name")
    logging, label = fields.boolean("enableLogging"), fields.string("logLabel", check=label_value)
    fields.no_others()
    if direction == "egress":
        for other in ("to", "ports", "protocols"):
            if fields.list("toServices") and fields.list(other):
                fields.problem("toServices", f"stands beside {other}", "a rule of its own: a Service is matched with all of its ports")
        _check_multicast(fields, action, peers)
        named = [port.port for port in ports if isinstance(port.port, str)]
        if named and peers and all(peer.ip_block for peer in peers):
            fields.problem("ports", f"names a port ({named[0]}), and the addresses in to have no ports with names", "the port's number")
    if not name and fields.source.findings == before:
        # Only what was found to be a rule has a name: anything else might not even be finite (YAML has aliases).
        name = automatic_rule_name(direction, action, fields.plain)
    return AntreaRule(action, name, peers, to_services, ports, icmp, applied_to, logging, label)


def _read_action(fields: Fields) -> str:
    fields.required("action", one_of(ACTIONS))
    if fields.raw("action") == "Deny":
        fields.problem("action", "is 'Deny', which in a policy of Antrea is Drop", one_of(ACTIONS))
        return "Drop"
    return fields.string("action", choices=ACTIONS)


def _read_applied_to(fields: Fields, namespace: str) -> AntreaAppliedTo:
    for name, what in (
        ("nodeSelector", "a policy for nodes"),
        ("externalEntitySelector", "a policy for external entities"),
        ("service", "a policy for the clients of a Service's NodePort"),
    ):
        if fields.has(name):
            fields.not_built(name, what)
            return AntreaAppliedTo()
    pods = _read_optional_selector(fields, "podSelector")
    group = _read_group(fields, namespace)
    namespaces = None if namespace else _read_optional_selector(fields, "namespaceSelector")
    account = "" if namespace else _read_service_account(fields)
    fields.no_others()
    _check_one_way(fields, ("podSelector", "namespaceSelector"), ("group", "serviceAccount"))
    return AntreaAppliedTo(pods, namespaces, group, account)


def _read_peer(fields: Fields, direction: str, namespace: str) -> AntreaPeer:
    for name, what in (("fqdn", "a peer by DNS name"), ("externalEntitySelector", "a peer that is an external entity")):
        if fields.has(name):
            fields.not_built(name, what)
            return AntreaPeer()
    if direction == "ingress":
        _read_scope(fields)
    pods, namespaces = _read_optional_selector(fields, "podSelector"), _read_optional_selector(fields, "namespaceSelector")
    nodes = _read_optional_selector(fields, "nodeSelector")
    group = _read_group(fields, namespace)
    block = fields.mapping("ipBlock")
    ip_block = read_ip_block(block) if block else None
    itself, same_labels = (False, ()) if namespace else _read_namespaces(fields)
    account = "" if namespace else _read_service_account(fields)
    fields.no_others()
    _check_one_way(fields, SELECTORS, ("group", "serviceAccount", "nodeSelector", "ipBlock"))
    if fields.has("namespaces") and fields.has("namespaceSelector"):
        fields.problem("namespaces", "stands beside namespaceSelector", "one of the two")
    return AntreaPeer(pods, namespaces, itself, same_labels, nodes, group, account, ip_block)


def _check_one_way(fields: Fields, selectors: tuple[str, ...], alone: tuple[str, ...]) -> None:
    """Selectors may be combined; each of the other ways to select stands alone."""
    found = [name for name in (*selectors, *alone) if fields.has(name)]
    if not found:
        fields.problem("", "selects nothing", one_of((*selectors, *alone)))
    for name in alone:
        if name in found and len(found) > 1:
            other = next(other for other in found if other != name)
            fields.problem(name, f"stands beside {other}", "an item of its own")
            return


def _read_optional_selector(fields: Fields, name: str) -> Optional[LabelSelector]:
    inside = fields.mapping(name)
    return read_selector(inside) if inside else None


def _read_group(fields: Fields, namespace: str) -> str:
    """The key of a ClusterGroup, or for a NetworkPolicy that of a Group of its namespace."""
    name = fields.string("group", check=dns_subdomain)
    return f"{namespace}/{name}" if name and namespace else name


def _read_service_account(fields: Fields) -> str:
    inside = fields.mapping("serviceAccount")
    return read_reference(inside) if inside else ""


def read_reference(fields: Fields, namespace: str = "") -> str:
    """``namespace/name`` of a namespaced object, in ``namespace`` if it says none; empty if it is none, which is a problem then.

    As in Antrea a name may be impossible: it is that of an object that does not exist.
    """
    fields.required("name", "a name")
    if not namespace:
        fields.required("namespace", "the name of a namespace")
    name, given = fields.string("name"), fields.string("namespace", namespace)
    fields.no_others()
    return f"{given}/{name}" if given and name else ""


def _read_scope(fields: Fields) -> None:
    if fields.string("scope", "Cluster", choices=("Cluster", "ClusterSet")) == "ClusterSet":
        fields.not_built("scope", "a ClusterSet (Antrea Multi-cluster)")


def _read_to_service(fields: Fields) -> str:
    _read_scope(fields)
    return read_reference(fields)


def _read_namespaces(fields: Fields) -> tuple[bool, tuple[str, ...]]:
    inside = fields.mapping("namespaces")
    if not inside:
        return False, ()
    itself = inside.string("match", choices=("Self",)) == "Self"
    same_labels = inside.strings("sameLabels", label_key)
    inside.no_others()
    if bool(inside.has("match")) == bool(inside.list("sameLabels")):
        inside.problem("", "says not just one way to choose namespaces", "match: Self, or sameLabels with at least one label")
    return itself, same_labels


def _read_port(fields: Fields) -> AntreaPort:
    protocol = fields.string("protocol", "TCP", choices=PROTOCOLS)
    port, end = fields.port("port"), fields.integer("endPort", 0, *PORT) or None
    source, source_end = fields.integer("sourcePort", 0, *PORT) or None, fields.integer("sourceEndPort", 0, *PORT) or None
    fields.no_others()
    if isinstance(port, str) and fields.has("endPort"):
        fields.problem("endPort", f"cannot follow a named port ({port})", "a number in port")
    else:
        _check_range(fields, "port", port if isinstance(port, int) else None, "endPort", end)
    _check_range(fields, "sourcePort", source, "sourceEndPort", source_end)
    return AntreaPort(protocol, port, end, source, source_end)


def _check_range(fields: Fields, first_name: str, first: Optional[int], last_name: str, last: Optional[int]) -> None:
    if fields.has(last_name) and not fields.has(first_name):
        fields.problem(last_name, f"stands without {first_name}", f"{first_name}, the first port of the range")
    elif first is not None and last is not None and last < first:
        fields.problem(last_name, f"is {last}, less than {first_name} ({first})", f"a number from {first} to {PORT[1]}")


def _read_protocol(fields: Fields) -> AntreaICMP:
    icmp = fields.mapping("icmp")
    if fields.has("igmp"):
        fields.not_built("igmp", "a rule for IGMP")
    elif not fields.has("icmp"):
        fields.problem("", "says no protocol", "icmp")
    fields.no_others()
    if not icmp:
        return AntreaICMP()
    found = AntreaICMP(_read_byte(icmp, "icmpType"), _read_byte(icmp, "icmpCode"))
    icmp.no_others()
    return found


def _read_byte(fields: Fields, name: str) -> Optional[int]:
    value = fields.integer(name, -1, 0, 255)
    return value if value >= 0 else None


def _check_multicast(fields: Fields, action: str, peers: tuple[AntreaPeer, ...]) -> None:
    """Packets to groups have no receiver that answers, and none that selectors know."""
    networks = [cidr(peer.ip_block.cidr) if peer.ip_block else None for peer in peers]
    multicast = [network is not None and network.is_multicast for network in networks]
    if not any(multicast):
        return
    if action in ("Pass", "Reject"):
        fields.problem("action", f"is {action!r}, with a multicast address in to", one_of(("Allow", "Drop")))
    if not all(multicast):
        fields.problem("to", "has multicast addresses and other peers", "two rules")
