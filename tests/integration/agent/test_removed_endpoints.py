# SPDX-License-Identifier: Apache-2.0
"""Clients of a UDP Service whose endpoint goes away: real sockets, real conntrack, the module as Ansible runs it."""
from __future__ import annotations

import subprocess
from collections.abc import Sequence
from typing import Any

import pytest
from agent.agent_net import PODS, TABLE, AgentNet
from flows.test_flows_module import module

from sluice.pipeline.tables import FLOW_TABLES, INGRESS_POLICY, SERVICE, ZONE

OWNER = "0x51c9000000000000/0xffff000000000000"

SERVER = """
import socket, sys
server = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
server.bind(("::", 53))
print("ready", flush=True)
while True:
    data, address = server.recvfrom(100)
    server.sendto(b"{name}", address)
"""
# Answers, or silence, for every line that it reads; always from the same port.
CLIENT = """
import socket, sys
client = socket.socket(socket.AF_INET6 if ":" in sys.argv[1] else socket.AF_INET, socket.SOCK_DGRAM)
client.settimeout(2)
client.connect((sys.argv[1], 53))
for line in sys.stdin:
    client.send(b"?")
    try:
        print(client.recv(100).decode(), flush=True)
    except OSError as error:
        print(error, flush=True)
"""


def ask(client: subprocess.Popen[str]) -> str:
    assert client.stdin and client.stdout
    client.stdin.write("\n")
    client.stdin.flush()
    return client.stdout.readline().strip()


@pytest.mark.parametrize(("family", "vip", "match"), [(0, "10.96.0.1", "udp,nw_dst"), (1, "fd10:96::1", "udp6,ipv6_dst")])
def test_clients_of_a_removed_endpoint_get_another_and_others_stay(net: AgentNet, family: int, vip: str, match: str) -> None:
    def options(pods: Sequence[str]) -> dict[str, Any]:
        buckets = []
        for pod in pods:
            address = f"[{PODS[pod][1]}]" if family else PODS[pod][0]
            buckets.append(f"bucket=actions=ct(commit,zone={ZONE:#x},nat(dst={address}:53),exec(set_field:7->ct_mark),table={INGRESS_POLICY})")
        return {
            "bridge": "br-sluice", "socket": f"unix:{net.ovs.directory}/br-sluice.mgmt", "cookie": OWNER, "conntrack_zone": ZONE,
            "tables": {str(number): name for number, name in FLOW_TABLES.items()}, "groups": [",".join(["group_id=5,type=select", *buckets])],
            "flows": [f"cookie=0x51c9000000000001,table={TABLE[SERVICE]},{match}={vip},tp_dst=53 actions=group:5"]}

    for pod in ("server", "other"):
        net.serve(pod, SERVER.replace("{name}", pod))
    first = module("flows", options(["server"]))
    assert not first["failed"], first["msg"]
    assert first["conntrack_removed"] == 0
    moved = [net.run_later("client", CLIENT, vip) for _number in range(3)]
    assert [ask(client) for client in moved] == ["server"] * 3
    assert module("flows", options(["server", "other"]))["conntrack_removed"] == 0
    stayed = next(client for client in (net.run_later("client", CLIENT, vip) for _number in range(40)) if ask(client) == "other")
    on_server = net.ovs.appctl("dpctl/dump-conntrack").count(f"reply=(src={PODS['server'][family]}")

    predicted = module("flows", options(["other"]), "--check")
    assert [ask(client) for client in moved] == ["server"] * 3
    done = module("flows", options(["other"]))
    assert (predicted["conntrack_removed"], done["conntrack_removed"]) == (on_server, on_server)
    entries = net.ovs.appctl("dpctl/dump-conntrack")
    assert f"reply=(src={PODS['server'][family]}" not in entries
    assert f"reply=(src={PODS['other'][family]}" in entries
    assert [ask(client) for client in [*moved, stayed]] == ["other"] * 4
    again = module("flows", options(["other"]))
    assert (again["changed"], again["conntrack_removed"]) == (False, 0)
