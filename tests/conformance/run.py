# SPDX-License-Identifier: Apache-2.0
"""One case: make the lab its cluster, ask all that it asks, and judge."""
from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from sluice.audit.reachability import Reachability
from sluice.errors import InputError, SluiceError
from sluice.intent.state import ClusterState
from sluice.plan.allocations_file import Allocations

from .case import plan_case
from .case_file import Case, Row
from .judge import as_expected, endpoint_rows, engine_as_expected, refusal_fits, requests_of, seen, wanted
from .lab import Lab
from .node import ModuleFailed
from .prober import Answer, Probe, Prober
from .targets import Target, Targets

PASS, FAIL, SKIP = "pass", "fail", "skip"

MAY_BE_UNSUPPORTED = frozenset({"host-network", "node-peers", "anp-node-peers", "same-labels"})
"""Of these a case may be skipped, if the loader says that it cannot be done."""

WAIT_SECONDS = 1.3
"""For all rows at once. A TCP client repeats its SYN after a second."""
SECOND_WAIT_SECONDS = 4.0
"""For what did not come: on a busy machine a packet may be late."""
ALONE_MAX = 10
"""As many rows are asked one by one the second time; more are no accident."""


@dataclass(frozen=True)
class Failure:
    row: Row
    expected: str
    seen: str


@dataclass(frozen=True)
class Result:
    case: Case
    outcome: str
    rows: int
    seconds: float
    message: str = ""
    """Why there are no rows: skipped, refused, or failed before any was asked."""
    failures: tuple[Failure, ...] = ()


def run_sequence(cases: Sequence[Case], lab: Lab | None, family: int) -> list[Result]:
    """The steps of one test, one after the other on the same live cluster; without a ``lab``, by analysis alone."""
    results = []
    before = Allocations()
    for number, case in enumerate(cases):
        started = time.monotonic()
        result, before = _run(case, lab, family, before, fresh=number == 0)
        results.append(replace(result, seconds=time.monotonic() - started))
    return results


def _run(case: Case, lab: Lab | None, family: int, before: Allocations, fresh: bool) -> tuple[Result, Allocations]:
    rows = [*case.rows, *endpoint_rows(case)]

    def result(outcome: str, message: str = "", failures: Sequence[Failure] = ()) -> Result:
        return Result(case, outcome, len(rows), 0.0, message, tuple(failures))

    if family == 6:
        rows = [] if case.quotes_addresses else [row for row in rows if ":" not in row.source + row.destination]
        if not rows:
            return result(SKIP, "it has no rows between pods without addresses of its own, so none that can be asked over IPv6"), before
    try:
        planned = plan_case(case, (4, 6) if family == 6 else (4,), before)
        if case.rejection:
            return result(FAIL, f"was taken, but has to be refused: {case.rejection}"), before
        failures = by_packets(planned.state, lab, rows, family, fresh) if lab else _by_analysis(planned.state, rows, family)
    except InputError as error:
        return _refused(case, error, result), before
    except ModuleFailed as error:
        return result(FAIL, str(error)), before
    return result(FAIL if failures else PASS, "", failures), planned.allocations


def _refused(case: Case, error: InputError, result: Callable[..., Result]) -> Result:
    said = str(error)
    if case.rejection:
        fits = refusal_fits(case, error)
        return result(PASS if fits else FAIL, "" if fits else f"is refused, but not for {case.rejection}: {said}")
    unsupported = case.requires & MAY_BE_UNSUPPORTED
    return result(SKIP if unsupported else FAIL, f"{', '.join(sorted(unsupported))}: {said}" if unsupported else f"is refused: {said}")


def _by_analysis(state: ClusterState, rows: Sequence[Row], family: int) -> list[Failure]:
    engine = Reachability(state)
    failures = []
    for row in rows:
        said, good = _engine_says(engine, row, family)
        if not good:
            failures.append(Failure(row, wanted(row), said))
    return failures


def _engine_says(engine: Reachability, row: Row, family: int) -> tuple[str, bool]:
    """What the analysis says of a row, and whether it is what the row expects."""
    try:
        verdict = engine.verdict(row.source, row.destination, row.port, row.protocol, source_port=row.source_port or None, version=family)
    except SluiceError as error:
        return f"engine: {error}", False
    reasons = [decision.rule or decision.stage for decision in (verdict.egress, verdict.ingress)]
    return f"engine: {verdict.action} ({', '.join(reasons)})", engine_as_expected(row, verdict)


def by_packets(state: ClusterState, lab: Lab, rows: Sequence[Row], family: int, fresh: bool) -> list[Failure]:
    """What the rows expect of a state, asked with real packets; and of the analysis, too. Raises as Lab.apply and Targets.target do."""
    lab.apply(state, fresh)
    targets = Targets(state, lab, family)
    gateways = targets.gateways()
    answers = asyncio.run(_ask_all(rows, targets, gateways))
    engine = Reachability(state)
    failures = []
    for row, got in zip(rows, answers):
        said, engine_good = _engine_says(engine, row, family)
        if not (as_expected(row, got, gateways) and engine_good):
            failures.append(Failure(row, wanted(row), f"{seen(got)}; {said}"))
    return failures


async def _ask_all(rows: Sequence[Row], targets: Targets, gateways: set[str]) -> list[Sequence[Answer]]:
    """The answers to each row; what is not as expected was asked twice, the second time with more patience."""
    with Prober() as prober:
        places = [targets.target(row) for row in rows]
        for row, target in zip(rows, places):
            for place, port in target.servers:
                prober.serve(place, port, row.protocol)
        answers = list(await asyncio.gather(*(_ask(prober, row, target, WAIT_SECONDS) for row, target in zip(rows, places))))
        again = [number for number, row in enumerate(rows) if not as_expected(row, answers[number], gateways)]
        if len(again) <= ALONE_MAX:
            for number in again:
                answers[number] = await _ask(prober, rows[number], places[number], SECOND_WAIT_SECONDS)
        else:
            second = await asyncio.gather(*(_ask(prober, rows[number], places[number], SECOND_WAIT_SECONDS) for number in again))
            for number, got in zip(again, second):
                answers[number] = got
        return answers


async def _ask(prober: Prober, row: Row, target: Target, seconds: float) -> Sequence[Answer]:
    """As many connections as the row takes, one after the other."""
    probe = Probe(target.source, target.address, target.port, row.protocol, row.source_port)
    answers = []
    for _number in range(requests_of(row)):
        answers.append(await prober.ask(probe, seconds))
        if answers[-1].verdict != "allow":
            break
    return answers
