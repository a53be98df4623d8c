# SPDX-License-Identifier: Apache-2.0
"""The edges: sysfs below a root, and the commands `devlink`, `ethtool` and `ip`."""
from __future__ import annotations

import os
from pathlib import Path
from typing import Optional, Protocol

from ...errors import SluiceError
from .. import process

_REMEDY = "install iproute2 and ethtool"


class Machine(Protocol):
    """A machine with NICs; the real one, or a recorded one."""

    root: Path

    def write(self, path: str, value: str) -> None:
        """Into a file of sysfs. Raises SluiceError with what the kernel said."""

    def query(self, *command: str) -> Optional[str]:
        """What a command prints; None if it fails or is not there."""

    def run(self, *command: str) -> None:
        """A command that changes something. Raises SluiceError."""


class Host:
    """The machine itself."""

    def __init__(self) -> None:
        self.root = Path("/")

    def write(self, path: str, value: str) -> None:
        try:
            # One write(2): sysfs takes each as a value of its own.
            descriptor = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
            try:
                os.write(descriptor, value.encode())
            finally:
                os.close(descriptor)
        except OSError as error:
            raise SluiceError(f"`echo {value} > {path}` failed: {error.strerror}; `dmesg` may say why") from error

    def query(self, *command: str) -> Optional[str]:
        try:
            done = process.run(command, remedy=_REMEDY)
        except SluiceError:
            return None
        return done.stdout if done.returncode == 0 else None

    def run(self, *command: str) -> None:
        done = process.run(command, remedy=_REMEDY)
        if done.returncode:
            lines = (done.stderr.strip() or done.stdout.strip()).splitlines()
            raise SluiceError(f"`{' '.join(command)}` failed: {lines[-1] if lines else f'exit status {done.returncode}'}; `dmesg` may say more")
