# SPDX-License-Identifier: Apache-2.0
"""What the engine's zipapp does on a node: the CNI plugin where a runtime calls it, else a command by its name."""
from __future__ import annotations

import os
import sys
from typing import Sequence

from ..errors import SluiceError

USAGE = "usage: sluice.pyz restore | run-pod POD | clear-pod POD | standin NAME [TCP/PORT | UDP/PORT]... | version"


def main(arguments: Sequence[str]) -> int:
    """The exit status of one run."""
    # Each branch imports its own: a CNI call must not wait for what only the commands need.
    if "CNI_COMMAND" in os.environ:
        from .cni.plugin import main as plugin
        return plugin(os.environ, sys.stdin, sys.stdout)
    try:
        return _command(arguments)
    except SluiceError as error:
        print(error, file=sys.stderr)
        return 1


def _command(arguments: Sequence[str]) -> int:
    command, count = (arguments[0] if arguments else ""), len(arguments) - 1
    if (command, count) == ("restore", 0):
        from .restore import restore
        restore()
    elif (command, count) == ("run-pod", 1):
        from .pod_command import run_pod
        run_pod(arguments[1])
    elif (command, count) == ("clear-pod", 1):
        from .pod_command import clear_pod
        clear_pod(arguments[1])
    elif command == "standin" and count >= 1:
        from .standin import main as standin
        return standin(arguments[1:])
    elif (command, count) == ("version", 0):
        from .. import __version__
        print(__version__)
    else:
        print(USAGE, file=sys.stderr)
        return 2
    return 0
