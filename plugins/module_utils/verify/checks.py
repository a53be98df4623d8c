# SPDX-License-Identifier: Apache-2.0
"""Which probes show that a fabric is as intended."""
from __future__ import annotations

from typing import Iterator, List, NamedTuple, Sequence

from ..node.probe import NODE, OPEN, Probe
from .expected import expected
from .fabric import Fabric, Place, Port, ServicePlace

OUTSIDE_PORT = 7777
"""Where a server beyond the nodes tells, over TCP, the address that it sees its client by."""

SAME_NODE, ACROSS, TO_NODE, FROM_NODE, TO_OUTSIDE, MTU, TO_SERVICE, NODE_TO_SERVICE, TO_NODE_PORT = (
    "pods on one node", "pods across nodes", "pod to node", "node to pod", "to the outside", "largest packet",
    "pod to Service", "node to Service", "pod to NodePort")
KINDS = (SAME_NODE, ACROSS, TO_NODE, FROM_NODE, TO_SERVICE, NODE_TO_SERVICE, TO_NODE_PORT, TO_OUTSIDE, MTU)


class Options(NamedTuple):
    ports: str = "all"
    """all | first | none: how many of a pod's or Service's ports are probed."""
    outside: Sequence[str] = ()
    """Addresses of servers beyond the nodes."""


class Check(NamedTuple):
    """A probe and what it is for."""

    node: str
    """Where it is sent from."""
    kind: str
    source: str
    """As people call it; the probe itself says NODE for a node."""
    probe: Probe
    client: str = ""
    """The address by which the server has to see the source; empty if it does not matter."""


def node_checks(fabric: Fabric, node: str, options: Options) -> List[Check]:
    """All checks whose packets ``node`` sends, its pods' included; in an order that depends on nothing but the fabric."""
    return [*_pairs(fabric, node, options), *_services(fabric, node, options), *_node_ports(fabric, node, options),
            *_outside(fabric, node, options), *_largest_packets(fabric, node)]


def service_name(service: ServicePlace) -> str:
    """What probes call it."""
    return f"Service {service.name}"


def _senders(fabric: Fabric, node: str) -> Iterator[Place]:
    """A pod on the host's network sends what the node itself sends."""
    return (place for place in fabric.places if place.node == node and place.kind != "host_pod")


def _pairs(fabric: Fabric, node: str, options: Options) -> Iterator[Check]:
    for source in _senders(fabric, node):
        for destination in fabric.places:
            if destination == source or (source.kind == "node" and destination.kind != "pod"):
                continue
            for address in destination.addresses:
                if _same_family(source.addresses, address):
                    yield from _pair(source, destination, address, options)


def _pair(source: Place, destination: Place, address: str, options: Options) -> Iterator[Check]:
    kind = _kind(source, destination)
    # A pod on the host's network has no ICMP of its own: the node answers it.
    if destination.kind != "host_pod":
        yield Check(source.node, kind, source.name, Probe(_sender(source), destination.name, address, "icmp"))
    own = _same_family(source.addresses, address) if source.kind == "pod" else ""
    for port in _limited(destination.ports, options.ports):
        yield Check(source.node, kind, source.name, Probe(_sender(source), destination.name, address, port.protocol, port.number), own)


def _services(fabric: Fabric, node: str, options: Options) -> Iterator[Check]:
    for source in _senders(fabric, node):
        kind = NODE_TO_SERVICE if source.kind == "node" else TO_SERVICE
        for service in fabric.services:
            for address in service.addresses:
                own = _same_family(source.addresses, address)
                for port in _limited(service.ports, options.ports) if own else ():
                    probe = Probe(_sender(source), service_name(service), address, port.protocol, port.number)
                    yield Check(node, kind, source.name, probe, own if source.kind == "pod" else "")


def _node_ports(fabric: Fabric, node: str, options: Options) -> Iterator[Check]:
    """From one pod of the node to the NodePorts of every node."""
    own_pods = [pod for pod in fabric.pods if pod.kind == "pod" and pod.node == node]
    for source in own_pods[:1]:
        for service in fabric.services:
            for peer in fabric.nodes:
                for address in fabric.node_addresses(peer.name):
                    own = _same_family(source.addresses, address)
                    served = own and _same_family(service.addresses, address)
                    for port in _limited(service.node_ports, options.ports) if served else ():
                        probe = Probe(source.name, f"{service_name(service)} at {peer.name}", address, port.protocol, port.number)
                        yield Check(node, TO_NODE_PORT, source.name, probe, own)


def _outside(fabric: Fabric, node: str, options: Options) -> Iterator[Check]:
    for source in _senders(fabric, node):
        for address in options.outside:
            if _same_family(source.addresses, address):
                yield Check(node, TO_OUTSIDE, source.name, Probe(_sender(source), "outside", address, "tcp", OUTSIDE_PORT))


def _largest_packets(fabric: Fabric, node: str) -> Iterator[Check]:
    """From one pod of the node to one of each node, of those that may ping: a packet of the MTU arrives in one piece, and one byte more is refused."""
    pods = [pod for pod in fabric.pods if pod.kind == "pod"]
    for peer in fabric.nodes:
        pairs = ((source, destination) for source in pods if source.node == node for destination in pods
                 if destination.node == peer.name and destination != source)
        source, destination = next((pair for pair in pairs if _may_ping(fabric, *pair)), (None, None))
        if source and destination:
            for address in destination.addresses:
                for size in (fabric.mtu, fabric.mtu + 1):
                    yield Check(node, MTU, source.name, Probe(source.name, destination.name, address, "icmp", 0, size))


def _may_ping(fabric: Fabric, source: Place, destination: Place) -> bool:
    return all(expected(fabric, source.node, Probe(source.name, destination.name, address, "icmp")).outcomes == (OPEN,) for address in destination.addresses)


def _kind(source: Place, destination: Place) -> str:
    if source.kind == "node":
        return FROM_NODE
    if destination.kind != "pod":
        return TO_NODE
    return SAME_NODE if source.node == destination.node else ACROSS


def _sender(source: Place) -> str:
    return NODE if source.kind == "node" else source.name


def _limited(ports: Sequence[Port], limit: str) -> Sequence[Port]:
    return {"all": ports, "first": ports[:1], "none": ()}[limit]


def _same_family(addresses: Sequence[str], address: str) -> str:
    return next((own for own in addresses if (":" in own) == (":" in address)), "")
