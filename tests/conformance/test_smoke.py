# SPDX-License-Identifier: Apache-2.0
"""A few cases of each kind with real packets; ``python -m tests.conformance`` runs them all."""
from __future__ import annotations

import fnmatch
import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest

from .case_file import Case, find_cases
from .lab import Lab
from .report import lines
from .run import FAIL, SKIP, run_sequence

CASES = Path(__file__).parents[3] / "shared" / "conformance" / "cases"
OWN_CASES = Path(__file__).with_name("cases")
CHOSEN = [line for line in Path(__file__).with_name("smoke.txt").read_text().splitlines() if line and not line.startswith("#")]


def sequences() -> list[list[Case]]:
    """Our own cases and the chosen ones of others, where those are; steps of one test together."""
    cases = find_cases([CASES]) if CASES.is_dir() else []
    chosen = [case for case in cases if any(fnmatch.fnmatch(case.id, glob) for glob in CHOSEN)] + find_cases([OWN_CASES])
    return [list(steps) for _key, steps in itertools.groupby(chosen, key=lambda case: case.sequence or case.id)]


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    with Lab() as lab:
        yield lab


@pytest.mark.skipif(not CASES.is_dir(), reason="../shared/conformance is not there")
def test_every_glob_chooses_a_case() -> None:
    ids = {case.id for cases in sequences() for case in cases}
    assert [glob for glob in CHOSEN if not fnmatch.filter(ids, glob)] == []


@pytest.mark.parametrize("cases", [pytest.param(cases, id=cases[0].id) for cases in sequences()])
def test_case(lab: Lab, cases: list[Case]) -> None:
    results = run_sequence(cases, lab, 4)
    failed = [line for number, result in enumerate(results, 1) if result.outcome == FAIL for line in lines(result, number, len(results))]
    assert not failed, "\n".join(failed)
    skipped = [result.message for result in results if result.outcome == SKIP]
    if skipped:
        pytest.skip("; ".join(skipped))
