# SPDX-License-Identifier: Apache-2.0
"""Ansible callback: write down what came of each playbook of a scenario on virtual machines, and the table of all images."""
from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from ansible.plugins.callback import CallbackBase

DOCUMENTATION = r"""
name: record
type: aggregate
short_description: Write down what came of each playbook of a scenario of Molecule
description:
  - Adds to C(docs/matrix/<scenario>.json) what came of the playbook, and has C(scripts/matrix.py) write the table.
  - C(lab_up.yml) begins a record anew. What plays say by C(set_stats) is kept as facts of the run.
"""

BEGINS, ENDS = "lab_up", "lab_down"


class CallbackModule(CallbackBase):  # type: ignore[misc]
    """One playbook, one step of the record."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "record"
    CALLBACK_NEEDS_ENABLED = True

    def __init__(self) -> None:
        super().__init__()
        self._began = time.monotonic()
        self._playbook = ""

    def v2_playbook_on_start(self, playbook: Any) -> None:
        self._playbook = Path(playbook._file_name).stem

    def v2_playbook_on_stats(self, stats: Any) -> None:
        root = Path(os.environ["MOLECULE_PROJECT_DIRECTORY"])
        scenario = os.environ["MOLECULE_SCENARIO_NAME"]
        file = root / "docs/matrix" / f"{scenario}.json"
        if self._playbook == ENDS:
            return
        new: dict[str, Any] = {"date": datetime.now(timezone.utc).date().isoformat(), "facts": {}, "steps": []}
        record = new if self._playbook == BEGINS else json.loads(file.read_text())
        record["facts"].update(stats.custom.get("_run", {}))
        hosts = [stats.summarize(host) for host in stats.processed]
        record["steps"].append({
            "playbook": self._playbook, "seconds": round(time.monotonic() - self._began),
            "ok": bool(hosts) and not any(host["failures"] or host["unreachable"] for host in hosts),
            "changed": sum(host["changed"] for host in hosts)})
        file.parent.mkdir(exist_ok=True)
        file.write_text(json.dumps(record, indent=2) + "\n")
        subprocess.run([sys.executable, root / "scripts/matrix.py"], check=True)
