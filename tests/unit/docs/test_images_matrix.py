# SPDX-License-Identifier: Apache-2.0
"""The table of images, from what runs have written."""
from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[3]

spec = importlib.util.spec_from_file_location("matrix", ROOT / "scripts/matrix.py")
assert spec and spec.loader
matrix = importlib.util.module_from_spec(spec)
spec.loader.exec_module(matrix)

PLAYBOOKS = ["lab_up", "remember", "site", "site", "verify", "reboot", "verify", "upgrade", "verify", "site", "uninstall"]
FACTS = {"kernel": "6.1.0", "openvswitch": "3.1.0", "encryption": "ipsec", "pairs": 80, "denied": 6, "services": 16}
HEADS = ["Converge", "Idempotence", "All pairs", "Denied by policies", "Services", "IPsec", "Reboot", "Upgrade of Open vSwitch", "Uninstall"]


def record(playbooks: list[str] = PLAYBOOKS, **wrong: dict[int, dict[str, Any]]) -> dict[str, Any]:
    """Of a run of ``playbooks``, in which only the first site.yml changes anything; ``wrong["steps"]``: number of a step to what is else with it."""
    steps: list[dict[str, Any]] = [{"playbook": name, "seconds": 60, "ok": True, "changed": 0} for name in playbooks]
    for number, fields in wrong.get("steps", {}).items():
        steps[number].update(fields)
    return {"date": "2026-11-23", "facts": FACTS, "steps": steps}


def row(content: dict[str, Any]) -> dict[str, str]:
    lines = [line.strip("| ").split(" | ") for line in matrix.table({"vm-x": content}).splitlines() if line.startswith(("| Scenario | Kernel", "| `vm-x`"))]
    return dict(zip(lines[0], lines[1]))


def test_a_run_to_the_end() -> None:
    passed = {"All pairs": "passed, 80", "Denied by policies": "passed, 6", "Services": "passed, 16"}
    assert row(record(steps={2: {"changed": 40}})) == {
        "Scenario": "`vm-x`", "Kernel": "6.1.0", "Open vSwitch": "3.1.0", **dict.fromkeys(HEADS, "passed"), **passed, "Date": "2026-11-23"}


def test_what_a_run_did_not_come_to_is_not_run() -> None:
    cells = row(record(PLAYBOOKS[:6]))
    assert {head for head in HEADS if cells[head] == "not run"} == {"Reboot", "Upgrade of Open vSwitch", "Uninstall"}


def test_the_step_that_failed() -> None:
    assert row(record(PLAYBOOKS[:4], steps={3: {"changed": 1}}))["Idempotence"] == "failed"
    assert row(record(PLAYBOOKS[:6], steps={5: {"ok": False}}))["Reboot"] == "failed"
    assert row(record(PLAYBOOKS[:7], steps={6: {"ok": False}}))["Reboot"] == "failed"
    assert row(record(PLAYBOOKS[:10], steps={9: {"changed": 1}}))["Upgrade of Open vSwitch"] == "failed"
    verified = row(record(PLAYBOOKS[:5], steps={4: {"ok": False}}))
    assert {verified[head] for head in ("All pairs", "Denied by policies", "Services", "IPsec")} == {"failed"}


def test_without_encryption_ipsec_was_not_run() -> None:
    assert row({**record(), "facts": {**FACTS, "encryption": "none"}})["IPsec"] == "not run"


def test_a_scenario_that_never_ran_has_a_row() -> None:
    assert "| `vm-x` |  |  | not run |" in matrix.table({"vm-x": {}})


def test_the_page_is_what_the_records_say() -> None:
    assert (ROOT / "docs/matrix.md").read_text() == matrix.table(matrix.read())
