# SPDX-License-Identifier: Apache-2.0
# pylint: disable=ansible-bad-function  # the engine knows no Ansible module
"""Run a program, and say in one sentence why it failed."""
from __future__ import annotations

import ctypes
import shlex
import signal
import subprocess
from typing import Mapping, Optional, Sequence

from ..errors import SluiceError

_PR_SET_PDEATHSIG = 1


def run(argv: Sequence[str], *, check: bool = True, env: Optional[Mapping[str, str]] = None) -> str:
    """Run ``argv`` and return what it printed. Raises SluiceError with its last words if it fails and ``check`` is set."""
    try:
        result = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, env=env, preexec_fn=_die_with_parent, check=False)
    except FileNotFoundError:
        raise SluiceError(f"this host has no program {argv[0]}; install it, as playbooks/lab_up.yml does, and run again") from None
    if check and result.returncode != 0:
        raise SluiceError(f"`{shlex.join(argv)}` failed with code {result.returncode}: {_last_words(result.stderr or result.stdout)}")
    return result.stdout


def succeeds(argv: Sequence[str]) -> bool:
    """Whether ``argv`` exits with 0."""
    return subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, preexec_fn=_die_with_parent, check=False).returncode == 0


def ends_with(argv: Sequence[str], code: int, timeout: float) -> bool:
    """Whether ``argv`` exits with ``code`` within ``timeout`` seconds; it is killed after them."""
    try:
        done = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, preexec_fn=_die_with_parent, timeout=timeout, check=False)
    except (FileNotFoundError, subprocess.TimeoutExpired):
        return False
    return done.returncode == code


def _die_with_parent() -> None:
    # A killed run must not leave a half-done build working behind the back of the next one.
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def _last_words(output: str, lines: int = 5) -> str:
    return " | ".join(line.strip() for line in output.strip().splitlines()[-lines:]) or "it printed nothing"
