# SPDX-License-Identifier: Apache-2.0
"""200 random changes under load: no unaffected flow loses a packet, and no forbidden packet gets through at any moment. Real packets.

A path is unaffected by a change if it is allowed before and after it, and forbidden if it is neither; each of the paths is one of the two in
most changes, and those of ALLOWED and FORBIDDEN are in all. Nothing at all may be lost, also between pods that no policy is about (FREE):
that the machine itself, with all that it has to do, loses nothing is seen before the first change.
"""
from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path as File

import pytest

sys.path.insert(0, str(File(__file__).parents[2]))
from live.changes import Changes
from live.concern import surplus, touched
from live.judgement import Judgement, Period, judge
from live.live_site import LiveSite
from live.load import RATE
from live.path import TCP, Path, Stream
from live.scenario import ALLOWED, FLEETING, FORBIDDEN, FREE, Verdicts, start_load

from conformance.lab import Lab
from sluice.ovs.flow_apply import Plan, apply_program
from sluice.ovs.program import Owner, Program

CHANGES = int(os.environ.get("LIVE_CHANGES", "200"))
SEED = int(os.environ.get("LIVE_SEED", "3"))
BY_MODULES = 20
"""Every so many changes one is made by processes of module flows, as Ansible makes it; the others by the same calls in this process."""
BROKEN_CHANGES = 20
PAUSE_SECONDS = 0.1
WARM_SECONDS = 2.0
CALM_SECONDS = 3.0
HALF_SECONDS = 0.02
"""Between the halves of a broken change; two tasks of a play have more between them."""
SILENCE_SECONDS = 2.0
"""A stream sends 50 records a second. The second retransmission of a segment comes after about a second."""


@dataclass
class Run:
    """What was done, and what came of it."""

    begun: float
    warm: float = 0.0
    calm: float = 0.0
    """When the changes began."""
    states: list[tuple[float, float, Verdicts]] = field(default_factory=list)
    """When a state was begun to be applied, when it was done, and what it says."""
    lines: int = 0
    """That were sent to the nodes."""
    surplus: list[str] = field(default_factory=list)
    drawn_again: int = 0
    judgements: dict[Path, Judgement] = field(default_factory=dict)
    streams: dict[Path, Stream] = field(default_factory=dict)

    def lost(self) -> dict[str, list[float]]:
        """By path when packets were sent, in seconds since the run began."""
        return {str(path): [round(sent - self.begun, 3) for sent in one.lost[:20]] for path, one in self.judgements.items() if one.lost}

    def leaked(self) -> dict[str, list[float]]:
        return {str(path): [round(sent - self.begun, 3) for sent in one.leaked[:20]] for path, one in self.judgements.items() if one.leaked}


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    with Lab() as made:
        yield made


def test_changes_under_load(lab: Lab) -> None:
    run = _run(lab, Changes(SEED), CHANGES)
    _tell(run)
    assert not run.leaked(), "seconds at which forbidden packets were sent that got through"
    if any(sent < run.calm for judgement in run.judgements.values() for sent in judgement.lost):
        pytest.skip("the machine loses packets without any change: this needs a calmer one")
    assert not run.lost(), "seconds at which packets of unaffected paths were sent that got lost"
    late = {str(path): max(one.closing + one.opening) for path, one in run.judgements.items() if any(one.closing + one.opening)}
    assert not late, "seconds for which a change was not in effect when it was done"
    broken = {str(path): stream for path, stream in run.streams.items()
              if stream.error or stream.sent != stream.received or stream.silence > SILENCE_SECONDS}
    assert not broken
    assert not run.surplus
    # That it was traffic and changes at all.
    assert sum(judgement.sent for judgement in run.judgements.values()) > 0.8 * RATE * (run.states[-1][1] - run.begun)
    assert all(run.judgements[path].arrived for path in FREE + ALLOWED if path.protocol != TCP)
    assert not any(run.judgements[path].arrived for path in FORBIDDEN)
    assert len(run.states) == CHANGES + 1
    assert sum(len(run.judgements[path].closing) + len(run.judgements[path].opening) for path in FLEETING) >= CHANGES // 4


def test_a_change_in_two_halves_is_found_out(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    """The test of the test: what goes is removed first, and then what comes is added."""
    def in_halves(address: str, want: Program, tables: Mapping[int, str], owner: Owner) -> Plan:
        plan = apply_program(address, want, tables, owner, check=True)
        if plan.flows.before:
            apply_program(address, Program(dict.fromkeys(plan.flows.before)), tables, owner, state="deleted")
            time.sleep(HALF_SECONDS)
        apply_program(address, want, tables, owner)
        return plan

    monkeypatch.setattr("live.live_site.apply_program", in_halves)
    run = _run(lab, Changes(SEED, kinds=("gate", "wall")), BROKEN_CHANGES, by_modules=False)
    _tell(run)
    assert run.leaked()
    assert run.lost()


def _run(lab: Lab, changes: Changes, count: int, by_modules: bool = True) -> Run:
    live = LiveSite(lab, changes.last.objects.site())
    with start_load(live) as load:
        run = Run(time.monotonic())
        run.states.append((run.begun, run.begun, changes.last.verdicts))
        time.sleep(WARM_SECONDS)
        run.warm = time.monotonic()
        time.sleep(CALM_SECONDS)
        run.calm = time.monotonic()
        for number in range(1, count + 1):
            _change(run, live, changes, by_modules and number % BY_MODULES == 0)
            time.sleep(PAUSE_SECONDS)
        load.stop()
    live.close()
    run.drawn_again, run.streams = changes.drawn_again, load.streams
    for path, record in load.records.items():
        run.judgements[path] = judge(path, record, [Period(begun, done, verdicts.allowed(path)) for begun, done, verdicts in run.states], run.warm)
    return run


def _change(run: Run, live: LiveSite, changes: Changes, by_modules: bool) -> None:
    before, policies = live.program, changes.last.objects.site().policies
    change = changes.next()
    applied = live.change(change.program, by_modules)
    run.states.append((applied.begun, applied.done, change.verdicts))
    concerned = touched(policies, change.objects.site().policies)
    for node, lines in applied.lines.items():
        run.lines += len(lines)
        run.surplus += [f"{len(run.states) - 1} ({change.what}): {wrong}" for wrong in surplus(before, change.program, node, lines, concerned)]


def _tell(run: Run) -> None:
    took = sorted(done - begun for begun, done, _verdicts in run.states[1:])
    print(f"\n{len(took)} changes in {run.states[-1][1] - run.calm:.1f} s ({run.drawn_again} drawn again), {run.lines} lines sent, "
          f"a change took {1000 * took[len(took) // 2]:.0f} ms (median), {1000 * took[-1]:.0f} ms (most)")
    for name, paths in (("free", FREE), ("allowed", ALLOWED), ("forbidden", FORBIDDEN), ("fleeting", FLEETING)):
        _tell_of(name, [run.judgements[path] for path in paths if path in run.judgements])
    for path, stream in run.streams.items():
        print(f"{path}: {stream}")


def _tell_of(name: str, some: Sequence[Judgement]) -> None:
    closing, opening = ([lag for judgement in some for lag in getattr(judgement, kind)] for kind in ("closing", "opening"))
    print(f"{name}: {sum(one.sent for one in some)} sent, {sum(one.arrived for one in some)} arrived, {sum(len(one.lost) for one in some)} lost, "
          f"{sum(len(one.leaked) for one in some)} leaked; {len(closing)} times closed (at most {1000 * max(closing, default=0):.1f} ms late), "
          f"{len(opening)} times opened (at most {1000 * max(opening, default=0):.1f} ms late)")
