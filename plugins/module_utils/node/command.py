# SPDX-License-Identifier: Apache-2.0
"""What the engine's zipapp does on a node: the CNI plugin where a runtime calls it, else a command by its name."""
from __future__ import annotations

import os
import sys
from typing import Callable, Sequence

from ..errors import SluiceError

USAGE = "usage: sluice.pyz restore | version"


def main(arguments: Sequence[str]) -> int:
    """The exit status of one run."""
    # Each branch imports its own: a CNI call must not wait for what only the commands need.
    if "CNI_COMMAND" in os.environ:
        from .cni.plugin import main as plugin
        return plugin(os.environ, sys.stdin, sys.stdout)
    if list(arguments) == ["version"]:
        from .. import __version__
        print(__version__)
        return 0
    if list(arguments) == ["restore"]:
        from .restore import restore
        return _told(restore)
    print(USAGE, file=sys.stderr)
    return 2


def _told(command: Callable[[], None]) -> int:
    try:
        command()
    except SluiceError as error:
        print(error, file=sys.stderr)
        return 1
    return 0
