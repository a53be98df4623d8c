# SPDX-License-Identifier: Apache-2.0
# pylint: disable=ansible-bad-function  # the engine knows no Ansible module
"""Start a process that outlives this run, in a control group by which it is found again."""
from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Sequence

from . import cgroups


def start_detached(argv: Sequence[str], group: str, log: Path) -> None:
    """Start ``argv`` in a session of its own and in the control group ``group``; what it prints goes to ``log``."""
    doors = [folder / "cgroup.procs" for folder in cgroups.create(group)]

    def join() -> None:
        # "0" is the process that writes. Done before the program starts, so that there is no moment at which it would be missed.
        for door in doors:
            door.write_text("0")

    with log.open("ab") as output:
        subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True, cwd="/", preexec_fn=join)
