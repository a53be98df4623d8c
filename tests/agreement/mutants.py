# SPDX-License-Identifier: Apache-2.0
"""Deliberately broken compilers: what the comparison has to catch. Each is a change to one place of the compiler, by name."""
from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from sluice.compile import node as compile_node
from sluice.conntrack import state as conntrack_state
from sluice.intent.kinds import selector
from sluice.intent.kinds.network_policy import NetworkPolicyPeer
from sluice.policy import address_set, admin, antrea, contribute, hairpin, kubernetes, model, named_ports, placed, port_masks, selection, traffic, verdicts
from sluice.policy.rules import ADMIN, Isolated, Part, Position, Rule
from sluice.policy.traffic import ICMP, Match, Ports, ToService
from sluice.service import plan as service_plan

Break = Callable[[pytest.MonkeyPatch], None]
MUTANTS: dict[str, Break] = {}


def mutant(name: str) -> Callable[[Break], Break]:
    def add(breaks: Break) -> Break:
        MUTANTS[name] = breaks
        return breaks
    return add


@mutant("exceptions are ignored")
def _(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(selection, "difference", lambda cidr, _excepts: (cidr,))


@mutant("tiers are ignored")
def _(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(antrea, "Position", lambda _tier, priority, name, index: Position(250, priority, name, index))


@mutant("policies go by falling priority")
def _(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(antrea, "Position", lambda tier, priority, name, index: Position(tier, 1000 - priority, name, index))


@mutant("rules go by falling index")
def _(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(antrea, "Position", lambda tier, priority, name, index: Position(tier, priority, name, 100 - index))


@mutant("Pass is Allow")
def _(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(antrea, "Rule", _with_action("Pass", "Allow"))


@mutant("Reject is Drop")
def _(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(antrea, "Rule", _with_action("Reject", "Drop"))


@mutant("Deny is Allow")
def _(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(admin, "Rule", _with_action("Drop", "Allow"))


@mutant("replies are rejected, too")
def _(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(verdicts, "bit_is", lambda _bit, value: "reg0=0/0" if not value else "reg0=0xf/0xf")


@mutant("the baseline comes before NetworkPolicies")
def _(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(antrea, "BASELINE", ADMIN)


@mutant("isolation is forgotten")
def _(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(contribute, "isolation_flows", lambda _isolated: iter(()))


@mutant("ports are ignored")
def _(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(kubernetes, "_traffic", lambda _rule: None)


@mutant("all protocols are one")
def _(patch: pytest.MonkeyPatch) -> None:
    words = {version: {**names, "TCP": names["UDP"]} for version, names in traffic._WORDS.items()}
    patch.setattr(traffic, "_WORDS", words)
    _uncached(patch)


@mutant("replies have no ports")
def _(patch: pytest.MonkeyPatch) -> None:
    _change_matches(patch, Ports, lambda match: "reg0=0x10/0x10" in match, lambda _match: None)


@mutant("ports of replies are those of the first packet")
def _(patch: pytest.MonkeyPatch) -> None:
    _change_matches(patch, Ports, lambda match: "reg0=0x10/0x10" in match, lambda match: tuple(one.replace("tp_src", "tp_dst") for one in match))


@mutant("addresses of IPv6 are forgotten")
def _(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Part, "versions", (4,))


@mutant("source and destination are exchanged")
def _(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(placed, "SOURCE", address_set.DESTINATION)
    patch.setattr(placed, "DESTINATION", address_set.SOURCE)


@mutant("replies are not turned round")
def _(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(conntrack_state, "exchange", lambda _ip: [])
    # What all nodes have in common is remembered from before the change.
    patch.setattr(compile_node, "_common", compile_node._common.__wrapped__)


@mutant("nodes do not reach their pods")
def _(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(contribute, "_gateway_flows", lambda _node: [])


@mutant("endPort is ignored")
def _(patch: pytest.MonkeyPatch) -> None:
    _change_masks(patch, lambda first, _last: (first, first))


@mutant("ranges of ports are rounded up")
def _(patch: pytest.MonkeyPatch) -> None:
    _change_masks(patch, lambda first, last: (first, last | 1))


@mutant("the first port of a name is that of all pods")
def _(patch: pytest.MonkeyPatch) -> None:
    split = named_ports.split_by_named_ports
    patch.setattr(kubernetes, "split_by_named_ports", lambda part, *rest: [split(part, *rest)[0]._replace(subjects=part.subjects, peers=part.peers)])


@mutant("source ports are ignored")
def _(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(antrea, "Ports", lambda protocol, port, end, _source, _source_end: Ports(protocol, port, end))


@mutant("types of ICMP are ignored")
def _(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(antrea, "ICMP", lambda _type, _code: ICMP())


@mutant("both selectors of a peer are alternatives")
def _(patch: pytest.MonkeyPatch) -> None:
    peer = kubernetes._peer

    def either(one: NetworkPolicyPeer, own: str, chosen: selection.Selection) -> address_set.AddressSet:
        if one.pod_selector is None or one.namespace_selector is None:
            return peer(one, own, chosen)
        return chosen.union([chosen.pods(chosen.namespaces(one.namespace_selector), None), chosen.pods((own,), one.pod_selector)])

    patch.setattr(kubernetes, "_peer", either)


@mutant("namespaces of peers are ignored")
def _(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(kubernetes, "_peer", lambda one, _own, chosen: chosen.pods(chosen.namespaces(), one.pod_selector))


@mutant("policyTypes are ignored")
def _(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(kubernetes, "Isolated", lambda pod, _direction, log: Isolated(pod, "ingress", log))


@mutant("NotIn is In")
def _(patch: pytest.MonkeyPatch) -> None:
    matches = selector.LabelSelector.matches

    def wrong(self: selector.LabelSelector, labels: Any) -> bool:
        return not matches(self, labels) if any(one.operator == "NotIn" for one in self.match_expressions) else matches(self, labels)

    # The engine matches with the same function: only what the compiler selects is to be wrong.
    select = selection.Selection._select

    def wrongly(self: selection.Selection, namespace: str, wanted: selector.LabelSelector) -> Any:
        with pytest.MonkeyPatch.context() as during:
            during.setattr(selector.LabelSelector, "matches", wrong)
            return list(select(self, namespace, wanted))

    patch.setattr(selection.Selection, "_select", wrongly)


@mutant("the second node is forgotten")
def _(patch: pytest.MonkeyPatch) -> None:
    isolated = model.PolicyModel.isolated
    patch.setattr(model.PolicyModel, "isolated", lambda self, node: isolated(self, node) if node == "node1" else ())


@mutant("sameLabels are ignored")
def _(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(antrea, "_relative_peer", lambda peer, _namespace, chosen: chosen.pods(chosen.namespaces(), peer.pod_selector))


@mutant("Self is every namespace")
def _(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(antrea, "_relative_peer", lambda peer, _namespace, chosen: chosen.pods(chosen.namespaces(), peer.pod_selector))


@mutant("the rules' own appliedTo is ignored")
def _(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(antrea, "_subjects", lambda _applied, _own, _state, chosen: chosen.all_pods())


@mutant("service accounts are those of every namespace")
def _(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(selection.Selection, "service_account", lambda self, account: address_set.AddressSet(
        [pod for pod in self.all_pods().pods if pod.service_account == account.partition("/")[2]]))


@mutant("children of groups are ignored")
def _(patch: pytest.MonkeyPatch) -> None:
    members = antrea._members
    patch.setattr(antrea, "_members", lambda key, state, chosen: chosen.nothing() if state.groups[key].child_groups else members(key, state, chosen))


@mutant("gateways are no addresses of nodes")
def _(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(selection, "_node_addresses", lambda node: [address.partition("/")[0] for address in node.transport.addresses])


@mutant("Services are not told apart")
def _(patch: pytest.MonkeyPatch) -> None:
    _change_matches(patch, ToService, lambda _match: True, lambda _match: ("ip",))


@mutant("a pod may use any Service that leads back to it")
def _(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(hairpin, "_deciding", lambda _model, _node: iter(()))


@mutant("a pod does not reach itself")
def _(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(contribute, "hairpin_flows", lambda _model, _node, _pods: [])


@mutant("a traffic policy Local is ignored")
def _(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(service_plan, "local", lambda endpoints, _node: tuple(endpoints))


@mutant("a network of an administrator's policy is its first address")
def _(patch: pytest.MonkeyPatch) -> None:
    cidrs = selection.Selection.cidrs
    patch.setattr(selection.Selection, "cidrs", lambda self, texts: cidrs(self, tuple(text.partition("/")[0] for text in texts)))


def _with_action(action: str, instead: str) -> Callable[..., Rule]:
    def make(*arguments: Any) -> Rule:
        changed: list[Any] = [instead if one == action else one for one in arguments]
        return Rule(*changed)
    return make


def _uncached(patch: pytest.MonkeyPatch) -> None:
    """Matches of what rules say of traffic are remembered from before the change."""
    patch.setattr(placed, "traffic_matches", traffic.traffic_matches.__wrapped__)


def _change_matches(patch: pytest.MonkeyPatch, kind: Any, which: Callable[[Match], bool], change: Callable[[Match], Any]) -> None:
    matches = kind.matches

    def changed(self: Any, version: int) -> Iterator[Match]:
        for match in matches(self, version):
            found = change(match) if which(match) else match
            if found is not None:
                yield found

    patch.setattr(kind, "matches", changed)
    _uncached(patch)


def _change_masks(patch: pytest.MonkeyPatch, change: Callable[[int, int], tuple[int, int]]) -> None:
    masks = port_masks.port_masks
    patch.setattr(traffic, "port_masks", lambda first, last: masks(*change(first, last)))
    _uncached(patch)


