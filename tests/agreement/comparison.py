# SPDX-License-Identifier: Apache-2.0
"""The reachability engine against the compiled flows on real bridges: of every packet of a connection, the same verdict by the same rule."""
from __future__ import annotations

import ipaddress
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple, Optional

from agreement.journeys import ANSWERS, Connection, Hop, hops, packet, start
from agreement.switches import Place, Switches
from agreement.traced import EGRESS, INGRESS, Seen, Trace
from sluice.audit.reachability import Reachability
from sluice.audit.verdict import SERVICE, Decision, EndpointVerdict, Verdict
from sluice.intent.state import ClusterState
from states_strategy import Probe

NEW, LATER, REPLY = "new", "later", "reply"
STATES = {NEW: ("trk", "new"), LATER: ("trk", "est"), REPLY: ("trk", "est", "rpl")}
_ISOLATION = "NetworkPolicy isolation "

Judged = Verdict | EndpointVerdict


class Walk(NamedTuple):
    """A packet's traces on the nodes of its way; on each, whether or not those before it let it through."""

    hops: Sequence[Hop]
    traces: Sequence[Trace]
    seen: dict[str, Optional[Seen]]
    """By direction, what the node did whose matter it was."""

    @property
    def arrives(self) -> bool:
        """Whether it leaves each node by the port where its way goes on."""
        return all(trace.output == hop.exit for hop, trace in zip(self.hops, self.traces))


class Comparison:
    """Compares on the same switches as many states as one likes."""

    def __init__(self, switches: Switches, later: int = 1) -> None:
        """``later``: of every so many probes, packets that come after the first are asked about, too."""
        self.counts: Counter[str] = Counter()
        """Of ``states``, ``probes``, ``decided`` probes (by a rule), and traced ``packets``."""
        self._switches = switches
        self._later = later

    def disagreements(self, state: ClusterState, probes: Iterable[Probe]) -> list[str]:
        """What differs, each in a paragraph; empty if all agree."""
        self._state = state
        self._switches.load(state)
        engine = Reachability(state)
        self.counts["states"] += 1
        return [f"{probe}\n  {problem}" for probe in probes for problem in self._of_probe(engine, probe)]

    def _of_probe(self, engine: Reachability, probe: Probe) -> Iterator[str]:
        begin = start(self._state, probe)
        if begin is None:
            return
        verdict = probe.ask(engine)
        self.counts["probes"] += 1
        self.counts["decided"] += any(one.rule for one in _decisions(verdict))
        if verdict.egress.stage != SERVICE and not verdict.endpoints:
            yield from self._of_connection(hops(self._state, begin), verdict)
            return
        if probe.protocol == "SCTP" and self._is_userspace(begin.node):
            # There are no Services over SCTP, which the userspace datapath cannot translate; so their addresses are like any.
            return
        first = Hop(begin.node, begin.port, 0, begin.connection)
        trace = self._trace(first, NEW, zlib.crc32(repr(probe).encode()))
        if not verdict.endpoints:
            if (trace.output, trace.endpoint, trace.rejects) != (0, None, verdict.action == "reject"):
                yield f"to a Service without endpoints: {verdict.action} expected, but\n{trace.text}"
            return
        offered = frozenset().union(*(self._switches.groups[begin.node][group] for group in trace.groups)) if trace.groups else frozenset()
        if offered != {_place(one) for one in verdict.endpoints} or trace.endpoint not in offered:
            yield f"endpoints {verdict.endpoints} expected, but the group has {sorted(offered)}:\n{trace.text}"
            return
        for one in verdict.endpoints:
            connection = begin.connection._replace(destination=_place(one)[0], port=one.port, mark=trace.mark)
            way = hops(self._state, begin._replace(connection=connection))
            chosen = trace.endpoint == _place(one)
            yield from self._of_connection(way, one, trace if chosen else None, new=chosen)

    def _of_connection(self, way: list[Hop], expected: Judged, first: Optional[Trace] = None, new: bool = True) -> Iterator[str]:
        """Of the packets of a connection that takes a way; ``first``: the trace of the one that opens it on the first node."""
        connection = way[0].connection
        if new:
            walk = self._walk(way, NEW, first)
            yield from self._differences(walk, NEW, expected)
            if walk.arrives:
                yield from _changes_on_the_way(walk)
        if self.counts["probes"] % self._later or (connection.protocol == "SCTP" and self._is_userspace(way[0].node)):
            # Which packets of SCTP are replies a userspace switch learns from real ones, which a trace is not.
            return
        yield from self._differences(self._walk(way, LATER), LATER, expected)
        if connection.protocol != "ICMP" or connection.icmp_type in ANSWERS:
            yield from self._differences(self._walk(way, REPLY), REPLY, expected)

    def _is_userspace(self, node: str) -> bool:
        return self._state.nodes[node].datapath == "netdev"

    def _walk(self, way: list[Hop], phase: str, first: Optional[Trace] = None) -> Walk:
        traces = [first if first and hop is way[0] else self._trace(hop, phase) for hop in way]
        seen = {direction: _decision([trace.seen(direction, self._switches.rules[hop.node]) for hop, trace in zip(way, traces)])
                for direction in (EGRESS, INGRESS)}
        if phase == REPLY:
            way = [hop._replace(entry=hop.exit, exit=hop.entry) for hop in way]
        return Walk(way, traces, seen)

    def _trace(self, hop: Hop, phase: str, choice: int = 0) -> Trace:
        self.counts["packets"] += 1
        return self._switches.trace(hop.node, packet(self._state, hop, phase == REPLY, choice), STATES[phase])

    def _differences(self, walk: Walk, phase: str, expected: Judged) -> Iterator[str]:
        wrong = [f"{direction}: {problem}" for direction, decision, needed in (
            (EGRESS, expected.egress, True), (INGRESS, expected.ingress, expected.egress.action == "Allow"))
            for problem in _mismatch(decision, walk.seen[direction], phase, needed)]
        if walk.arrives != (expected.action == "allow"):
            wrong.append(f"it {'arrives' if walk.arrives else 'does not arrive'}")
        if phase == REPLY and any(trace.copies for trace in walk.traces):
            wrong.append("the agent gets a copy of a reply")
        if wrong:
            traces = "\n".join(f"-- on {hop.node}\n{trace.text}" for hop, trace in zip(walk.hops, walk.traces))
            yield f"{phase} packet: {'; '.join(wrong)}\n  engine: {expected}\n{traces}"


def _decisions(verdict: Verdict) -> Iterator[Decision]:
    yield from (verdict.egress, verdict.ingress)
    for endpoint in verdict.endpoints:
        yield from (endpoint.egress, endpoint.ingress)


def _place(endpoint: EndpointVerdict) -> Place:
    return str(ipaddress.ip_address(endpoint.address)), endpoint.port


def _decision(seen: Sequence[Optional[Seen]]) -> Optional[Seen]:
    """That of the node whose matter it was: on the others a direction is passed through without a rule."""
    there = [one for one in seen if one is not None]
    return next((one for one in there if one.rule or one.passed or one.action != "Allow"), there[0] if there else None)


def _mismatch(expected: Decision, seen: Optional[Seen], phase: str, needed: bool) -> Iterator[str]:
    """``needed``: the packet has to come so far that this direction decides."""
    if seen is None:
        if needed:
            yield "the packet does not come to its tables"
        return
    action = "Drop" if phase == REPLY and expected.action == "Reject" else expected.action
    if seen.action != action:
        yield f"{action} expected, but {seen}"
    elif not _same_rule(expected, seen) or seen.passed != expected.passed:
        yield f"by {expected.rule or 'no rule'} (passed {expected.passed}) expected, but {seen}"
    elif seen.rule and seen.claimed != expected.action:
        yield f"rules.json says {seen.claimed}, but it is {expected.action}"


def _same_rule(expected: Decision, seen: Seen) -> bool:
    """Of the NetworkPolicies that allow a packet, any may be named: they are not ordered."""
    if expected.action == "Allow" and expected.rule.startswith("NetworkPolicy "):
        return seen.rule.startswith("NetworkPolicy ") and not seen.rule.startswith(_ISOLATION)
    return expected.rule == seen.rule


def _changes_on_the_way(walk: Walk) -> Iterator[str]:
    """A packet has to leave a node with the addresses with which it is expected on the next."""
    for hop, trace, following in zip(walk.hops, walk.traces, walk.hops[1:]):
        one: Connection = following.connection
        if (trace.source, trace.destination) != (one.source, one.destination):
            yield f"it leaves {hop.node} from {trace.source} to {trace.destination}, not from {one.source} to {one.destination}\n{trace.text}"
