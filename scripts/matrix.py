#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes docs/matrix.md: what came of the last run on each image. docs/matrix/*.json are written by the runs themselves (molecule/vm/callback_plugins)."""
from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Iterator, Mapping, Optional, Sequence

DOCS = Path(__file__).parents[1] / "docs"
SCENARIOS = Path(__file__).parents[1] / "molecule"

TITLE = """\
# Images and what was seen to work on them

Written by the runs themselves (`molecule test -s vm-debian12` and its like, on virtual machines with the distribution's kernel and the
kernel's datapath): each playbook of a run adds what came of it to its record, and `scripts/matrix.py` makes this of the records. A run that was
not done, or did not come so far, says "not run". [The lab](lab.md#scenarios-on-virtual-machines) has what each of them does.
"""

NOT_RUN, PASSED, FAILED = "not run", "passed", "failed"
Step = Mapping[str, Any]


def table(records: Mapping[str, Mapping[str, Any]]) -> str:
    """Markdown: what passed, and how long it took. ``records``: name of a scenario to what its run has written, empty if nothing."""
    features = {name: dict(_features(record.get("steps", ()), record.get("facts", {}))) for name, record in records.items()}
    heads = ["Scenario", "Kernel", "Open vSwitch", *next(iter(features.values())), "Date"]
    rows = [[f"`{name}`", *(str(record.get("facts", {}).get(fact, "")) for fact in ("kernel", "openvswitch")), *features[name].values(),
             str(record.get("date", ""))] for name, record in records.items()]
    parts = [TITLE, _markdown(heads, rows)]
    times = [[f"`{name}`", ", ".join(f"{step['playbook']} {step['seconds']}" for step in record["steps"]), _minutes(record["steps"])]
             for name, record in records.items() if record]
    if times:
        parts += ["## Where time goes\n", "In seconds, on the machine of the run.\n", _markdown(["Scenario", "Playbooks", "All"], times)]
    return "\n".join(parts)


def _features(steps: Sequence[Step], facts: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    sites = [step for step in steps if step["playbook"] == "site"]
    verified = _first(steps, "verify")
    yield "Converge", _result(sites[0] if sites else None)
    yield "Idempotence", _result(sites[1] if len(sites) > 1 else None, unchanged=True)
    for title, count in (("All pairs", "pairs"), ("Denied by policies", "denied"), ("Services", "services")):
        yield title, _result(verified) + (f", {facts[count]}" if verified and verified["ok"] else "")
    yield "IPsec", _result(verified) if facts.get("encryption") == "ipsec" else NOT_RUN
    yield "Reboot", _result(_after(steps, "reboot", "verify"))
    upgraded = _after(steps, "upgrade", "verify")
    yield "Upgrade of Open vSwitch", _result(_after(steps, "upgrade", "site"), unchanged=True) if upgraded and upgraded["ok"] else _result(upgraded)
    yield "Uninstall", _result(_first(steps, "uninstall"))


def _first(steps: Sequence[Step], playbook: str) -> Optional[Step]:
    return next((step for step in steps if step["playbook"] == playbook), None)


def _after(steps: Sequence[Step], event: str, proof: str) -> Optional[Step]:
    """The first ``proof`` after ``event``; ``event`` itself if that has failed."""
    at = next((number for number, step in enumerate(steps) if step["playbook"] == event), len(steps))
    failed = [step for step in steps[at:at + 1] if not step["ok"]]
    return failed[0] if failed else _first(steps[at:], proof)


def _result(step: Optional[Step], unchanged: bool = False) -> str:
    if not step:
        return NOT_RUN
    return PASSED if step["ok"] and not (unchanged and step["changed"]) else FAILED


def _minutes(steps: Sequence[Step]) -> str:
    return f"{sum(step['seconds'] for step in steps) / 60:.0f} min"


def _markdown(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (heads, ["---"] * len(heads), *rows)) + "\n"


def read() -> dict[str, Any]:
    """Name of each scenario on virtual machines to its record."""
    names = sorted(folder.parent.name for folder in SCENARIOS.glob("vm-*/molecule.yml"))
    files = {name: DOCS / "matrix" / f"{name}.json" for name in names}
    return {name: json.loads(file.read_text()) if file.exists() else {} for name, file in files.items()}


if __name__ == "__main__":
    (DOCS / "matrix.md").write_text(table(read()))
