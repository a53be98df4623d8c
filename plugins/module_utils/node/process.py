# SPDX-License-Identifier: Apache-2.0
# pylint: disable=ansible-bad-function  # the engine knows no Ansible module
"""Commands of the node, with what they print or why they fail."""
from __future__ import annotations

import os
import subprocess
from typing import Sequence

from ..errors import SluiceError

ENVIRONMENT = {**os.environ, "LC_ALL": "C", "PATH": os.environ.get("PATH", "") + ":/usr/sbin:/sbin:/usr/bin:/bin"}


def run(command: Sequence[str], text: str = "", *, remedy: str) -> subprocess.CompletedProcess[str]:
    """A command that has ended, with ``text`` for its input; ``remedy``: what to do if it is not there, which raises SluiceError."""
    try:
        return subprocess.run(command, input=text, capture_output=True, text=True, env=ENVIRONMENT, check=False)
    except FileNotFoundError as error:
        raise SluiceError(f"the command `{command[0]}` is not on this node; {remedy}") from error


def output(command: Sequence[str], text: str = "", *, remedy: str) -> str:
    """What the command prints. Raises SluiceError where it fails, too."""
    done = run(command, text, remedy=remedy)
    if done.returncode:
        raise SluiceError(f"`{' '.join(command)}` failed: {done.stderr.strip() or done.stdout.strip()}")
    return done.stdout


def answer(*command: str, text: str = "") -> str:
    """What the command prints, whether or not it fails; nothing if it is not there, where that is an answer."""
    try:
        return run(command, text, remedy="").stdout
    except SluiceError:
        return ""
