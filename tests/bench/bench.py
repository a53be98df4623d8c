# SPDX-License-Identifier: Apache-2.0
"""Side by side measurements: every contender in turn in every round, medians of wall and CPU time, ratios to one of them."""
from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median


@dataclass(frozen=True)
class Sample:
    """One run: seconds by the clock, and of CPU in the process and those that it waited for."""

    wall: float
    cpu: float


@dataclass(frozen=True)
class Contender:
    """``run`` gives a sample of each phase, by the phase's name, for instance first run and run without a change."""

    name: str
    run: Callable[[], Mapping[str, Sample]]
    rounds: int = sys.maxsize
    """In how many rounds it takes part: fewer where one takes minutes."""


def process(command: Sequence[str], env: Mapping[str, str] | None = None, stdin: str = "") -> tuple[Sample, str]:
    """Run a command to its end; gives what it took and what it printed. Raises RuntimeError, with its output, if it failed."""
    began = time.perf_counter()
    child = subprocess.Popen(command, env=None if env is None else dict(env), stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                             stderr=subprocess.STDOUT, text=True)
    assert child.stdin is not None
    assert child.stdout is not None
    child.stdin.write(stdin)
    child.stdin.close()
    output = child.stdout.read()
    _, status, usage = os.wait4(child.pid, 0)
    sample = Sample(time.perf_counter() - began, usage.ru_utime + usage.ru_stime)
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        raise RuntimeError(f"{' '.join(command)[:200]} ended with {child.returncode}:\n{output[-2000:]}")
    return sample, output


def cpu(pid: int) -> float:
    """Seconds of CPU that all threads of a process have had."""
    return sum(int((task / "schedstat").read_text().split()[0]) for task in Path(f"/proc/{pid}/task").iterdir()) / 1e9


def interleave(contenders: Sequence[Contender], rounds: int) -> dict[str, dict[str, list[Sample]]]:
    """All samples, by contender and phase. Noise of the machine meets all alike, as they take turns."""
    samples: dict[str, dict[str, list[Sample]]] = {}
    for turn in range(rounds):
        for contender in contenders:
            if turn < contender.rounds:
                print(f"round {turn + 1} of {rounds}: {contender.name}", file=sys.stderr, flush=True)
                for phase, sample in contender.run().items():
                    samples.setdefault(contender.name, {}).setdefault(phase, []).append(sample)
    return samples


def ratio(samples: Mapping[str, Mapping[str, Sequence[Sample]]], phase: str, name: str, base: str) -> float:
    """How many times longer than ``base`` this one takes by the clock."""
    return median(sample.wall for sample in samples[name][phase]) / median(sample.wall for sample in samples[base][phase])


def table(samples: Mapping[str, Mapping[str, Sequence[Sample]]], base: str) -> str:
    """Markdown: a row for each contender and phase; ``times`` is wall time as a multiple of the base's."""
    lines = ["| phase | contender | wall s | CPU s | times | runs |", "|---|---|---:|---:|---:|---:|"]
    for phase in samples[base]:
        for name, phases in samples.items():
            if phase in phases:
                runs = phases[phase]
                wall, cpu = median(run.wall for run in runs), median(run.cpu for run in runs)
                lines.append(f"| {phase} | {name} | {wall:.3f} | {cpu:.3f} | {ratio(samples, phase, name, base):.2f} | {len(runs)} |")
    return "\n".join(lines)
