# SPDX-License-Identifier: Apache-2.0
"""Tunnel packets in clear meet the rules for them in a real kernel: only those of nodes that do not encrypt get in, and none gets out to one that does."""
from __future__ import annotations

import subprocess
import sys
import uuid
from collections.abc import Iterator

import pytest

from sluice.compile.fabric import Fabric
from sluice.encryption.strict import strict_rules
from states import cluster_state

RECEIVE = """
import socket, sys
family = socket.AF_INET6 if ":" in sys.argv[1] else socket.AF_INET
server = socket.socket(family, socket.SOCK_DGRAM)
server.bind((sys.argv[1], int(sys.argv[2]))); server.settimeout(0.2); print("ready", flush=True)
sys.stdin.readline()
try: print(server.recvfrom(100)[1][0])
except TimeoutError: print("nothing")
"""
SEND = """
import socket, sys
client = socket.socket(socket.AF_INET6 if ":" in sys.argv[1] else socket.AF_INET, socket.SOCK_DGRAM)
client.bind((sys.argv[1], 0)); client.sendto(b"clear", (sys.argv[2], int(sys.argv[3])))
"""
OWN, ENCRYPTED, CLEAR, STRANGER = "172.16.0.1", "172.16.0.2", "172.16.0.3", "172.16.0.9"


def run(*command: str, text: str = "") -> str:
    return subprocess.run(command, input=text, capture_output=True, text=True, check=True).stdout


class Pair:
    """node1 with its rules, and a link to everybody else."""

    def __init__(self, rules: str) -> None:
        self.node, self.others = (f"sluice-{uuid.uuid4().hex[:8]}" for _ in range(2))
        for name in (self.node, self.others):
            run("ip", "netns", "add", name)
        run("ip", "link", "add", "eth1", "netns", self.node, "type", "veth", "peer", "name", "eth1", "netns", self.others)
        for name, addresses in ((self.node, [OWN]), (self.others, [ENCRYPTED, CLEAR, STRANGER])):
            for address in addresses:
                run("ip", "-n", name, "addr", "add", f"{address}/16", "dev", "eth1")
            run("ip", "-n", name, "link", "set", "eth1", "up")
        run("ip", "netns", "exec", self.node, "nft", "-f", "-", text=f"table inet sluice {{\n{rules}\n}}\n")

    def arrives(self, source: str, destination: str, port: int = 6081) -> bool:
        sender, receiver = (self.node, self.others) if source == OWN else (self.others, self.node)
        server = subprocess.Popen(["ip", "netns", "exec", receiver, sys.executable, "-c", RECEIVE, destination, str(port)],
                                  stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert server.stdout is not None and server.stdout.readline() == "ready\n"
        # What the rules refuse is an error at the sender.
        subprocess.run(["ip", "netns", "exec", sender, sys.executable, "-c", SEND, source, destination, str(port)], capture_output=True, check=False)
        # The link is a veth pair, so what was sent has arrived by now or never will.
        return server.communicate("sent\n")[0].strip() == source

    def close(self) -> None:
        for name in (self.node, self.others):
            run("ip", "netns", "del", name)


def rules(kinds: list[str], **ipsec: object) -> str:
    fabric = Fabric(cluster_state(3, 0, datapath="system", encryption=kinds, ipsec=ipsec))
    return strict_rules(fabric, fabric.state.nodes["node1"])


@pytest.fixture(params=[["ipsec", "ipsec", "none"], ["wireguard", "wireguard", "none"]], ids=lambda kinds: str(kinds[0]))
def mixed(request: pytest.FixtureRequest) -> Iterator[Pair]:
    pair = Pair(rules(request.param))
    yield pair
    pair.close()


def test_in_a_mixed_cluster_only_those_without_encryption_may_send_in_clear(mixed: Pair) -> None:
    assert mixed.arrives(CLEAR, OWN)
    assert not mixed.arrives(ENCRYPTED, OWN)
    assert not mixed.arrives(STRANGER, OWN)
    assert mixed.arrives(OWN, CLEAR)
    assert not mixed.arrives(OWN, ENCRYPTED)
    assert mixed.arrives(ENCRYPTED, OWN, port=6082) and mixed.arrives(OWN, ENCRYPTED, port=6082), "what is no tunnel is none of its business"


def test_where_all_encrypt_nobody_may(request: pytest.FixtureRequest) -> None:
    pair = Pair(rules(["ipsec", "ipsec", "ipsec"]))
    request.addfinalizer(pair.close)
    assert not any(pair.arrives(source, OWN) for source in (ENCRYPTED, CLEAR, STRANGER))
    assert pair.arrives(STRANGER, OWN, port=6082)


def test_without_strict_there_are_no_rules() -> None:
    assert rules(["ipsec", "ipsec"], strict=False) == ""
    assert rules(["ipsec"]) == ""
