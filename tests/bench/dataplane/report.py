# SPDX-License-Identifier: Apache-2.0
"""Samples to medians, ratios and a table."""
from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from statistics import median
from typing import NamedTuple

from dataplane.parts import AT_LEAST, Contender
from dataplane.traffic import Path, Sample, connections, requests, tcp_stream, udp_stream


class Kind(NamedTuple):
    """Something to measure: how, in which unit, and whether it runs over an established connection, for which the bounds hold."""

    run: Callable[[Path, float], Sample]
    unit: str
    established: bool


KINDS = {
    "TCP stream": Kind(tcp_stream, "MB", True),
    "UDP stream": Kind(udp_stream, "MB", True),
    "requests": Kind(requests, "request", True),
    "connections": Kind(connections, "connection", False),
}

Samples = Mapping[tuple[str, str], Sequence[Sample]]
"""By kind and path. The samples of one round have the same place in each of them."""


class Ratio(NamedTuple):
    """What something is of what it is compared with: one ratio a round, as the two were measured one after the other."""

    median: float
    least: float
    most: float

    def __str__(self) -> str:
        return f"{self.median:.2f} ({self.least:.2f}–{self.most:.2f})"


def _ratio(pairs: Iterable[tuple[float | None, float | None]]) -> Ratio | None:
    ratios = [own / other for own, other in pairs if own is not None and other]
    return Ratio(median(ratios), min(ratios), max(ratios)) if ratios else None


def rate_ratio(samples: Samples, kind: str, name: str, base: str) -> Ratio | None:
    """Of a path's rate to the base's; None without samples of both."""
    return _ratio((own.rate, other.rate) for own, other in zip(samples[kind, name], samples[kind, base]))


def cpu_ratio(samples: Samples, kind: str, name: str, base: str) -> Ratio | None:
    """Of the CPU a unit; None where the kernel carries the packets of one of the two."""
    return _ratio((own.cpu, other.cpu) for own, other in zip(samples[kind, name], samples[kind, base]))


def table(samples: Samples, contenders: Sequence[Contender]) -> str:
    """Markdown: for each kind a row for each path. Ratios are medians of the rounds', with the least and the most; a missed bound is said to be missed."""
    lines = ["| what | path | a second | of the base | passes | CPU µs | of the base | at least | met |",
             "|---|---|---:|---:|---:|---:|---:|---:|---|"]
    for name, kind in KINDS.items():
        for contender in contenders:
            path, base = contender.path.name, contender.base
            if (name, path) in samples:
                own = samples[name, path]
                rate = rate_ratio(samples, name, path, base) if base else None
                cpu = cpu_ratio(samples, name, path, base) if base else None
                bound = f"{AT_LEAST:g}" if contender.bound and kind.established else ""
                met = _met(rate) if bound and rate else ""
                lines.append(" | ".join([
                    f"| {name}", path, f"{_figure(median(sample.rate for sample in own))} {kind.unit}{'' if kind.unit == 'MB' else 's'}",
                    str(rate or ""), _median(sample.passes for sample in own), _median(sample.cpu for sample in own), str(cpu or ""), bound, f"{met} |"]))
    return "\n".join(lines)


def _met(rate: Ratio) -> str:
    """Whether the bound is met; and whether one round could have said the opposite of another."""
    verdict = "yes" if rate.median >= AT_LEAST else "**MISSED**"
    return f"{verdict}, within the spread" if rate.least < AT_LEAST <= rate.most else verdict


def _median(values: Iterable[float | None]) -> str:
    known = [value for value in values if value is not None]
    return _figure(median(known)) if known else ""


def _figure(value: float) -> str:
    """Three digits, or all that are before the point."""
    return f"{value:.0f}" if value >= 100 else f"{value:.3g}"
