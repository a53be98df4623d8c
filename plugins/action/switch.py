# SPDX-License-Identifier: Apache-2.0
"""Controller side of sluice.fabric.switch: comes back over a new connection to confirm a change that is rolled back otherwise."""
from __future__ import annotations

import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from ansible.errors import AnsibleConnectionFailure, AnsibleError
from ansible.plugins.action import ActionBase
from ansible.plugins.connection import ConnectionBase

GRACE_SECONDS = 60.0
"""For which the node is sought after the time to confirm is over: a rollback may have to wait for ovs-vswitchd."""
PAUSE_SECONDS = 1.0
UNDECIDED = ("starting", "armed", "making", "made", "rolling back")
"""What the node says while the change is not yet confirmed or rolled back."""
SSH_ARGUMENTS = "-o ConnectTimeout=10 -o ServerAliveInterval=3 -o ServerAliveCountMax=3"
"""No SSH connection over a network that is gone may hang for longer. They come before the user's, as ssh takes the first (ssh_config(5))."""


class ActionModule(ActionBase):  # type: ignore[misc]
    """Run the module; with O(confirm_timeout), arm the change, and confirm it over a new connection."""

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        super().run(tmp, task_vars)
        timeout = _seconds(self._task.args.get("confirm_timeout"))
        if timeout is None or self._task.check_mode:
            return dict(self._execute_module(task_vars=task_vars))
        if self._task.async_val:
            return {"failed": True, "msg": "confirm_timeout does not go with async: the task itself waits, and comes back"}
        # The controller's own name for the change, so that it can ask for it even if the answer to its first call is lost.
        name = uuid.uuid4().hex[:12]
        with self._never_hanging():
            return self._change(name, timeout, task_vars)

    def _change(self, name: str, timeout: float, task_vars: dict[str, Any] | None) -> dict[str, Any]:
        # The connection that is there was made without the arguments that keep it from hanging.
        self._reconnect()
        armed: dict[str, Any] = {}
        try:
            armed = dict(self._execute_module(module_args={**self._task.args, "_confirm": {"name": name}}, task_vars=task_vars))
        except AnsibleConnectionFailure as error:
            # What it was to say may have been lost with the connection.
            armed = {"unreachable": True, "msg": str(error)}
        if armed.pop("is_armed", None) is False:
            return armed
        answer = self._confirm(name, time.monotonic() + timeout + GRACE_SECONDS, task_vars)
        if answer.pop("stage", None) == "absent" and (armed.get("failed") or armed.get("unreachable")):
            # The first call was cut off before it had armed anything.
            return armed
        return {**answer, "warnings": [*armed.get("warnings", ()), *answer.get("warnings", ())]}

    def _confirm(self, name: str, until: float, task_vars: dict[str, Any] | None) -> dict[str, Any]:
        """Call the node over new connections until it is decided; raises AnsibleConnectionFailure if it stays out of reach."""
        # With them, so that Ansible takes them out of whatever the module says.
        secrets = {"secrets": self._task.args["secrets"]} if self._task.args.get("secrets") else {}
        is_made = False
        while True:
            try:
                self._reconnect()
                answer = dict(self._execute_module(module_args={**secrets, "_confirm": {"name": name, "is_made": is_made}}, task_vars=task_vars))
            except AnsibleError as error:
                answer = {"msg": str(error)}
            stage = answer.get("stage")
            if stage and (stage not in UNDECIDED or time.monotonic() > until):
                return answer
            # Reached; but that connection may be older than the change. The next one is not.
            is_made = is_made or stage == "made"
            if stage:
                continue
            # Not reached, or a module that was cut off in the middle.
            if time.monotonic() > until:
                raise AnsibleConnectionFailure(
                    f"the node could not be reached after the change, nor when it should have been rolled back: {answer.get('msg')}")
            self._display.vv(f"not reached over a new connection, trying again: {answer.get('msg')}", host=self._play_context.remote_addr)
            time.sleep(PAUSE_SECONDS)

    def _reconnect(self) -> None:
        """Make the next call open a connection."""
        # A connection plugin that has no reset opens one for each command, or, as `local`, none.
        if type(self._connection).reset is not ConnectionBase.reset:
            self._connection.reset()

    @contextmanager
    def _never_hanging(self) -> Iterator[None]:
        """Connections end within seconds when the network is gone, and are tried again here alone."""
        if self._connection.transport != "ssh":
            yield
            return
        before = {name: self._connection.get_option(name) for name in ("ssh_args", "reconnection_retries")}
        self._connection.set_option("ssh_args", f"{SSH_ARGUMENTS} {before['ssh_args'] or ''}")
        self._connection.set_option("reconnection_retries", 0)
        try:
            yield
        finally:
            # Those that come after this task are the user's again.
            self._reconnect()
            for name, value in before.items():
                self._connection.set_option(name, value)


def _seconds(option: Any) -> float | None:
    """The option as a number; None if it is not set, or is none, which the module says better."""
    try:
        return None if option is None else float(option)
    except (TypeError, ValueError):
        return None
