# SPDX-License-Identifier: Apache-2.0
"""What all kinds of policies come to: rules over sets of addresses."""
from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple, Optional

from ..intent.state import Pod
from ..pipeline.cookie import OWNER_PROGRAM, cookie
from .address_set import AddressSet
from .traffic import Traffic

INGRESS, EGRESS = "ingress", "egress"
ADMIN, POLICY, BASELINE = "admin", "policy", "baseline"
"""The stages of a direction, in order: `<direction>_<stage>` is the table's name."""


class Part(NamedTuple):
    """A rule, or what of it concerns some of its subjects or peers, where their ports or namespaces make a difference.

    It is about a packet that has one of each: ``subjects`` (pods that the policy applies to), ``peers`` and ``traffic``; None is any.
    """

    name: str
    """Unique in the cluster, and the same whatever else there is."""
    subjects: AddressSet
    peers: Optional[AddressSet]
    traffic: Optional[tuple[Traffic, ...]]

    @property
    def versions(self) -> tuple[int, ...]:
        """The IP versions of packets that it can be about; none if it selects nothing."""
        if self.traffic == ():
            return ()
        return tuple(sorted(self.subjects.versions if self.peers is None else self.subjects.versions & self.peers.versions))


class Position(NamedTuple):
    """Where in the order of its table a rule is evaluated."""

    tier: int
    priority: float
    policy: str
    """Kind and key, by which policies of one priority are ordered."""
    number: int
    """Its index among the rules of its policy and direction."""


@dataclass(frozen=True)
class Rule:
    """One rule of one policy with all that it selects."""

    name: str
    """How flows, logs and statistics name it: ``<Kind> <key> <direction>[<index>]``."""
    policy: str
    """``<Kind> <key>``"""
    title: str
    """The name that its author gave it; may be empty."""
    direction: str
    stage: str
    action: str
    """Allow | Drop | Reject | Pass"""
    position: Position
    parts: tuple[Part, ...]
    log: bool = False
    label: str = ""

    @property
    def table(self) -> str:
        """The name of the table that its flows are in."""
        return f"{self.direction}_{self.stage}"

    @cached_property
    def cookie(self) -> int:
        """The cookie of the flows that execute its verdict."""
        return cookie(OWNER_PROGRAM, self.name)

    @cached_property
    def entry(self) -> tuple[str, dict[str, Any]]:
        """The cookie and what it stands for, as in rules.json."""
        return f"{self.cookie:#x}", {"rule": self.name, "policy": self.policy, "name": self.title, "direction": self.direction,
                                     "action": self.action, "log": self.log, "label": self.label}


@dataclass(frozen=True)
class Isolated:
    """A pod that gets (or sends) only what a Kubernetes NetworkPolicy allows."""

    pod: Pod
    direction: str
    log: bool

    @cached_property
    def name(self) -> str:
        """How flows, logs and statistics name it; the policies that isolate it together are not told apart."""
        return f"NetworkPolicy isolation {self.direction} {self.pod.key}"

    @cached_property
    def cookie(self) -> int:
        """The cookie of the flows that drop what was not allowed."""
        return cookie(OWNER_PROGRAM, self.name)

    @property
    def entry(self) -> tuple[str, dict[str, Any]]:
        """The cookie and what it stands for, as in rules.json; without a policy, as it takes all of them to say that nothing is allowed."""
        return f"{self.cookie:#x}", {"rule": self.name, "policy": "", "name": "", "direction": self.direction,
                                     "action": "Drop", "log": self.log, "label": ""}
