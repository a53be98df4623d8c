# SPDX-License-Identifier: Apache-2.0
"""What policies get to see of connections: every packet in the direction in which its connection was opened. Real packets."""
from __future__ import annotations

import subprocess
import sys
from typing import Iterator

import pytest
from pod_node import PodNode

from sluice.plan.addresses import BRIDGE
from states import cluster_state

CLIENT, SERVER = "default/pod-1-0", "default/pod-1-1"
ECHO = """
import socket, sys
server = socket.create_server((sys.argv[1], 80), family=socket.AF_INET6 if ':' in sys.argv[1] else socket.AF_INET)
print('ready', flush=True)
peer, _ = server.accept()
while data := peer.recv(100):
    peer.sendall(data)
"""
TALK = """
import socket, sys
peer = socket.create_connection((sys.argv[1], 80), 2)
peer.settimeout(1.5)
print('open', flush=True)
for line in sys.stdin:
    try:
        peer.sendall(b'x')
        print('answered' if peer.recv(100) else 'closed', flush=True)
    except TimeoutError:
        print('silent', flush=True)
"""
# Ports 5000 and 80, a verification tag and no chunks: enough for a switch, which judges addresses and ports.
SCTP_SERVER = """
import socket, struct
s = socket.socket(socket.AF_INET, socket.SOCK_RAW, 132)
print('ready', flush=True)
while True:
    data, peer = s.recvfrom(2000)
    source, port = struct.unpack('!HH', data[20:24])
    if port in (80, 81):
        s.sendto(struct.pack('!HHII', port, source, 1, 0), peer)
"""
SCTP_CLIENT = """
import socket, struct, sys
s = socket.socket(socket.AF_INET, socket.SOCK_RAW, 132)
s.settimeout(1)
for _ in range(2):
    s.sendto(struct.pack('!HHII', 5000, int(sys.argv[2]), 1, 0), (sys.argv[1], 0))
    try:
        while True:
            data, peer = s.recvfrom(2000)
            if peer[0] == sys.argv[1] and struct.unpack('!HH', data[20:24]) == (int(sys.argv[2]), 5000):
                sys.exit(0)
    except TimeoutError:
        pass
sys.exit(1)
"""


@pytest.fixture(scope="module", params=["revalidate", "keep"])
def node(request: pytest.FixtureRequest) -> Iterator[PodNode]:
    state = cluster_state(1, 2, established=request.param)
    with PodNode(state) as running:
        yield running


def established(node: PodNode) -> str:
    return "keep" if any("ct_state=-new+trk,ct_mark=0" in line for line in flows(node, "conntrack_state")) else "revalidate"


def flows(node: PodNode, table: str) -> list[str]:
    return node.ovs.ofctl("--names", "--no-stats", "dump-flows", BRIDGE, f"table={table}").splitlines()


def addresses(family: int) -> tuple[str, str]:
    first, second = list(cluster_state(1, 2).pods.values())
    index = 0 if family == 4 else 1
    return first.ips[index], second.ips[index]


class Talk:
    """An open TCP connection from the client to the server, on which one byte at a time is sent and answered."""

    def __init__(self, node: PodNode, server: str) -> None:
        self._server = node.start(SERVER, sys.executable, "-c", ECHO, server)
        assert self._server.stdout
        assert self._server.stdout.readline() == "ready\n"
        self._client = node.start(CLIENT, sys.executable, "-c", TALK, server, stdin=subprocess.PIPE)
        assert self._client.stdout
        assert self._client.stdout.readline() == "open\n"

    def say(self) -> str:
        assert self._client.stdin
        assert self._client.stdout
        self._client.stdin.write("\n")
        self._client.stdin.flush()
        return self._client.stdout.readline().strip()

    def close(self) -> None:
        for process in (self._client, self._server):
            process.kill()
            process.wait()


@pytest.mark.parametrize("family", [4, 6])
@pytest.mark.parametrize("table", ["egress_admin", "ingress_admin"])
def test_a_denial_ends_what_is_established_unless_it_is_kept(node: PodNode, family: int, table: str) -> None:
    client, server = addresses(family)
    match = f"ip,nw_src={client},nw_dst={server}" if family == 4 else f"ipv6,ipv6_src={client},ipv6_dst={server}"
    talk = Talk(node, server)
    try:
        assert talk.say() == "answered"
        node.ovs.ofctl("--names", "add-flow", BRIDGE, f"cookie=0xbad, table={table}, priority=9,{match} actions=drop")
        # What the datapath has cached follows the flows with one round of its revalidators; the first wait may be for a round that began before.
        node.ovs.appctl("revalidator/wait")
        node.ovs.appctl("revalidator/wait")
        assert talk.say() == ("answered" if established(node) == "keep" else "silent")
        if established(node) == "revalidate":
            node.ovs.ofctl("--names", "del-flows", BRIDGE, "cookie=0xbad/-1")
            # TCP itself waits longer and longer before it tries again.
            assert any(talk.say() == "answered" for attempt in range(5)), "what is allowed again goes on"
    finally:
        talk.close()
        node.ovs.ofctl("--names", "del-flows", BRIDGE, "cookie=0xbad/-1")


def test_replies_are_judged_in_the_direction_of_their_connection(node: PodNode) -> None:
    """A denial of the opposite direction, which any packet of the reply would match, does not touch the connection."""
    client, server = addresses(4)
    node.ovs.ofctl("--names", "add-flow", BRIDGE, f"cookie=0xbad, table=egress_admin, priority=9,ip,nw_src={server},nw_dst={client} actions=drop")
    try:
        assert node.reaches(CLIENT, server)
        assert not node.reaches(SERVER, client)
    finally:
        node.ovs.ofctl("--names", "del-flows", BRIDGE, "cookie=0xbad/-1")


def test_a_packet_of_no_connection_is_dropped(node: PodNode) -> None:
    client, server = addresses(4)
    send = ("import socket, struct; s = socket.socket(socket.AF_INET, socket.SOCK_RAW, 1); "
            f"s.sendto(struct.pack('!BBHHH', 0, 0, 0xffff - 7, 7, 0), ('{server}', 0))")
    before = dropped(node)
    assert node.run(CLIENT, sys.executable, "-c", send).returncode == 0
    assert dropped(node) > before, f"an echo reply from {client} that nobody asked for"


def dropped(node: PodNode) -> int:
    lines = node.ovs.ofctl("--names", "dump-flows", BRIDGE, "table=conntrack_state,ct_state=+inv+trk").splitlines()
    return sum(int(line.split("n_packets=")[1].split(",")[0]) for line in lines if "n_packets=" in line)


def test_sctp_knows_ports_and_directions_without_the_help_of_conntrack(node: PodNode) -> None:
    client, server = addresses(4)
    servers = [node.start(place, sys.executable, "-c", SCTP_SERVER) for place in (CLIENT, SERVER)]
    try:
        for process in servers:
            assert process.stdout
            assert process.stdout.readline() == "ready\n"
        # Only port 80 of the server is open to the client; the other way nothing is forbidden.
        node.ovs.ofctl("--names", "add-flow", BRIDGE, f"cookie=0xbad, table=ingress_admin, priority=9,sctp,nw_src={client},nw_dst={server} actions=drop")
        for reply, port in (("0x0/0x10", "tp_dst"), ("0x10/0x10", "tp_src")):
            node.ovs.ofctl("--names", "add-flow", BRIDGE, f"cookie=0xbad, table=ingress_admin, priority=10,sctp,reg0={reply},nw_src={client},"
                           f"nw_dst={server},{port}=80 actions=goto_table:allowed")

        def opens(place: str, to: str, port: int) -> bool:
            return node.run(place, sys.executable, "-c", SCTP_CLIENT, to, str(port)).returncode == 0

        assert opens(CLIENT, server, 80)
        assert not opens(CLIENT, server, 81)
        assert opens(SERVER, client, 81), "the opposite direction is another association"
        assert opens(SERVER, client, 80)
    finally:
        for process in servers:
            process.kill()
            process.wait()
        node.ovs.ofctl("--names", "del-flows", BRIDGE, "cookie=0xbad/-1")


def test_a_large_packet_is_tracked_in_its_fragments(node: PodNode) -> None:
    _client, server = addresses(4)
    assert node.run(CLIENT, "ping", "-c1", "-W2", "-s", "3000", server).returncode == 0


def test_the_host_reaches_a_pod_and_a_pod_the_host(node: PodNode) -> None:
    for family in (4, 6):
        client, _server = addresses(family)
        gateway = {4: "10.0.0.1", 6: "fd10::1"}[family]
        assert node.reaches("node", client)
        assert node.reaches(CLIENT, gateway)
