# SPDX-License-Identifier: Apache-2.0
"""What the measurements between pods make of their samples."""
from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2] / "bench"))

from dataplane.parts import Contender
from dataplane.report import cpu_ratio, rate_ratio, table
from dataplane.traffic import Path as PodPath
from dataplane.traffic import Sample

BASE, OWN = (PodPath(name, 0, 0, "10.0.0.1") for name in ("base", "own"))


def samples(kind: str, own: list[Sample], base: list[Sample]) -> dict[tuple[str, str], list[Sample]]:
    return {(kind, "own"): own, (kind, "base"): base}


def rows(kind: str, rate: float) -> list[list[str]]:
    """The cells of the table in which ``own`` has that share of its base's rate, by row."""
    text = table(samples(kind, [Sample(rate, 3.0)], [Sample(1.0, 2.0)]), [Contender(BASE), Contender(OWN, "base", bound=True)])
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines()[2:]]


def test_a_ratio_is_of_what_was_measured_in_the_same_round() -> None:
    """The machine was ten times as fast from round to round: the medians of the rates would give 0.2."""
    found = samples("requests", [Sample(2, None), Sample(1, None), Sample(100, None)], [Sample(1, 1.0), Sample(10, 1.0), Sample(100, 1.0)])
    assert str(rate_ratio(found, "requests", "own", "base")) == "1.00 (0.10–2.00)"


def test_what_the_kernel_carries_has_no_ratio_of_cpu() -> None:
    assert cpu_ratio(samples("requests", [Sample(1, None)], [Sample(1, 2.0)]), "requests", "own", "base") is None


def test_a_missed_bound_is_said_to_be_missed() -> None:
    assert [row[-2:] for row in rows("TCP stream", 0.94)] == [["", ""], ["0.95", "**MISSED**"]]
    assert [row[-2:] for row in rows("TCP stream", 0.95)] == [["", ""], ["0.95", "yes"]]


def test_a_bound_on_both_sides_of_which_rounds_lie_is_said_to_be_in_doubt() -> None:
    found = samples("requests", [Sample(0.9), Sample(1.1), Sample(1.2)], [Sample(1.0)] * 3)
    assert table(found, [Contender(BASE), Contender(OWN, "base", bound=True)]).endswith("| 0.95 | yes, within the spread |")


def test_new_connections_have_no_bound() -> None:
    assert rows("connections", 0.5)[1][3:] == ["0.50 (0.50–0.50)", "", "3", "1.50 (1.50–1.50)", "", ""]
