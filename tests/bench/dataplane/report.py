# SPDX-License-Identifier: Apache-2.0
"""Samples to medians, ratios and a table."""
from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
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


def rate_ratio(samples: Samples, kind: str, name: str, base: str) -> float:
    """The median over the rounds of what this path's rate is of the base's in the same round."""
    return median(one.rate / other.rate for one, other in zip(samples[kind, name], samples[kind, base]))


def cpu_ratio(samples: Samples, kind: str, name: str, base: str) -> float | None:
    """The same of the CPU a unit; None where one of the two is the kernel's."""
    pairs = [(one.cpu, other.cpu) for one, other in zip(samples[kind, name], samples[kind, base])]
    known = [one / other for one, other in pairs if one is not None and other]
    return median(known) if known else None


def table(samples: Samples, contenders: Sequence[Contender]) -> str:
    """Markdown: for each kind a row for each path. A missed bound is said to be missed."""
    lines = ["| what | path | a second | of the base | CPU µs | of the base | at least | met |", "|---|---|---:|---:|---:|---:|---:|---|"]
    for name, kind in KINDS.items():
        for contender in contenders:
            path, base = contender.path.name, contender.base
            if (name, path) in samples:
                own = samples[name, path]
                cpus = [sample.cpu for sample in own if sample.cpu is not None]
                ratio = rate_ratio(samples, name, path, base) if base else None
                cpu = cpu_ratio(samples, name, path, base) if base else None
                bound = contender.bound and kind.established and ratio is not None
                verdict = ("yes" if ratio is not None and ratio >= AT_LEAST else "**MISSED**") if bound else ""
                lines.append(" | ".join([
                    f"| {name}", path, f"{_figure(median(sample.rate for sample in own))} {kind.unit}{'' if kind.unit == 'MB' else 's'}",
                    _ratio(ratio), _figure(median(cpus)) if cpus else "", _ratio(cpu), f"{AT_LEAST:g}" if bound else "", f"{verdict} |"]))
    return "\n".join(lines)


def _figure(value: float) -> str:
    """Three digits, or all that are before the point."""
    return f"{value:.0f}" if value >= 100 else f"{value:.3g}"


def _ratio(value: float | None) -> str:
    return "" if value is None else f"{value:.2f}"
