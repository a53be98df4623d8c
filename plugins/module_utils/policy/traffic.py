# SPDX-License-Identifier: Apache-2.0
"""What a rule says of protocols and ports, and how packets of it are matched in both directions of a connection."""
from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple, Optional, Union

from ..intent.state import Pod
from ..pipeline.stable_id import stable_id
from ..pipeline.tables import REPLY, SERVICE_MARK, bit_is
from .port_masks import port_masks

Match = tuple[str, ...]

_WORDS = {4: {"TCP": "tcp", "UDP": "udp", "SCTP": "sctp", "ICMP": "icmp"}, 6: {"TCP": "tcp6", "UDP": "udp6", "SCTP": "sctp6", "ICMP": "icmp6"}}
_ANSWERS = {4: {8: 0, 13: 14, 15: 16, 17: 18}, 6: {128: 129, 139: 140}}
"""ICMP requests and the types of their answers (RFC 792, 950, 4443, 4620): the only messages of ICMP whose replies conntrack knows."""


class Ports(NamedTuple):
    """TCP, UDP or SCTP to some ports. ``port`` is the first or only one, the name of a container port, or None for all."""

    protocol: str
    port: Union[int, str, None] = None
    end_port: Optional[int] = None
    source_port: Optional[int] = None
    source_end_port: Optional[int] = None

    def matches(self, version: int) -> tuple[Match, ...]:
        """The matches for packets of an IP version: those of the side that opened the connection, then those of the other."""
        word = _WORDS[version][self.protocol]
        destinations, sources = _masks(self.port, self.end_port), _masks(self.source_port, self.source_end_port)
        if destinations == sources == ("",):
            return ((word,),)
        return tuple((word, bit_is(REPLY, reply), *_condition(there, destination), *_condition(here, source))
                     for reply, there, here in ((False, "tp_dst", "tp_src"), (True, "tp_src", "tp_dst"))
                     for destination in destinations for source in sources)


class ICMP(NamedTuple):
    """ICMP (for IPv6: ICMPv6) messages; None: of any type or code."""

    type: Optional[int] = None
    code: Optional[int] = None

    def matches(self, version: int) -> tuple[Match, ...]:
        """As of `Ports`. The answer to a request has the request's code (RFC 792: 0)."""
        word = _WORDS[version]["ICMP"]
        code = () if self.code is None else (f"icmp_code={self.code}",)
        if self.type is None:
            return ((word, *code),)
        forward = (word, bit_is(REPLY, False), f"icmp_type={self.type}", *code)
        answer = _ANSWERS[version].get(self.type)
        return (forward,) if answer is None else (forward, (word, bit_is(REPLY, True), f"icmp_type={answer}", *code))


class ToService(NamedTuple):
    """What was addressed to a Service, whichever of its endpoints it goes to."""

    key: str
    selector: tuple[tuple[str, str], ...] = ()
    """Labels of the pods that are its endpoints; none: only its EndpointSlices say which those are."""

    @property
    def match(self) -> Match:
        """The mark of the Service's connections."""
        return (f"{SERVICE_MARK}={stable_id(self.key):#x}",)

    def matches(self, version: int) -> tuple[Match, ...]:
        """The same for packets of both directions and IP versions."""
        return (self.match,)

    def may_lead_to(self, pod: Pod) -> bool:
        """Whether the pod can be one of its endpoints."""
        if not self.selector:
            return True
        return pod.namespace == self.key.partition("/")[0] and all(pod.labels.get(key) == value for key, value in self.selector)


Traffic = Union[Ports, ICMP, ToService]


@lru_cache(maxsize=4096)
def traffic_matches(traffic: tuple[Traffic, ...], versions: tuple[int, ...]) -> tuple[Match, ...]:
    """The matches of all of ``traffic`` in these IP versions, each once."""
    return tuple(dict.fromkeys(match for version in versions for one in traffic for match in one.matches(version)))


def _masks(first: Union[int, str, None], last: Optional[int]) -> tuple[str, ...]:
    if first is None:
        return ("",)
    if isinstance(first, str):
        raise ValueError(f"the port name {first} was not resolved")
    return port_masks(first, last or first)


def _condition(field: str, value: str) -> tuple[str, ...]:
    return (f"{field}={value}",) if value else ()
