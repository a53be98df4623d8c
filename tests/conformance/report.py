# SPDX-License-Identifier: Apache-2.0
"""Results as lines for people and as JUnit XML for machines."""
from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from xml.etree import ElementTree

from .run import FAIL, PASS, SKIP, Result

ROWS_SHOWN = 20


def lines(result: Result, number: int, total: int) -> list[str]:
    """One line for a case, and the table of its rows that failed."""
    head = f"[{number}/{total}] {result.outcome.upper():4} {result.case.id}  {result.rows} rows  {result.seconds:.1f} s"
    shown = [head + (f"  {len(result.failures)} rows failed" if result.failures else "")]
    shown += [f"    {line}" for line in result.message.splitlines()]
    table = [("from", "to", "port", "expected", "seen")]
    table += [(failure.row.source, failure.row.destination, f"{failure.row.protocol} {failure.row.port}", failure.expected, failure.seen)
              for failure in result.failures[:ROWS_SHOWN]]
    if len(table) > 1:
        widths = [max(len(line[column]) for line in table) for column in range(4)]
        shown += ["    " + "  ".join([*(text.ljust(width) for text, width in zip(line, widths)), line[-1]]) for line in table]
    if len(result.failures) > ROWS_SHOWN:
        shown.append(f"    … and {len(result.failures) - ROWS_SHOWN} more")
    return shown


def closing(results: Sequence[Result]) -> str:
    """The last line of a run."""
    count = Counter(result.outcome for result in results)
    return f"{count[PASS]} passed, {count[FAIL]} failed, {count[SKIP]} skipped"


def write_junit(results: Sequence[Result], path: Path) -> None:
    """A test suite a corpus, a test case a case. Raises OSError."""
    root = ElementTree.Element("testsuites", name="conformance")
    for corpus in sorted({result.case.corpus for result in results}):
        own = [result for result in results if result.case.corpus == corpus]
        count = Counter(result.outcome for result in own)
        suite = ElementTree.SubElement(root, "testsuite", name=corpus, tests=str(len(own)), failures=str(count[FAIL]), skipped=str(count[SKIP]),
                                       errors="0", time=f"{sum(result.seconds for result in own):.3f}")
        for result in own:
            case = ElementTree.SubElement(suite, "testcase", classname=corpus, name=result.case.path.stem, time=f"{result.seconds:.3f}")
            if result.outcome != PASS:
                details = lines(result, 1, 1)[1:]
                what = ElementTree.SubElement(case, "skipped" if result.outcome == SKIP else "failure", message=details[0].strip())
                what.text = "\n".join(details)
    ElementTree.ElementTree(root).write(path, encoding="utf-8", xml_declaration=True)
