# SPDX-License-Identifier: Apache-2.0
"""Who has which address."""
from __future__ import annotations

import ipaddress
from typing import Mapping, Sequence

from ..errors import SluiceError
from ..intent.kinds import Namespace
from ..intent.state import ClusterState, Node, Pod
from ..intent.syntax import Address
from ..plan.addresses import gateway_address
from .packet import Party


class Parties:
    """The pods and nodes of a state, by address and by name."""

    def __init__(self, state: ClusterState) -> None:
        self._state = state
        self._by_address: dict[Address, Party] = {}
        for node in state.nodes.values():
            for text in (*_gateway_addresses(node), *node.transport.ips):
                self._add(Party(ipaddress.ip_address(text), node=node.name))
        for pod in state.pods.values():
            for text in () if pod.host_network else pod.ips:
                self._add(Party(ipaddress.ip_address(text), pod=pod))

    def _add(self, party: Party) -> None:
        self._by_address[party.address] = party

    def at(self, address: Address) -> Party:
        return self._by_address.get(address) or Party(address)

    def namespace_labels(self, namespace: str) -> Mapping[str, str]:
        """A namespace that only its objects name has the label that every one has."""
        return (self._state.namespaces.get(namespace) or Namespace.named(namespace)).labels

    def sender(self, name: str, version: int) -> Party:
        """Who sends as ``ns/pod``, ``node:NAME`` or ``ip:ADDRESS``. A node reaches pods from its gateway address, and so do pods on its network.

        :raises SluiceError: There is nothing of that name, or it has no address of that version.
        """
        kind, colon, rest = name.partition(":")
        if kind == "ip" and colon:
            return self.at(address(rest))
        if kind == "node" and colon:
            return self._gateway(rest, version)
        pod = self._pod(name, "namespace/name, node:NAME or ip:ADDRESS")
        return self._gateway(pod.node, version) if pod.host_network else self._of_version(name, pod.ips, version)

    def pod(self, key: str, version: int) -> Party:
        """Where one reaches the pod: on a node's network, at the node's transport address.

        :raises SluiceError: There is no such pod, or it has no address of that version.
        """
        pod = self._pod(key, "namespace/name, ip:ADDRESS, svc:namespace/name or nodeport:namespace/name")
        return self.node(pod.node, version) if pod.host_network else self._of_version(key, pod.ips, version)

    def node(self, name: str, version: int) -> Party:
        """The node at its transport address, where what listens on its network is reached.

        :raises SluiceError: There is no such node, or it has no address of that version.
        """
        return self._of_version(name, self._node(name).transport.ips, version)

    def _gateway(self, name: str, version: int) -> Party:
        return self._of_version(name, _gateway_addresses(self._node(name)), version)

    def _pod(self, key: str, forms: str) -> Pod:
        pod = self._state.pods.get(key)
        if pod is None:
            raise SluiceError(f"There is no pod {key} in the state; say {forms}.")
        return pod

    def _node(self, name: str) -> Node:
        node = self._state.nodes.get(name)
        if node is None:
            raise SluiceError(f"There is no node {name} in the state.")
        return node

    def _of_version(self, name: str, addresses: Sequence[str], version: int) -> Party:
        for text in addresses:
            found = ipaddress.ip_address(text)
            if found.version == version:
                return self.at(found)
        raise SluiceError(f"{name} has no IPv{version} address.")


def _gateway_addresses(node: Node) -> list[str]:
    return [gateway_address(cidr) for cidr in node.pod_cidrs]


def address(text: str) -> Address:
    """:raises SluiceError: It is none."""
    try:
        return ipaddress.ip_address(text)
    except ValueError as error:
        raise SluiceError(f"{text!r} is no IP address.") from error
