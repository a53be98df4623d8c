# SPDX-License-Identifier: Apache-2.0
# pylint: disable=ansible-bad-function  # a command line, not an Ansible module
"""The engine's command line, on a node as a zipapp: the CNI plugin where a runtime calls it, else a command by its name."""
from __future__ import annotations

import os
import sys
from typing import Optional, Sequence

from ..errors import SluiceError

USAGE = """\
usage: sluice COMMAND

Commands on a node:
  agent                                 answer rejected packets and write the audit log, for ever
  restore                               put back this node's host settings, flows and pods' flows
  smartnic                              give this node's NICs the VFs, mode and offload that they are to have
  run-pod POD                           become the process that runs the pod's container
  clear-pod POD                         remove what is left of the pod's container and of its attachment
  standin NAME [TCP/PORT | UDP/PORT]... answer on these ports in place of an image that cannot be pulled

Commands anywhere:
  version                               print Sluice's version
  help                                  print this

With CNI_COMMAND set it is the CNI plugin, as container runtimes call it.
Playbooks do all else: ansible-playbook -i INVENTORY sluice.fabric.site"""


def main(arguments: Optional[Sequence[str]] = None) -> int:
    """The exit status of one run; without ``arguments``, of the process' own."""
    # Each branch imports its own: a CNI call must not wait for what only the commands need.
    if "CNI_COMMAND" in os.environ:
        from .cni.plugin import main as plugin
        return plugin(os.environ, sys.stdin, sys.stdout)
    try:
        return _command(sys.argv[1:] if arguments is None else arguments)
    except SluiceError as error:
        print(error, file=sys.stderr)
        return 1


def _command(arguments: Sequence[str]) -> int:
    command, count = (arguments[0] if arguments else ""), len(arguments) - 1
    if (command, count) == ("agent", 0):
        from .agent.agent import run
        run()
    elif (command, count) == ("restore", 0):
        from .restore import restore
        restore()
    elif (command, count) == ("smartnic", 0):
        from .smartnic.converge import at_boot
        print("\n".join(at_boot().actions) or "every NIC is as it is to be")
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
    elif (command, count) in (("help", 0), ("--help", 0), ("-h", 0)):
        print(USAGE)
    else:
        print(USAGE, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
