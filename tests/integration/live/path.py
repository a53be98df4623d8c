# SPDX-License-Identifier: Apache-2.0
"""What is sent from whom to whom while policies change, and what became of it."""
from __future__ import annotations

from dataclasses import dataclass, field

UDP, ICMP, TCP, SYN = "UDP", "ICMP", "TCP", "SYN"
"""Numbered packets; pings; a connection with records both ways; attempts at a connection."""


@dataclass(frozen=True)
class Path:
    """What one pod sends to another, or to a Service, all the time."""

    source: str
    """``namespace/pod``"""
    destination: str
    """``namespace/pod``, or ``svc:namespace/name``"""
    protocol: str
    port: int = 0

    def __str__(self) -> str:
        return f"{self.source} → {self.destination} {self.protocol}" + (f" {self.port}" if self.port else "")


@dataclass
class Record:
    """What became of packets (UDP, ICMP, SYN). Times are in seconds of CLOCK_MONOTONIC, which all processes share."""

    sent: list[float] = field(default_factory=list)
    """When each packet, by its number, was given to the kernel."""
    arrived: dict[int, float] = field(default_factory=dict)
    """When a packet, by its number, was read at its destination."""
    answered: dict[int, float] = field(default_factory=dict)
    """When the answer to a ping, by its number, was read at its source."""


@dataclass
class Stream:
    """What became of a TCP connection; both ends of it together."""

    sent: int = 0
    """Records."""
    received: int = 0
    silence: float = 0.0
    """The longest time, in seconds, between two records that came to an end."""
    retransmitted: int = 0
    """Segments that were sent again."""
    error: str = ""
    """What ended it before its time; empty if nothing did."""
