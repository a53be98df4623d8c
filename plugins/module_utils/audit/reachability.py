# SPDX-License-Identifier: Apache-2.0
"""Who reaches whom on what, from the ClusterState alone, and which rule decides.

The answers follow the specifications, object by object, and share nothing with the compiler of flows: each checks the other.
"""
from __future__ import annotations

from dataclasses import replace
from typing import Optional

from ..errors import SluiceError
from ..intent.state import ClusterState
from .endpoints import Endpoint
from .packet import CLIENT_PORT, ECHO_REQUEST, Packet, Party
from .parties import Parties, address
from .policies import Policies
from .rule import EGRESS, INGRESS
from .services import Frontend, Services
from .verdict import EXEMPTED, SERVICE, Decision, EndpointVerdict, Verdict, action_of

PROTOCOLS = ("TCP", "UDP", "SCTP", "ICMP")


class Reachability:
    """The engine over one state."""

    def __init__(self, state: ClusterState) -> None:
        self._state = state
        self._parties = Parties(state)
        self._services = Services(state)
        self._policies = Policies(state, self._parties)

    def verdict(self, source: str, destination: str, port: Optional[int], protocol: str, *, source_port: Optional[int] = None,
                icmp_type: Optional[int] = None, icmp_code: Optional[int] = None, version: int = 4, node: str = "") -> Verdict:
        """Whether a connection from ``source`` comes to ``destination``.

        source: ``ns/pod`` | ``ip:ADDRESS`` | ``node:NAME``. destination: ``ns/pod`` | ``ip:ADDRESS`` | ``svc:ns/name`` (its cluster IP) |
        ``nodeport:ns/name`` (``node``'s address); for both Services ``port`` is the Service's port. ``version`` is that of IP, unless an
        address says it. ``node`` is where a client outside comes in; a client in the cluster is balanced on its own node. ``source_port``,
        ``icmp_type`` and ``icmp_code`` are by default an ephemeral port and an echo request.

        :raises SluiceError: A name or port that the state does not have, or no address of that version.
        """
        if protocol not in PROTOCOLS:
            raise SluiceError(f"{protocol!r} is no protocol; say one of {', '.join(PROTOCOLS)}.")
        if port is None and protocol != "ICMP":
            raise SluiceError(f"A connection over {protocol} to {destination} needs a port.")
        for name in (source, destination):
            if name.startswith("ip:"):
                version = address(name[len("ip:"):]).version
        sender = self._parties.sender(source, version)
        receiver, number = self._receiver(destination, sender, protocol, port or 0, version, node)
        if receiver.address.version != sender.address.version:
            raise SluiceError(f"{source} and {destination} have addresses of different IP versions.")
        packet = Packet(sender, receiver, protocol, number, CLIENT_PORT if source_port is None else source_port,
                        ECHO_REQUEST[version] if icmp_type is None else icmp_type, icmp_code or 0)
        frontend = self._services.at(receiver, protocol, number)
        if frontend is not None:
            return self._to_service(packet, frontend, _home(sender) or node or self._services.entry_node(frontend, version))
        refusal = "" if receiver.node else self._services.refusal(receiver.address, protocol)
        if refusal:
            return _refused(refusal)
        egress, ingress = self._judge(packet)
        return Verdict(action_of(egress, ingress), egress, ingress)

    def _receiver(self, destination: str, sender: Party, protocol: str, port: int, version: int, node: str) -> tuple[Party, int]:
        """Whom a connection is opened to, and its destination port."""
        kind, colon, rest = destination.partition(":")
        if kind == "ip" and colon:
            return self._parties.at(address(rest)), port
        if kind == "svc" and colon:
            return self._parties.at(self._services.cluster_ip(rest, version)), port
        if kind == "nodeport" and colon:
            entry = node or _home(sender) or next(iter(self._state.nodes))
            return self._parties.node(entry, version), self._services.node_port(rest, protocol, port)
        return self._parties.pod(destination, version), port

    def _to_service(self, packet: Packet, frontend: Frontend, node: str) -> Verdict:
        """ "Virtual IPs and Service Proxies": the destination becomes an endpoint first, and policies judge what the packet then is."""
        choice = self._services.choose(frontend, packet.source, node)
        if not choice.endpoints:
            return _refused(choice.refusal)
        service = frontend.service.key
        verdicts = tuple(self._to_endpoint(replace(packet, service=service), endpoint, node) for endpoint in choice.endpoints)
        actions = {one.action for one in verdicts}
        decisive = next((one for one in verdicts if one.action != "allow"), verdicts[0])
        return Verdict(decisive.action if len(actions) == 1 else "mixed", decisive.egress, decisive.ingress, verdicts)

    def _to_endpoint(self, packet: Packet, endpoint: Endpoint, node: str) -> EndpointVerdict:
        """ "Using Source IP": a client outside keeps its address to endpoints of the node it came in at; to others the node sends as itself."""
        receiver = self._parties.at(address(endpoint.address))
        source = packet.source if _home(packet.source) or _home(receiver) == node else self._parties.sender(f"node:{node}", receiver.address.version)
        egress, ingress = self._judge(replace(packet, source=source, destination=receiver, port=endpoint.port))
        return EndpointVerdict(receiver.name, endpoint.address, endpoint.port, action_of(egress, ingress), egress, ingress)

    def _judge(self, packet: Packet) -> tuple[Decision, Decision]:
        """Egress and ingress. NetworkPolicy: what comes from the node on which a pod runs is always allowed, whatever the address."""
        source, destination = packet.source, packet.destination
        if destination.pod and source.node == destination.pod.node:
            return EXEMPTED, EXEMPTED
        return self._policies.decide(packet, EGRESS), self._policies.decide(packet, INGRESS)


def _home(party: Party) -> str:
    """The node that it is or runs on; empty if it is outside the cluster."""
    return party.pod.node if party.pod else party.node


def _refused(action: str) -> Verdict:
    decision = Decision(action, SERVICE)
    return Verdict(action.lower(), decision, decision)
