# SPDX-License-Identifier: Apache-2.0
# pylint: disable=ansible-bad-function  # its own process, not an Ansible module
"""The process on the node that sees a change through: it has the change made, waits for the confirmation, and rolls back without one.

It decides alone whether a change is confirmed or rolled back, so that the two cannot both happen. It runs from a copy of the engine, under systemd
as a unit of its own, and goes on from its folder if systemd starts it again.
"""
from __future__ import annotations

import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any, Mapping, Optional, Tuple

from ...errors import SluiceError
from ..switch.apply import NotRealised, Outcome
from ..switch.record import Switch
from . import kernel, pending
from .addresses import moved
from .change import Moves, Request, Result, make
from .detached import process_start
from .pending import Pending, Status
from .rollback import Snapshot, roll_back, snapshot_from_json

GO_SECONDS = 30.0
"""How long the run of the module that has armed may take to say so to the controller."""
SETTLE_SECONDS = 0.5
"""After that run's end, for sshd to send its result."""
POLL_SECONDS = 0.1
RETRY_SECONDS = 1.0
GIVE_UP_SECONDS = 3600.0
LINGER_SECONDS = 60.0
"""For which, after the time to confirm, the controller can still ask what has become of the change."""


def guard(folder: Path) -> None:
    """The guardian's whole life."""
    change = Pending(folder)
    change.hold()
    status = change.status() or Status(pending.GIVEN_UP)
    if status.stage in (pending.STARTING, pending.ARMED):
        change.set(Status(pending.ARMED))
        if not _told_to_go(change):
            change.remove()
            return
        status = _begin(change)
    elif status.stage == pending.MAKING:
        status = status._replace(stage=pending.ROLLING_BACK, reason="the guardian was killed while the change was made")
    if status.stage == pending.MADE:
        _note(change, status)
        status = _await_confirmation(change, status)
    if status.stage == pending.ROLLING_BACK:
        _note(change, status)
        status = _roll_back(change, status)
    # What may be secret goes now.
    change.forget("request", "snapshot")
    _note(change, status)
    time.sleep(max(0.0, status.deadline - time.monotonic()) + LINGER_SECONDS)
    change.remove()


def _note(change: Pending, status: Status) -> None:
    # A disk that is full must not keep it from rolling back.
    with suppress(OSError):
        change.set(status)


def make_change(folder: Path) -> int:
    """The process that makes the change, so that a deadline can end it; gives its exit status."""
    change = Pending(folder)
    request = request_of(change.read("request") or {})
    network = kernel.read()
    moves = request.move_addresses
    snapshot = Snapshot(time.monotonic(), network, moved(network, moves), moves)
    change.write("snapshot", snapshot.to_json())

    def prepare(before: Switch, goal: Switch) -> None:
        change.write("snapshot", snapshot._replace(switch=(before, goal)).to_json())

    try:
        result = make(request, prepare=prepare)
    except NotRealised as error:
        change.write("made", {"error": str(error), "result": Result(error.outcome)})
        return 1
    except SluiceError as error:
        change.write("made", {"error": str(error)})
        return 1
    change.write("made", {"result": result})
    return 0


def request_of(data: Mapping[str, Any]) -> Request:
    return Request(**{field: data[field] for field in Request._fields})


def result_of(data: Optional[Mapping[str, Any]]) -> Optional[Result]:
    """The result that `make_change` wrote; None: there is none."""
    if not data or not data.get("result"):
        return None
    outcome, moves = data["result"]
    return Result(Outcome(*outcome), Moves(*moves))


def _told_to_go(change: Pending) -> bool:
    """Wait for the end of the run that has armed; whether it said that all is well before. Then its result is on its way."""
    armed_by = (change.read("request") or {})["armed_by"]
    until = time.monotonic() + GO_SECONDS
    while time.monotonic() < until and process_start(armed_by["pid"]) == armed_by["start"]:
        time.sleep(POLL_SECONDS)
    if not change.read("go"):
        return False
    time.sleep(SETTLE_SECONDS)
    return True


def _begin(change: Pending) -> Status:
    """Have the change made, and give the status after it."""
    timeout = float((change.read("request") or {})["confirm_timeout"])
    status = Status(pending.MAKING, deadline=time.monotonic() + timeout)
    change.set(status)
    failed = status._replace(stage=pending.ROLLING_BACK)
    # The lock is the guardian's own: it is not inherited.
    maker = subprocess.Popen([sys.executable, "-I", sys.argv[0], "make", str(change.folder)], stdin=subprocess.DEVNULL)
    try:
        code = maker.wait(timeout)
    except subprocess.TimeoutExpired:
        maker.kill()
        maker.wait()
        return failed._replace(reason=f"the change was not done within {timeout:g} s")
    if code:
        error = (change.read("made") or {}).get("error", f"the process that makes the change has ended with {code}")
        return failed._replace(reason=f"the change failed: {error}")
    return status._replace(stage=pending.MADE)


def _await_confirmation(change: Pending, status: Status) -> Status:
    while time.monotonic() < status.deadline:
        if change.read("confirm"):
            return status._replace(stage=pending.CONFIRMED)
        time.sleep(POLL_SECONDS)
    return status._replace(stage=pending.ROLLING_BACK, reason="the node could not be reached over a new connection in time after the change")


def _roll_back(change: Pending, status: Status) -> Status:
    database, found = _undo(change)
    until = time.monotonic() + GIVE_UP_SECONDS
    while found:
        try:
            roll_back(database, found)
            break
        except Exception as error:
            # Whatever it is: nobody else will try again.
            status = status._replace(trouble=str(error) or repr(error))
            if time.monotonic() > until:
                return status._replace(stage=pending.GIVEN_UP)
        _note(change, status)
        time.sleep(RETRY_SECONDS)
    return status._replace(stage=pending.ROLLED_BACK, trouble="")


def _undo(change: Pending) -> Tuple[str, Optional[Snapshot]]:
    """The database, and what is to be undone; None: the change was not begun."""
    database, data = (change.read("request") or {}).get("database", ""), change.read("snapshot")
    return database, snapshot_from_json(data) if data else None
