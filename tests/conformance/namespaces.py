# SPDX-License-Identifier: Apache-2.0
"""Namespaces and processes that nothing is left of: they end with the process that holds or made them, however that ends."""
from __future__ import annotations

import ctypes
import os
import signal
import subprocess
from collections.abc import Sequence

from sluice.node.netns import setns

_CLONE_NEWNET = 0x40000000
_PR_SET_PDEATHSIG = 1


def new_netns() -> int:
    """The descriptor of a new network namespace."""
    library = ctypes.CDLL(None, use_errno=True)
    own = os.open("/proc/self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    try:
        if library.unshare(_CLONE_NEWNET):
            code = ctypes.get_errno()
            raise OSError(code, f"cannot make a network namespace: {os.strerror(code)}")
        try:
            return os.open("/proc/self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        finally:
            setns(own)
    finally:
        os.close(own)


def end_with_parent() -> None:
    """Have SIGTERM sent to this process when its parent is gone, however that went."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


def ip_batch(netns: int, lines: Sequence[str]) -> None:
    """Run lines of ip-batch in a namespace. Raises RuntimeError with what ip says."""
    run(["nsenter", f"--net=/proc/{os.getpid()}/fd/{netns}", "ip", "-batch", "-"], "".join(f"{line}\n" for line in lines))


def run(command: Sequence[str], stdin: str = "", environment: dict[str, str] | None = None) -> str:
    """A program's output. Raises RuntimeError with what it says if it fails."""
    done = subprocess.run(command, input=stdin, env=environment, capture_output=True, text=True, check=False, timeout=120)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)} ended with {done.returncode}: {(done.stderr or done.stdout).strip()}")
    return done.stdout
