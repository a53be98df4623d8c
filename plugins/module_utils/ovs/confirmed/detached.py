# SPDX-License-Identifier: Apache-2.0
# pylint: disable=ansible-bad-function  # it leaves the Ansible module behind
"""Processes that live on when the one that starts them ends, and its session, and its SSH connection."""
from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Optional, Tuple

from ...errors import SluiceError


def start(arguments: Tuple[str, ...], name: str) -> None:
    """Start a process that neither the end of this one nor that of its session or of its SSH connection ends.

    systemd gives it a unit, and with that a control group of its own; else it is twice forked into a session of its own. Not systemd where this
    process is in another network namespace than systemd, in which the unit would find other devices.
    """
    if Path("/run/systemd/system").is_dir() and Path("/proc/1/ns/net").samefile("/proc/self/ns/net"):
        done = subprocess.run(
            ["systemd-run", "--quiet", "--collect", f"--unit=sluice-confirm-{name}", "--description=Rolls a change of Open vSwitch back unless confirmed",
             "--property=Restart=on-failure", "--property=RestartSec=1", "--", *arguments],
            stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
        if done.returncode:
            raise SluiceError(f"systemd-run could not start the process that would roll back: {done.stderr.strip()}")
        return
    child = os.fork()
    if child:
        os.waitpid(child, 0)
        return
    try:
        os.setsid()
        if os.fork() == 0:
            null = os.open(os.devnull, os.O_RDWR)
            for descriptor in range(3):
                os.dup2(null, descriptor)
            os.closerange(3, 65536)
            os.chdir("/")
            os.execv(arguments[0], arguments)
    finally:
        os._exit(0)


def process_start(pid: int) -> Optional[str]:
    """When the process was started, by which it is told from a later one of the same number (proc(5), stat, field 22); None: it has ended."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] == "Z" else fields[19]
