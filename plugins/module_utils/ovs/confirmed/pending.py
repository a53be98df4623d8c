# SPDX-License-Identifier: Apache-2.0
"""The folder of one change that waits to be confirmed: how the module's runs, the guardian and the process that makes the change know of each other.

Files, because each of the four may die at any moment and the others go on; each is replaced whole.
"""
from __future__ import annotations

import fcntl
import json
import os
import shutil
import time
from pathlib import Path
from typing import Any, Dict, Iterator, NamedTuple, Optional

ROOT = Path("/var/lib/sluice/confirm")

STARTING = "starting"
"""The guardian does not run yet."""
ARMED = "armed"
"""The guardian runs, and waits for the run of the module that started it to end."""
MAKING = "making"
MADE = "made"
"""The change is made, and waits to be confirmed."""
CONFIRMED = "confirmed"
ROLLING_BACK = "rolling back"
ROLLED_BACK = "rolled back"
GIVEN_UP = "given up"
"""The rollback has failed for too long."""
FINAL = (CONFIRMED, ROLLED_BACK, GIVEN_UP)


RESTART_SECONDS = 3.0
"""Within which systemd starts a guardian again that was killed."""


class Status(NamedTuple):
    """How far the guardian is."""

    stage: str
    reason: str = ""
    """Why it is rolled back."""
    trouble: str = ""
    """What keeps a rollback from being done."""
    deadline: float = 0.0
    """On the monotonic clock, which all processes share until the next boot (clock_gettime(2))."""


class Pending:
    """One such folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._lock: Optional[int] = None

    @property
    def name(self) -> str:
        return self.folder.name

    def create(self) -> None:
        """Only root may read it: it holds the configuration, which may have secrets."""
        self.folder.mkdir(mode=0o700)
        self.set(Status(STARTING))

    def remove(self) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)

    def status(self) -> Optional[Status]:
        found = self.read("status")
        return Status(**found) if found else None

    def set(self, status: Status) -> None:
        self.write("status", status._asdict())

    def read(self, name: str) -> Optional[Dict[str, Any]]:
        """What was written under that name; None: nothing."""
        try:
            found: Dict[str, Any] = json.loads((self.folder / f"{name}.json").read_text(encoding="utf-8"))
        except FileNotFoundError:
            return None
        return found

    def write(self, name: str, data: Any) -> None:
        path = self.folder / f"{name}.json"
        # The process' own name: no two writers share it.
        unfinished = path.with_suffix(f".{os.getpid()}")
        with unfinished.open("w", encoding="utf-8") as file:
            json.dump(data, file)
            file.flush()
            os.fsync(file.fileno())
        unfinished.replace(path)

    def forget(self, *names: str) -> None:
        for name in names:
            (self.folder / f"{name}.json").unlink(missing_ok=True)

    def hold(self) -> None:
        """Be the guardian, until this process ends however it ends: a lock of the kernel's has no left-overs (flock(2))."""
        self._lock = os.open(self.folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        fcntl.flock(self._lock, fcntl.LOCK_EX)

    def is_guarded(self) -> bool:
        """Whether its guardian lives."""
        try:
            lock = os.open(self.folder / "lock", os.O_RDWR | os.O_CLOEXEC)
        except FileNotFoundError:
            return False
        try:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        finally:
            os.close(lock)
        return False

    def is_abandoned(self) -> bool:
        """Whether its guardian is dead, and not started again by systemd."""
        until = time.monotonic() + RESTART_SECONDS
        while not self.is_guarded():
            if time.monotonic() > until:
                return True
            time.sleep(0.1)
        return False


def everything(root: Path = ROOT) -> Iterator[Pending]:
    """All such folders of this host."""
    return (Pending(folder) for folder in sorted(root.glob("*/")) if folder.is_dir())
