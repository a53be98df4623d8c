# SPDX-License-Identifier: Apache-2.0
"""What the module does on the node for plugins/action/switch.py: `arm` a change, and later, over a new connection, `confirm` it."""
from __future__ import annotations

import fcntl
import os
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Dict, Iterator, NamedTuple, Optional, Tuple

from ...errors import SluiceError
from ..switch.apply import Outcome
from . import command, pending
from .change import Request, Result, local_socket, make
from .detached import process_start, start
from .engine_copy import write_engine
from .guardian import POLL_SECONDS, result_of
from .pending import Pending, everything

START_SECONDS = 15.0
"""How long the guardian may take to start on a busy node."""
ANSWER_SECONDS = 20.0
"""After which the controller is told how far it is, and asks again."""
_NOTHING = Result(Outcome(False, {}, {}, ()))
ABSENT = "absent"
"""Nothing of the change is on the node."""

# The command is what runs of the copied engine, which is what this process has loaded.
__all__ = ["Answer", "Armed", "arm", "command", "confirm"]


class Armed(NamedTuple):
    is_armed: bool
    """If not, there is nothing to change."""
    result: Result = _NOTHING
    """What the change is going to do; not known to the second call for the same change."""
    warnings: Tuple[str, ...] = ()


class Answer(NamedTuple):
    """How far a change is, for the controller."""

    stage: str
    reason: str = ""
    trouble: str = ""
    result: Optional[Result] = None

    def shown(self, diff: bool) -> Dict[str, Any]:
        """As the module returns it."""
        if self.stage not in (*pending.FINAL, ABSENT, pending.ROLLING_BACK):
            return {"stage": self.stage}
        if self.stage == pending.CONFIRMED and self.result:
            return {"stage": self.stage, "confirmed": True, **self.result.shown(diff)}
        if self.stage == pending.ROLLED_BACK:
            message = f"{self.reason}; so it was rolled back: the switch, and the addresses and routes that it moved, are as before"
        elif self.stage == ABSENT:
            message = "nothing of the change is on the node: it was not begun, or the node was restarted"
        elif self.stage == pending.ROLLING_BACK:
            message = f"{self.reason}; so it is rolled back, which the node goes on to try: {self.trouble}"
        else:
            message = f"{self.reason}; and it could not be rolled back: {self.trouble}"
        plan = self.result.shown(False)["plan"] if self.result else []
        return {"stage": self.stage, "confirmed": False, "failed": True, "msg": message, "plan": plan}


def arm(request: Request, name: str, root: Path = pending.ROOT) -> Armed:
    """Check and plan the change, and start the guardian that makes it when this process has ended, and rolls it back unless confirmed in time.

    ``name`` is the controller's for this change. Doing it twice with the same one is doing it once, as a connection may break after the first.
    Raises InputError, and SluiceError also where another change waits for its confirmation.
    """
    database = local_socket(request.database, "confirm_timeout")
    request = request._replace(database=database)
    with _alone(root):
        change = Pending(root / name)
        if change.folder.exists():
            return Armed(True)
        result = make(request, check=True)
        if not result.changed:
            return Armed(False, result)
        warnings = tuple(_sweep(root, database))
        change.create()
        own = {"pid": os.getpid(), "start": process_start(os.getpid())}
        try:
            change.write("request", {**request._asdict(), "armed_by": own})
            write_engine(change.folder / "engine.pyz")
            start((sys.executable, "-I", str(change.folder / "engine.pyz"), "guard", str(change.folder)), name)
            _await_guardian(change)
        except BaseException:
            change.remove()
            raise
        change.write("go", own)
    return Armed(True, result, warnings)


def confirm(name: str, is_made: bool, root: Path = pending.ROOT) -> Answer:
    """How far the change is, once it is made or has failed or this has taken long; the first call with ``is_made`` that finds it made confirms it.

    ``is_made`` says that the controller knew it when it opened the connection over which this is called: only such a connection proves that
    the node can be reached after the change.
    """
    change = Pending(root / name)
    status = change.status()
    if is_made and status and status.stage == pending.MADE:
        change.write("confirm", {"by": os.getpid()})
    until = time.monotonic() + ANSWER_SECONDS
    waiting = [pending.STARTING, pending.ARMED, pending.MAKING, pending.ROLLING_BACK, *([pending.MADE] if is_made else ())]
    while status and status.stage in waiting and time.monotonic() < until:
        if change.is_abandoned():
            return Answer(pending.GIVEN_UP, "the process that guards the change was killed", "the change may be there in whole or in part")
        time.sleep(POLL_SECONDS)
        status = change.status()
    if not status:
        return Answer(ABSENT)
    return Answer(status.stage, status.reason, status.trouble, result_of(change.read("made")))


@contextmanager
def _alone(root: Path) -> Iterator[None]:
    """Only one run at a time arms."""
    root.mkdir(mode=0o700, parents=True, exist_ok=True)
    lock = os.open(root / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    finally:
        os.close(lock)


def _sweep(root: Path, database: str) -> Iterator[str]:
    """Remove what dead guardians left; raises SluiceError if one lives that may still roll this database back."""
    for other in everything(root):
        status = other.status()
        if status and status.stage in pending.FINAL:
            if not other.is_guarded():
                other.remove()
        elif other.is_abandoned():
            if status and status.stage not in (pending.STARTING, pending.ARMED):
                yield "an earlier change was neither confirmed nor rolled back, because the node was restarted or its guardian was killed; it stays as it is"
            other.remove()
        elif os.path.realpath((other.read("request") or {}).get("database", "")[5:]) == os.path.realpath(database[5:]):
            left = f", {max(0.0, status.deadline - time.monotonic()):.0f} s from now" if status and status.deadline else ""
            raise SluiceError(f"another change of this switch waits to be confirmed, else it is rolled back{left}: run again when that is decided")


def _await_guardian(change: Pending) -> None:
    until = time.monotonic() + START_SECONDS
    while time.monotonic() < until:
        status = change.status()
        if status and status.stage == pending.ARMED:
            return
        time.sleep(0.02)
    raise SluiceError(f"the process that would roll back did not start within {START_SECONDS:.0f} s, so nothing was changed")
