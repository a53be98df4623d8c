# SPDX-License-Identifier: Apache-2.0
"""Labs of two nodes whose traffic is encrypted, and what tests of it look at: the wire between the nodes, and connections that are to last."""
from __future__ import annotations

import re
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from fabric.fabric_lab import FabricLab

NODES = ("node1", "node2")
LASTS_SECONDS = 180
MARKER = "sluice-payload-m"
"""As long as ping's pattern can be."""


@contextmanager
def encrypted_lab(folder: Path, packages: list[str], **variables: Any) -> Iterator[FabricLab]:
    """Two nodes that can install ``packages``."""
    lab = FabricLab("e" + uuid.uuid4().hex[:6], folder)
    try:
        lab.set_nodes(1, 2)
        lab.set_variables(sluice_lab_extra_packages=packages, ansible_timeout=60, workloads_wait=600, **variables)
        lab.succeed("lab_up")
        for node in NODES:
            lab.on(node, "apt-get -q update && apt-get -qy install tcpdump")
        yield lab
    finally:
        lab.run("lab_down")


def pair(fabric: FabricLab) -> tuple[dict[str, Any], dict[str, Any], str]:
    """Two pods on different nodes, and the second one's address."""
    first = fabric.pod("api")
    second = next(pod for pod in fabric.pods() if pod["node"] != first["node"] and pod["ips"])
    return first, second, second["ips"][0].partition("/")[0]


def encrypt(fabric: FabricLab, encryption: str, *nodes: str) -> None:
    """The inventory in which ``nodes`` have ``encryption``, and the others none."""
    fabric.set_variables(sluice_encryption=f"{{{{ '{encryption}' if inventory_hostname in {nodes} else 'none' }}}}")


def captured(fabric: FabricLab) -> str:
    """What travels between the nodes while one pod sends the marker to another, as text without line ends."""
    source, _destination, address = pair(fabric)
    fabric.on(source["node"], "nohup tcpdump -i eth1 -n -l -A -s 0 >/tmp/wire.txt 2>/dev/null & echo $! >/tmp/wire.pid; sleep 2")
    fabric.on(source["node"], fabric.pod_command(source, f"ping -c 5 -i 0.2 -W 2 -p {MARKER.encode().hex()} {address}"), check=False)
    return fabric.on(source["node"], "sleep 1; kill $(cat /tmp/wire.pid); cat /tmp/wire.txt").replace("\n", "")


def passes(fabric: FabricLab, count: int = 3, size: int = 56) -> bool:
    """Whether pings between the pair are answered; the first may be the one that asks for keys."""
    source, _destination, address = pair(fabric)
    command = fabric.pod_command(source, f"ping -c {count} -i 0.5 -W 2 -M do -s {size} {address}")
    return " 0 received" not in fabric.on(source["node"], command, check=False)


class Pings:
    """Ten pings a second between the pair, while something changes."""

    def __init__(self, fabric: FabricLab) -> None:
        self.fabric = fabric
        self.source, _destination, self.address = pair(fabric)
        self.sent = self.received = 0

    def __enter__(self) -> Pings:
        command = self.fabric.pod_command(self.source, f"ping -i 0.1 {self.address}")
        self.fabric.on(self.source["node"], f"nohup {command} >/tmp/pings.txt 2>&1 & echo $! >/tmp/pings.pid")
        return self

    def __exit__(self, *_exception: object) -> None:
        text = self.fabric.on(self.source["node"], "kill -INT $(cat /tmp/pings.pid); sleep 1; cat /tmp/pings.txt", check=False)
        counts = re.search(r"(\d+) packets transmitted, (\d+) received", text)
        assert counts, text
        self.sent, self.received = map(int, counts.groups())

    def __str__(self) -> str:
        return f"{self.sent - self.received} of {self.sent} pings, ten a second, were lost"


def turn_off(fabric: FabricLab, encryption: str) -> Pings:
    """Turn it off on the second node, then on the first; gives what became of pings meanwhile."""
    with Pings(fabric) as pings:
        encrypt(fabric, encryption, NODES[0])
        fabric.succeed("site")
        fabric.set_variables(sluice_encryption=None)
        fabric.succeed("site")
    return pings


class Stream:
    """A TCP connection between the pair that sends a line every tenth of a second, while something changes."""

    def __init__(self, fabric: FabricLab) -> None:
        self.fabric = fabric
        self.source, self.destination, self.address = pair(fabric)

    def __enter__(self) -> Stream:
        receive = ("import socket; s = socket.create_server((\"\", 7999)); c = s.accept()[0]; "
                   "[print(l, end=\"\", flush=True) for l in c.makefile()]")
        send = (f"import socket, time; s = socket.create_connection((\"{self.address}\", 7999), 20); "
                "[(s.sendall(b\"%d %.2f\\n\" % (n, time.time())), time.sleep(0.1)) for n in range(36000)]")
        self._start(self.destination, receive, "receive")
        time.sleep(2)
        self._start(self.source, send, "send")
        time.sleep(3)
        return self

    def _start(self, pod: dict[str, Any], program: str, name: str) -> None:
        command = self.fabric.pod_command(pod, f"python3 -c '{program}'")
        self.fabric.on(pod["node"], f"nohup {command} >/tmp/{name}.txt 2>&1 & echo $! >/tmp/{name}.pid")

    def __exit__(self, *_exception: object) -> None:
        for pod, name in ((self.source, "send"), (self.destination, "receive")):
            self.fabric.on(pod["node"], f"kill $(cat /tmp/{name}.pid)", check=False)

    def received(self) -> list[int]:
        """The numbers of the lines that have arrived."""
        return [int(line.split()[0]) for line in self.fabric.on(self.destination["node"], "cat /tmp/receive.txt").splitlines()]

    def lasts(self) -> bool:
        """Whether more arrives, and nothing is missing in between. A TCP that got no answer for a minute tries again after another one (RFC 6298,
        section 5.5)."""
        before = len(self.received())
        end = time.monotonic() + LASTS_SECONDS
        while time.monotonic() < end:
            numbers = self.received()
            if len(numbers) > before + 5:
                return numbers == list(range(len(numbers)))
            time.sleep(2)
        print("the stream stands:", self.fabric.on(self.source["node"], self.fabric.pod_command(self.source, "ss --tcp --info --no-header")))
        return False
