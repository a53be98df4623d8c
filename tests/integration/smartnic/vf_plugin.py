# SPDX-License-Identifier: Apache-2.0
"""The CNI plugin on a node whose NIC is made of veth pairs: one end is the VF, the other, as in a NIC, where its packets come out.

Run as a program in the node's network namespace: ``vf_plugin.py TREE PACKAGE``, where TREE has the static part of a sysfs, and ``ends.json``
the numbers of the interfaces. Everything but what sysfs says of these interfaces is real.
"""
from __future__ import annotations

import json
import os
import socket
import sys
from pathlib import Path


def main() -> int:
    tree = Path(sys.argv[1])
    sys.path.insert(0, sys.argv[2])
    from sluice.node.cni import vf
    from sluice.node.cni.plugin import main as plugin
    from sluice.node.smartnic import sysfs

    ends = json.loads((tree / "ends.json").read_text())

    def named(index: int) -> list[str]:
        try:
            return [socket.if_indextoname(index)]
        except OSError:
            # It is in another namespace, where sysfs would not show it either.
            return []

    def netdevs(root: str, device: str) -> list[str]:
        return [name for end in ends.get(Path(device).name, []) for name in named(end["index"])]

    def vf_of(root: str, interface: str) -> int | None:
        return next((end["vf"] for group in ends.values() for end in group if interface in named(end["index"])), None)

    vf.ROOT = str(tree)
    sysfs.netdevs, sysfs.vf_of, sysfs.switch_id = netdevs, vf_of, lambda root, interface: "b8599ffffe3a1c2e"
    return plugin(os.environ, sys.stdin, sys.stdout)


if __name__ == "__main__":
    sys.exit(main())
