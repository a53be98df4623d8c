# SPDX-License-Identifier: Apache-2.0
"""Runs cases; exit status 0 only if none failed."""
from __future__ import annotations

import argparse
import contextlib
import fnmatch
import itertools
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from .case_file import find_cases
from .report import closing, lines, write_junit
from .run import FAIL, Result
from .workers import run_all


def main(arguments: Sequence[str]) -> int:
    """The exit status: 0 nothing failed, 1 something did, 2 the cases could not be read, 130 interrupted."""
    options = _parse(arguments)
    try:
        cases = find_cases(options.paths)
    except ValueError as error:
        print(error, file=sys.stderr)
        return 2
    chosen = [case for case in cases if fnmatch.fnmatch(case.id, options.only) and not case.requires & set(options.skip_tag)]
    # The steps of one test follow each other on one cluster.
    tests = [list(steps) for _key, steps in itertools.groupby(chosen, key=lambda case: case.sequence or case.id)]
    started = time.monotonic()
    results: list[Result] = []
    status = 0
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        with contextlib.closing(run_all(tests, options.jobs, not options.offline, options.family)) as finished:
            for result in finished:
                results.append(result)
                print("\n".join(lines(result, len(results), len(chosen))), flush=True)
    except KeyboardInterrupt:
        print(f"interrupted after {len(results)} of {len(chosen)} cases", file=sys.stderr)
        status = 130
    if options.junit:
        write_junit(results, options.junit)
    print(f"{sum(result.rows for result in results)} rows in {time.monotonic() - started:.0f} s")
    print(closing(results))
    return status or int(any(result.outcome == FAIL for result in results))


def _parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.conformance", description="Run reachability cases against compiled programs.")
    parser.add_argument("paths", nargs="+", type=Path, metavar="PATH", help="cases, or folders of them")
    parser.add_argument("--offline", action="store_true", help="only what the analysis says, without any packet")
    parser.add_argument("--only", default="*", metavar="GLOB", help="only cases whose corpus/name matches")
    parser.add_argument("--skip-tag", action="append", default=[], metavar="TAG", help="leave out cases that require this; may be repeated")
    parser.add_argument("--junit", type=Path, metavar="FILE", help="write the results as JUnit XML, too")
    parser.add_argument("--jobs", type=int, default=1, metavar="N", help="labs at a time")
    parser.add_argument("--family", type=int, choices=(4, 6), default=4, help="ask rows between pods over this version of IP")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
