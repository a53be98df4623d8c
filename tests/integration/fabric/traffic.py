# SPDX-License-Identifier: Apache-2.0
"""Pings that run while something changes: whose packets get lost?"""
from __future__ import annotations

import re
import subprocess
from types import TracebackType

from fabric.fabric_lab import FabricLab

INTERVAL = "0.05"


class Pings:
    """From several pods to pods on their own node and on others, over IPv4 and IPv6, 20 packets a second each.

    ``lost``, once ended: what was sent and not answered, by path.
    """

    def __init__(self, fabric: FabricLab) -> None:
        self.fabric = fabric
        self.lost: dict[str, str] = {}
        self._running: dict[str, subprocess.Popen[str]] = {}

    def __enter__(self) -> Pings:
        pods = [pod for pod in self.fabric.pods() if pod["name"] != "extra" and pod["node"] in ("node1", "node2", "node3")]
        for index, source in enumerate(pods):
            # Each pod to its neighbour in the list, and to one that is further on: on the same node and across.
            for step in (1, 3):
                target = pods[(index + step) % len(pods)]
                address = target["ips"][index % len(target["ips"])]
                # The first packet of a path may be lost while Open vSwitch learns the tunnel's next hop.
                self.fabric.on(source["node"], self.fabric.pod_command(source, f"ping -c 2 -i 0.2 -W 1 {address} >/dev/null; true"))
                command = self.fabric.pod_command(source, f"ping -i {INTERVAL} -W 2 {address}")
                # ping prints its summary when it is interrupted.
                self._running[f"{source['name']} → {target['name']} {address}"] = subprocess.Popen(
                    ["ssh", "-F", str(self.fabric.ssh_config), source["node"], f"{command} & pid=$!; read -r _; kill -INT $pid; wait $pid"],
                    stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None) -> None:
        for path, process in self._running.items():
            output, _ = process.communicate("stop\n", timeout=30)
            counts = re.search(r"(\d+) packets transmitted, (\d+) received", output)
            assert counts, f"{path}: {output}"
            # The last one may be on its way.
            if int(counts[1]) - int(counts[2]) > 1 or int(counts[1]) < 5:
                self.lost[path] = counts[0]
