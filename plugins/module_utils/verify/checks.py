# SPDX-License-Identifier: Apache-2.0
"""Which probes show that a fabric is as intended, and what each has to see."""
from __future__ import annotations

from typing import Iterator, List, NamedTuple, Sequence

from ..node.probe import NODE, OPEN, TOO_BIG, Probe
from .expected import expected
from .fabric import Fabric, Place, Port

OUTSIDE_PORT = 7777
"""Where a server beyond the nodes tells, over TCP, the address that it sees its client by."""

SAME_NODE, ACROSS, TO_NODE, FROM_NODE, TO_OUTSIDE, MTU = (
    "pods on one node", "pods across nodes", "pod to node", "node to pod", "to the outside", "largest packet")
KINDS = (SAME_NODE, ACROSS, TO_NODE, FROM_NODE, TO_OUTSIDE, MTU)


class Options(NamedTuple):
    ports: str = "all"
    """all | first | none: how many of a pod's declared ports are probed."""
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
    outcome: str
    """The expected one."""
    server: str = ""
    """The pod that has to answer; empty if any answer will do."""
    client: str = ""
    """The address by which the server has to see the source; empty if it does not matter."""


def node_checks(fabric: Fabric, node: str, options: Options) -> List[Check]:
    """All checks whose packets ``node`` sends, its pods' included; in an order that depends on nothing but the fabric."""
    return [*_pairs(fabric, node, options), *_largest_packets(fabric, node), *_outside(fabric, node, options)]


def _pairs(fabric: Fabric, node: str, options: Options) -> Iterator[Check]:
    for source in fabric.places:
        # A pod on the host's network sends what the node itself sends.
        if source.node != node or source.kind == "host_pod":
            continue
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
        outcome = expected(source, destination, None)
        yield Check(source.node, kind, source.name, Probe(_sender(source), destination.name, address, "icmp"), outcome)
    own = _same_family(source.addresses, address) if source.kind == "pod" else ""
    for port in _limited(destination.ports, options.ports):
        probe = Probe(_sender(source), destination.name, address, port.protocol, port.number)
        yield Check(source.node, kind, source.name, probe, expected(source, destination, port), destination.name, own)


def _largest_packets(fabric: Fabric, node: str) -> Iterator[Check]:
    """From one pod of the node to one of each node: a packet of the MTU arrives in one piece, and one byte more is refused."""
    own = [pod for pod in fabric.pods if pod.kind == "pod" and pod.node == node]
    for source in own[:1]:
        for peer in fabric.nodes:
            others = [pod for pod in fabric.pods if pod.kind == "pod" and pod.node == peer.name and pod != source]
            for destination in others[:1]:
                for address in destination.addresses:
                    for size, outcome in ((fabric.mtus[node], OPEN), (fabric.mtus[node] + 1, TOO_BIG)):
                        yield Check(node, MTU, source.name, Probe(source.name, destination.name, address, "icmp", 0, size), outcome)


def _outside(fabric: Fabric, node: str, options: Options) -> Iterator[Check]:
    for source in fabric.places:
        if source.node == node and source.kind != "host_pod":
            for address in options.outside:
                if _same_family(source.addresses, address):
                    probe = Probe(_sender(source), "outside", address, "tcp", OUTSIDE_PORT)
                    yield Check(node, TO_OUTSIDE, source.name, probe, OPEN)


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
