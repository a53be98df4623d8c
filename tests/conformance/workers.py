# SPDX-License-Identifier: Apache-2.0
"""Several labs at a time: a process for each, which take the next test when they have done one."""
from __future__ import annotations

import itertools
import multiprocessing
import queue
import resource
import signal
import traceback
from collections.abc import Generator, Sequence
from contextlib import nullcontext, suppress
from multiprocessing.process import BaseProcess
from multiprocessing.queues import Queue

from .case_file import Case
from .lab import Lab
from .namespaces import end_with_parent
from .run import FAIL, Result, run_sequence

Tests = Sequence[Sequence[Case]]


def run_all(tests: Tests, jobs: int, packets: bool, family: int) -> Generator[Result, None, None]:
    """The results of tests (each the cases of one sequence, or one alone) as they come in.

    However this ends, the labs are gone afterwards. Raises RuntimeError if a worker dies.
    """
    context = multiprocessing.get_context("spawn")
    todo: Queue[Sequence[Case] | None] = context.Queue()
    done: Queue[Result] = context.Queue()
    count = max(1, min(jobs, len(tests)))
    for test in (*tests, *([None] * count)):
        todo.put(test)
    workers = [context.Process(target=_work, args=(todo, done, packets, family), daemon=False) for _number in range(count)]
    for worker in workers:
        worker.start()
    try:
        for _case in itertools.chain.from_iterable(tests):
            yield _next(done, workers)
    except BaseException:
        todo.cancel_join_thread()
        for worker in workers:
            worker.terminate()
        raise
    finally:
        for worker in workers:
            worker.join()


def _next(done: Queue[Result], workers: Sequence[BaseProcess]) -> Result:
    while True:
        with suppress(queue.Empty):
            return done.get(timeout=1.0)
        if not any(worker.is_alive() for worker in workers) and done.empty():
            raise RuntimeError("the labs have ended before all cases were run")


def _work(todo: Queue[Sequence[Case] | None], done: Queue[Result], packets: bool, family: int) -> None:
    # Ctrl-C reaches all of the processes of a terminal: only the first acts on it, and ends the others by SIGTERM, in order.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda _number, _frame: _end(done))
    end_with_parent()
    # A case takes a socket a row, and a server's end for each.
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(65536, limit), limit))
    with Lab() if packets else nullcontext() as lab:
        while (test := todo.get()) is not None:
            try:
                results = run_sequence(test, lab, family)
            except Exception:
                results = [Result(case, FAIL, len(case.rows), 0.0, traceback.format_exc()) for case in test]
            for result in results:
                done.put(result)


def _end(done: Queue[Result]) -> None:
    # Nobody may be left to take the results.
    done.cancel_join_thread()
    raise SystemExit(1)
