# SPDX-License-Identifier: Apache-2.0
"""A case as it is in its file: objects, and rows that say what has to reach what."""
from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Mapping, Sequence

Object = Mapping[str, Any]


@dataclass(frozen=True)
class Row:
    """One line of ``expected``: whether ``source`` gets an answer from ``destination``.

    Either is ``namespace/pod`` or ``ip:address`` (outside of the cluster); a destination may be ``svc:namespace/name`` or
    ``nodeport:namespace/name``, too, and then ``port`` is the Service's.
    """

    source: str
    destination: str
    port: int
    """0 where the protocol has none."""
    protocol: str
    """TCP | UDP | SCTP | ICMP"""
    allow: bool
    verdict: str = ""
    """drop (silence) or reject (an answer that refuses), where the source of the case tells them apart."""
    backends: tuple[str, ...] = ()
    """The pods that may answer for a Service."""
    mode: str = ""
    """all_reached (within ``requests``) | sticky | not_sticky | any"""
    requests: int = 1
    client_ip: str = ""
    """What the backend has to take for the client's address; ``gateway``: that of its node's gateway."""
    source_port: int = 0
    """The client's port; 0: any."""
    unknown: str = ""
    """What else the row says, as JSON, which the runner does not know how to ask: such a row cannot be passed."""

    @property
    def name(self) -> str:
        return f"{self.source} → {self.destination} {self.protocol} {self.port}"


@dataclass(frozen=True)
class Case:
    path: Path
    name: str
    corpus: str
    requires: frozenset[str]
    caveats: tuple[str, ...]
    namespaces: tuple[Object, ...]
    """``name``, ``labels``"""
    pods: tuple[Object, ...]
    """``namespace``, ``name``, ``labels``, ``ip``?, ``ports`` (``port``, ``protocol``, ``name``?), ``hostNetwork``?, ``ready``?, ``terminating``?"""
    services: tuple[Object, ...]
    policies: tuple[Object, ...]
    groups: tuple[Object, ...]
    tiers: tuple[Object, ...]
    rows: tuple[Row, ...]
    endpoints: Mapping[str, tuple[str, ...]]
    """Service to its endpoints, as ``namespace/pod:port``, where the case says them."""
    rejection: str
    """Not empty: the input has to be refused, and for this reason (in the terms of the project that the case is from)."""
    sequence: str
    """The test of which this is one step; empty if it stands alone."""
    step: int

    @property
    def id(self) -> str:
        return f"{self.corpus}/{self.path.stem}"

    @property
    def quotes_addresses(self) -> bool:
        """Whether its pods must have the addresses that it gives them."""
        return "cidr" in self.requires


def load_case(path: Path) -> Case:
    """One case. Raises ValueError for a file that is none."""
    try:
        raw = json.loads(path.read_text(encoding="utf-8"))
        sequence = raw.get("sequence") or {}
        return Case(
            path, raw["name"], raw["corpus"], frozenset(raw["requires"]), tuple(raw["caveats"]),
            tuple(raw["namespaces"]), tuple(raw["pods"]), tuple(raw["services"]), tuple(raw["policies"]),
            tuple(raw.get("groups") or ()), tuple(raw.get("tiers") or ()),
            tuple(map(_row, raw["expected"])),
            {service: tuple(pods) for service, pods in (raw.get("expected_endpoints") or {}).items()},
            str((raw.get("expected_rejection") or {}).get("error_contains_go_expr", "")),
            str(sequence.get("id", "")), int(sequence.get("step", 0)))
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"{path} is not a case: {error!r}") from error


def find_cases(paths: Sequence[Path]) -> list[Case]:
    """The cases in files and folders; the steps of one test follow each other, in their order. Raises ValueError."""
    files = sorted({file for path in paths for file in (path.rglob("*.json") if path.is_dir() else [path]) if file.name != "index.json"})
    if not files:
        raise ValueError(f"there are no cases in {', '.join(map(str, paths))}")
    cases = [load_case(file) for file in files]
    first = {case.sequence: case.id for case in reversed(cases) if case.sequence}
    return sorted(cases, key=lambda case: (first.get(case.sequence, case.id), case.step))


_KNOWN = frozenset({"from", "to", "port", "protocol", "allow", "verdict", "backends", "mode", "requests", "client_ip", "source_port"})


def _row(raw: Mapping[str, Any]) -> Row:
    unknown = {key: value for key, value in raw.items() if key not in _KNOWN}
    return Row(raw["from"], raw["to"], int(raw.get("port") or 0), raw["protocol"], bool(raw["allow"]), raw.get("verdict") or "",
               tuple(raw.get("backends") or ()), raw.get("mode") or "", int(raw.get("requests") or 1), raw.get("client_ip") or "",
               int(raw.get("source_port") or 0), json.dumps(unknown) if unknown else "")
