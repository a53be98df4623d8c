# SPDX-License-Identifier: Apache-2.0
"""A node without Ansible: the steps of a change that is to be confirmed, each in a process of its own, as the module is."""
from __future__ import annotations

import json
import os
import signal
import subprocess
from contextlib import suppress
from pathlib import Path
from typing import Any

from confirm.confirm_site import wait_for
from ovs_sandbox import OvsSandbox

ROOT = Path(__file__).parents[3]
STEPS = """
import json, os, signal, sys
from pathlib import Path
from sluice.errors import SluiceError
from sluice.ovs.confirmed import pending, steps
from sluice.ovs.confirmed.change import Request
step, root, name, data, die = sys.argv[1], Path(sys.argv[2]), sys.argv[3], json.loads(sys.argv[4]), sys.argv[5]
write = pending.Pending.write
def dying(self, what, content):
    if what == die:
        os.kill(os.getpid(), signal.SIGKILL)
    write(self, what, content)
    if "after " + what == die:
        os.kill(os.getpid(), signal.SIGKILL)
pending.Pending.write = dying
try:
    if step == "arm":
        armed = steps.arm(Request(**data), name, root)
        print(json.dumps({"is_armed": armed.is_armed, "warnings": armed.warnings}))
    else:
        answer = steps.confirm(name, data, root)
        print(json.dumps({"stage": answer.stage, **answer.shown(False)}))
except SluiceError as error:
    print(json.dumps({"error": str(error)}))
"""


class ConfirmNode:
    """Use as a context manager; its processes end with it."""

    def __init__(self, ovs: OvsSandbox, folder: Path) -> None:
        self.ovs, self.root = ovs, folder / "confirm"

    def __enter__(self) -> ConfirmNode:
        return self

    def __exit__(self, *_: object) -> None:
        for pid in self.guardians():
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def _step(self, step: str, name: str, data: Any, die: str = "") -> dict[str, Any]:
        done = subprocess.run(
            ["ip", "netns", "exec", self.ovs.netns, "/usr/bin/python3", "-c", STEPS, step, str(self.root), name, json.dumps(data), die],
            env={**os.environ, "PYTHONPATH": str(ROOT / "src")}, capture_output=True, text=True, check=False, timeout=120)
        if die:
            assert done.returncode == -signal.SIGKILL, done.stderr
            return {}
        assert done.returncode == 0, done.stderr
        result: dict[str, Any] = json.loads(done.stdout)
        return result

    def arm(self, name: str, config: dict[str, Any], die: str = "", **options: Any) -> dict[str, Any]:
        """The first step. It kills itself where it would write the file ``die``, or (``after FILE``) has written it."""
        request = {"database": self.ovs.database, "config": config, "state": "merged", "owner": "sluice", "wait_timeout": 5, "confirm_timeout": 4, **options}
        return self._step("arm", name, request, die)

    def confirm(self, name: str, is_made: bool) -> dict[str, Any]:
        return self._step("confirm", name, is_made)

    def stage(self, name: str) -> str:
        """Empty: there is nothing of the change any more."""
        file = self.root / name / "status.json"
        return str(json.loads(file.read_text())["stage"]) if file.exists() else ""

    def await_stage(self, name: str, stage: str, seconds: float = 20) -> None:
        wait_for(lambda: self.stage(name) == stage, seconds)

    def guardians(self) -> list[int]:
        """The processes that run from the folders of changes."""
        found = []
        for process in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):
                if str(self.root).encode() in (process / "cmdline").read_bytes():
                    found.append(int(process.name))
        return found

    def ports(self) -> list[str]:
        return self.ovs.vsctl("list-ports", "br0").split()

    def ip(self, command: str) -> str:
        return self.ovs.in_netns("ip", *command.split())
