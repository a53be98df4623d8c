# SPDX-License-Identifier: Apache-2.0
"""Which pods, namespaces and nodes selectors select: each distinct question is answered once."""
from __future__ import annotations

from typing import Iterable, Mapping, Optional, Sequence

from ..intent.kinds import LabelSelector, Namespace
from ..intent.kinds.network_policy import IPBlock
from ..intent.kinds.selector import EVERYTHING
from ..intent.state import ClusterState, Node, Pod
from ..plan.addresses import gateway_address
from .address_set import AddressSet
from .cidrs import difference


class Selection:
    """The pods of a state by namespace and label. Host-network pods are in no set: their addresses are their node's, which no pod selector means."""

    def __init__(self, state: ClusterState) -> None:
        self.state = state
        self._in_namespace: dict[str, list[Pod]] = {}
        self._with_label: dict[tuple[str, str, str], list[Pod]] = {}
        for pod in state.pods.values():
            if pod.ips and not pod.host_network:
                self._in_namespace.setdefault(pod.namespace, []).append(pod)
                for key, value in pod.labels.items():
                    self._with_label.setdefault((pod.namespace, key, value), []).append(pod)
        self._labels = {name: state.namespaces[name].labels if name in state.namespaces else Namespace.named(name).labels
                        for name in sorted(self._in_namespace)}
        self._namespaces: dict[LabelSelector, tuple[str, ...]] = {}
        self._sets: dict[tuple[object, ...], AddressSet] = {}
        self._unions: dict[tuple[int, ...], AddressSet] = {}

    def namespace_labels(self, namespace: str) -> Mapping[str, str]:
        """The labels of a namespace that has pods."""
        return self._labels[namespace]

    def namespaces(self, selector: LabelSelector = EVERYTHING) -> tuple[str, ...]:
        """The namespaces with pods that a selector selects."""
        if selector not in self._namespaces:
            self._namespaces[selector] = tuple(name for name, labels in self._labels.items() if selector.matches(labels))
        return self._namespaces[selector]

    def pods(self, namespaces: tuple[str, ...], selector: Optional[LabelSelector]) -> AddressSet:
        """The pods in some namespaces that a selector selects; None selects all."""
        key = "pods", namespaces, selector or EVERYTHING
        if key not in self._sets:
            self._sets[key] = AddressSet([pod for namespace in namespaces for pod in self._select(namespace, selector or EVERYTHING)])
        return self._sets[key]

    def all_pods(self) -> AddressSet:
        """Every pod that has an address of its own."""
        return self.pods(self.namespaces(), None)

    def nothing(self) -> AddressSet:
        """No address at all, which is not the same as any."""
        return self.cidrs(())

    def service_account(self, account: str) -> AddressSet:
        """The pods that run as ``namespace/name``."""
        key = "service account", account
        if key not in self._sets:
            namespace, _slash, name = account.partition("/")
            self._sets[key] = AddressSet([pod for pod in self._in_namespace.get(namespace, ()) if pod.service_account == name])
        return self._sets[key]

    def block(self, block: IPBlock) -> AddressSet:
        """The addresses of a block that are in none of its exceptions."""
        key = "block", block
        if key not in self._sets:
            self._sets[key] = AddressSet((), difference(block.cidr, block.excepts))
        return self._sets[key]

    def cidrs(self, cidrs: tuple[str, ...]) -> AddressSet:
        """The addresses of some CIDRs."""
        key = "cidrs", cidrs
        if key not in self._sets:
            self._sets[key] = AddressSet((), cidrs)
        return self._sets[key]

    def nodes(self, selector: LabelSelector) -> AddressSet:
        """The addresses of the nodes that a selector selects: on the transport network, and as gateways of their pods.

        The latter is the source of what a node itself sends to pods, as in Antrea.
        """
        return self.cidrs(tuple(address for node in self.state.nodes.values() if selector.matches(node.labels) for address in _node_addresses(node)))

    def union(self, parts: Sequence[AddressSet]) -> AddressSet:
        """The addresses that are in any of the parts."""
        if len(parts) == 1:
            return parts[0]
        key = tuple(map(id, parts))
        if key not in self._unions:
            pods = dict.fromkeys(pod.key for part in parts for pod in part.pods)
            self._unions[key] = AddressSet([self.state.pods[name] for name in pods], tuple(dict.fromkeys(block for part in parts for block in part.blocks)))
        return self._unions[key]

    def subset(self, pods: Iterable[Pod]) -> AddressSet:
        """Some pods that no selector of its own selects."""
        chosen = tuple(pods)
        key = "subset", tuple(pod.key for pod in chosen)
        if key not in self._sets:
            self._sets[key] = AddressSet(chosen)
        return self._sets[key]

    def _select(self, namespace: str, selector: LabelSelector) -> Iterable[Pod]:
        if not selector.match_labels:
            candidates = self._in_namespace.get(namespace, [])
        else:
            candidates = min((self._with_label.get((namespace, key, value), []) for key, value in selector.match_labels), key=len)
            if len(selector.match_labels) == 1 and not selector.match_expressions:
                return candidates
        return [pod for pod in candidates if selector.matches(pod.labels)]


def _node_addresses(node: Node) -> list[str]:
    return [*node.transport.ips, *(gateway_address(cidr) for cidr in node.pod_cidrs)]
