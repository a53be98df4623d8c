# SPDX-License-Identifier: Apache-2.0
"""Ansible callback: every result as a line of JSON in $SLUICE_RECORD, for the tests to compare runs by."""
from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from ansible.plugins.callback import CallbackBase

DOCUMENTATION = """
name: record
type: notification
short_description: Every result as a line of JSON
description: For Sluice's own tests.
"""


class CallbackModule(CallbackBase):  # type: ignore[misc]
    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "notification"
    CALLBACK_NAME = "record"

    def _write(self, result: Any, outcome: str) -> None:
        answer = result._result
        line = {
            "host": result._host.get_name(), "task": result._task.get_name().rpartition(" : ")[2], "module": result._task.action,
            "outcome": outcome, "changed": bool(answer.get("changed")), "diff": answer.get("diff"), "msg": answer.get("msg")}
        with Path(os.environ["SLUICE_RECORD"]).open("a", encoding="utf-8") as file:
            file.write(json.dumps(line, default=str) + "\n")

    def v2_runner_on_ok(self, result: Any) -> None:
        self._write(result, "ok")

    def v2_runner_on_failed(self, result: Any, ignore_errors: bool = False) -> None:
        self._write(result, "failed")

    def v2_runner_on_unreachable(self, result: Any) -> None:
        self._write(result, "unreachable")

    def v2_runner_on_skipped(self, result: Any) -> None:
        self._write(result, "skipped")
