# SPDX-License-Identifier: Apache-2.0
"""Endpoints that come and go under open connections. Real packets."""
from __future__ import annotations

import subprocess
import sys
from typing import Iterator

import pytest
from service.service_node import CLIENT, CLUSTER_IPS, ServiceNode, service, site

TALK = """
import socket, sys
s = socket.create_connection((sys.argv[1], 80), 2)
s.settimeout(1)
print(s.recv(100).decode().split()[0], flush=True)
for line in sys.stdin:
    try:
        s.sendall(b'again')
        print(s.recv(100).decode().split()[0] or 'closed', flush=True)
    except OSError as error:
        print(type(error).__name__, flush=True)
"""


@pytest.fixture(scope="module")
def node() -> Iterator[ServiceNode]:
    with ServiceNode(site(service())) as running:
        yield running


class Talk:
    """An open connection to the Service."""

    def __init__(self, node: ServiceNode, address: str) -> None:
        self._process = node.start(CLIENT, sys.executable, "-c", TALK, address, stdin=subprocess.PIPE)
        self.server = self._line()

    def _line(self) -> str:
        assert self._process.stdout
        return self._process.stdout.readline().strip()

    def again(self) -> str:
        assert self._process.stdin
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        return self._line()

    def close(self) -> None:
        self._process.kill()
        self._process.wait()


@pytest.mark.parametrize("family", [0, 1], ids=["v4", "v6"])
def test_a_removed_endpoint_gets_no_new_connection_and_open_ones_stay(node: ServiceNode, family: int) -> None:
    node.change(site(service()))
    talks = [Talk(node, CLUSTER_IPS[family]) for _ in range(12)]
    try:
        assert {talk.server for talk in talks} == {"pod-1-0", "pod-1-1", "pod-1-2"}
        node.change(site(service(), ready={0, 1}))
        assert set(node.reached(CLIENT, CLUSTER_IPS[family], count=30)) == {"pod-1-0", "pod-1-1"}
        for talk in talks:
            assert talk.again() == talk.server
    finally:
        for talk in talks:
            talk.close()
