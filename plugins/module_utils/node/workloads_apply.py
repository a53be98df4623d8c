# SPDX-License-Identifier: Apache-2.0
"""The planned pods of a node: read from its systemd and containerd, and made so."""
from __future__ import annotations

import time
from pathlib import Path
from typing import Mapping, Sequence

from ..errors import SluiceError
from .containers import remove_root, running_tasks
from .pod_command import DEFINITIONS
from .process import answer, run
from .workloads import TEMPLATE, UNIT_TEXT, Steps, Workload, Workloads

_TEMPLATE_FILE = Path("/etc/systemd/system") / TEMPLATE
_POLL_SECONDS = 0.2


def unit(task: str) -> str:
    return TEMPLATE.replace("@", f"@{task}")


def read() -> Workloads:
    """What the node has of Sluice's pods. Raises SluiceError."""
    definitions = {file.stem: file.read_text(encoding="utf-8") for file in sorted(DEFINITIONS.glob("*.json"))}
    template = _TEMPLATE_FILE.read_text(encoding="utf-8") if _TEMPLATE_FILE.exists() else ""
    pods = {}
    if definitions:
        # Separate blocks, in the order of the names.
        shown = _systemctl("show", "--property=ActiveState,UnitFileState", "--", *map(unit, definitions)).strip().split("\n\n")
        for (task, definition), block in zip(definitions.items(), shown):
            values = dict(line.partition("=")[::2] for line in block.splitlines())
            # A pod whose container just failed is on its way: systemd starts it again.
            pods[task] = Workload(definition, values.get("UnitFileState") == "enabled",
                                  values.get("ActiveState") in ("active", "activating", "reloading"))
    return Workloads(template, pods)


def apply(steps: Steps) -> None:
    """Take the steps; all units of a kind go to systemd in one call, and start in parallel. Raises SluiceError."""
    if steps.stop:
        _systemctl("disable", "--now", "--", *map(unit, steps.stop))
        # One that took too long to stop is failed, and known for ever; systemd refuses for those that are not.
        run(["systemctl", "reset-failed", "--", *map(unit, steps.stop)], remedy="Sluice needs systemd")
        for task in steps.stop:
            (DEFINITIONS / f"{task}.json").unlink(missing_ok=True)
    if steps.remove_template:
        _TEMPLATE_FILE.unlink(missing_ok=True)
        _remove_if_empty(DEFINITIONS)
        remove_root()
    if steps.write:
        DEFINITIONS.mkdir(parents=True, exist_ok=True)
    for task, text in steps.write.items():
        _write(DEFINITIONS / f"{task}.json", text)
    if steps.write_template:
        _write(_TEMPLATE_FILE, UNIT_TEXT)
    if steps.write_template or steps.remove_template:
        _systemctl("daemon-reload")
    if steps.enable:
        _systemctl("enable", "--", *map(unit, steps.enable))
    if steps.restart:
        _systemctl("restart", "--", *map(unit, steps.restart))


def wait_until_running(tasks: Sequence[str], seconds: float) -> Mapping[str, int]:
    """Process ids of the pods' containers, once all run; containerd has then attached them to the network.

    Raises SluiceError with those that do not run in time, and what the journal has of one of them.
    """
    deadline = time.monotonic() + seconds
    while True:
        running = running_tasks()
        missing = [task for task in tasks if task not in running]
        if not missing:
            return {task: running[task] for task in tasks}
        if time.monotonic() > deadline:
            raise SluiceError(
                f"{len(missing)} of {len(tasks)} pods do not run after {seconds:.0f} s: {', '.join(missing)}. "
                f"The journal of {missing[0]}: {_journal(missing[0])}")
        time.sleep(_POLL_SECONDS)


def _journal(task: str) -> str:
    return answer("journalctl", "--unit", unit(task), "--lines=5", "--output=cat", "--no-pager").strip() or "nothing"


def _write(file: Path, text: str) -> None:
    beside = file.with_name(f".{file.name}.new")
    try:
        beside.write_text(text, encoding="utf-8")
        beside.replace(file)
    except OSError as error:
        beside.unlink(missing_ok=True)
        raise SluiceError(f"{file} could not be written: {error.strerror}") from error


def _remove_if_empty(folder: Path) -> None:
    if folder.is_dir() and not any(folder.iterdir()):
        folder.rmdir()


def _systemctl(*arguments: str) -> str:
    done = run(["systemctl", *arguments], remedy="Sluice needs systemd")
    if done.returncode:
        raise SluiceError(f"`systemctl {arguments[0]}` of the pods' units failed: {done.stderr.strip()}")
    return done.stdout
