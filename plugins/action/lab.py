# SPDX-License-Identifier: Apache-2.0
"""Runs the module sluice.fabric.lab and shows its progress, which a module alone cannot: it speaks only once, at its end."""
from __future__ import annotations

import tempfile
import threading
from pathlib import Path
from typing import Any, Optional

from ansible.plugins.action import ActionBase
from ansible.utils.display import Display

_INTERVAL = 0.2


class ActionModule(ActionBase):  # type: ignore[misc]
    """Action plugin of sluice.fabric.lab."""

    def run(self, tmp: Optional[str] = None, task_vars: Optional[dict[str, Any]] = None) -> dict[str, Any]:
        """Run the module; meanwhile print each line that it writes into its progress file."""
        super().run(tmp, task_vars)
        # On another host the file could not be read from here.
        if self._connection.transport != "local":
            return dict(self._execute_module(task_vars=task_vars))
        with tempfile.NamedTemporaryFile("r", prefix="sluice-lab-") as file:
            ended = threading.Event()
            follower = threading.Thread(target=_follow, args=(self._task.args.get("name"), Path(file.name), ended))
            follower.start()
            try:
                return dict(self._execute_module(module_args={**self._task.args, "progress": file.name}, task_vars=task_vars))
            finally:
                ended.set()
                follower.join()


def _follow(lab: str, path: Path, ended: threading.Event) -> None:
    shown = 0
    while True:
        # Asked before reading, so that what is written last is shown too.
        last = ended.wait(_INTERVAL)
        lines = path.read_text().splitlines()
        for line in lines[shown:]:
            Display().display(f"  lab {lab}: {line}")
        shown = len(lines)
        if last:
            return
