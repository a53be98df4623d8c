# SPDX-License-Identifier: Apache-2.0
"""The agent on a real bridge: what clients see of a rejected packet, what the log says of it, and what a flood does."""
from __future__ import annotations

import errno
import signal
import sys
import time
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from agent.agent_net import PODS, TABLE, AgentNet

from sluice.pipeline.notify import LOG, METER_RULES, METER_SERVICES, REJECT, notify
from sluice.pipeline.tables import ALLOWED, INGRESS_POLICY, SERVICE, ZONE

REFUSED, PROHIBITED4, PROHIBITED6, SILENCE = errno.ECONNREFUSED, errno.EHOSTUNREACH, errno.EACCES, 0

# Prints the error that a client sees, 0 after one second of silence.
TCP = """
import socket, sys
with socket.socket(socket.AF_INET6 if ":" in sys.argv[1] else socket.AF_INET) as client:
    client.settimeout(0.9)
    try:
        client.connect((sys.argv[1], int(sys.argv[2])))
        print("connected")
    except socket.timeout:
        print(0)
    except OSError as error:
        print(error.errno)
"""
UDP = """
import socket, sys
with socket.socket(socket.AF_INET6 if ":" in sys.argv[1] else socket.AF_INET, socket.SOCK_DGRAM) as client:
    client.settimeout(0.9)
    client.connect((sys.argv[1], int(sys.argv[2])))
    client.send(b"x" * int(sys.argv[3]) if len(sys.argv) > 3 else b"x")
    try:
        client.recv(100)
        print("answered")
    except socket.timeout:
        print(0)
    except OSError as error:
        print(error.errno)
"""
TCP_SERVER = """
import socket
server = socket.create_server(("::", 80), family=socket.AF_INET6, dualstack_ipv6=True)
print("ready", flush=True)
held = []
while True:
    client, address = server.accept()
    held.append(client)
    client.send(b"hello")
"""


def client(net: AgentNet, code: str, *arguments: str) -> str:
    return net.run("client", sys.executable, "-c", code, *arguments).strip()


def rejected(net: AgentNet, what: int = REJECT, match: str = "", **facts: Any) -> None:
    for name, word, address in (("v4", "ip,nw_dst", PODS["server"][0]), ("v6", "ipv6,ipv6_dst", PODS["server"][1])):
        net.rule(f"AntreaNetworkPolicy shop/{name}", "ingress[0]", f"{word}={address}{match}", [notify(what, METER_RULES)], action="Reject",
                 log=bool(what & LOG), **facts)


@pytest.mark.parametrize(("code", "family", "seen"), [(TCP, 0, REFUSED), (TCP, 1, REFUSED), (UDP, 0, PROHIBITED4), (UDP, 1, PROHIBITED6)])
def test_a_client_learns_at_once_that_a_rule_rejects_it(net: AgentNet, code: str, family: int, seen: int) -> None:
    rejected(net)
    address = PODS["server"][family]
    assert client(net, code, address, "80") == str(SILENCE), "without the agent it is dropped"
    agent = net.start_agent()
    assert client(net, code, address, "80") == str(seen)
    agent.send_signal(signal.SIGKILL)
    agent.wait()
    assert client(net, code, address, "80") == str(SILENCE)


def test_ping_and_long_and_fragmented_packets(net: AgentNet) -> None:
    rejected(net)
    net.start_agent()
    for address, said in ((PODS["server"][0], "Destination Host Prohibited"), (PODS["server"][1], "Administratively prohibited")):
        ping = ["ping", "-c1", "-W1", address]
        assert said in net.run("client", "sh", "-c", f"{' '.join(ping)}; true")
    for size in ("1000", "4000"):
        assert client(net, UDP, PODS["server"][0], "80", size) == str(PROHIBITED4)
        assert client(net, UDP, PODS["server"][1], "80", size) == str(PROHIBITED6)


@pytest.mark.parametrize(("code", "vip"), [(TCP, "10.96.0.2"), (TCP, "fd10:96::1"), (UDP, "10.96.0.2"), (UDP, "fd10:96::1")])
def test_a_service_without_endpoints_refuses(net: AgentNet, code: str, vip: str) -> None:
    word = "ipv6,ipv6_dst" if ":" in vip else "ip,nw_dst"
    net.flows(f"cookie=0x51c3000000000001,table={TABLE[SERVICE]},{word}={vip} actions={notify(REJECT, METER_SERVICES)}")
    net.start_agent()
    assert client(net, code, vip, "80") == str(REFUSED)


@pytest.mark.parametrize(("code", "word", "seen"), [(TCP, "tcp", REFUSED), (UDP, "udp", PROHIBITED4)])
def test_the_answer_comes_from_the_service_that_was_called(net: AgentNet, code: str, word: str, seen: int) -> None:
    nat = f"ct(commit,zone={ZONE},nat(dst={PODS['server'][0]}:80),exec(set_field:7->ct_mark),table={TABLE[INGRESS_POLICY]})"
    net.flows(f"table={TABLE[SERVICE]},{word},nw_dst=10.96.0.1,tp_dst=8080 actions={nat}")
    rejected(net)
    net.start_agent()
    assert client(net, code, "10.96.0.1", "8080") == str(seen)


def test_an_established_connection_is_reset(net: AgentNet) -> None:
    net.serve("server", TCP_SERVER)
    net.start_agent()
    stream = net.run_later("client", """
import socket, sys, time
with socket.create_connection((sys.argv[1], 80)) as client:
    print(client.recv(5).decode(), flush=True)
    sys.stdin.readline()
    client.settimeout(2)
    try:
        client.send(b"more")
        print(client.recv(5))
    except OSError as error:
        print(error.errno, flush=True)
""", PODS["server"][0])
    assert stream.stdin and stream.stdout
    assert stream.stdout.readline() == "hello\n"
    rejected(net)
    stream.stdin.write("\n")
    stream.stdin.flush()
    assert stream.stdout.readline() == f"{errno.ECONNRESET}\n"


def test_one_line_an_event(net: AgentNet) -> None:
    rejected(net, LOG | REJECT, name="no way", label='a "b"\nc')
    net.rule("NetworkPolicy shop/open", "ingress[1]", f"udp,nw_dst={PODS['other'][0]}",
             [notify(LOG, METER_RULES), f"goto_table:{TABLE[ALLOWED]}"], action="Allow", log=True)
    net.start_agent()
    assert client(net, TCP, PODS["server"][0], "80") == str(REFUSED)
    send = "import socket; s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.bind(('', 5000)); [s.sendto(b'x' * 10, ('%s', 53)) for _ in range(5)]"
    net.run("client", sys.executable, "-c", send % PODS["other"][0])
    net.run("client", "sh", "-c", f"ping -c1 -W1 {PODS['server'][1]}; true")
    lines = net.wait_for_log(lambda found: len(found) == 3)
    tcp, udp, ping = sorted(lines, key=lambda line: ["TCP", "UDP", "ICMPv6"].index(line["protocol"]))
    assert {key: tcp[key] for key in tcp.keys() - {"time", "source_port", "length", "seconds"}} == {
        "action": "Reject", "direction": "ingress", "policy": "AntreaNetworkPolicy shop/v4", "rule": "AntreaNetworkPolicy shop/v4 ingress[0]",
        "name": "no way", "protocol": "TCP", "source": "shop/client", "source_address": "10.10.0.2", "destination": "shop/server",
        "destination_address": "10.10.0.3", "destination_port": "80", "packets": "1", "label": 'a "b"\nc'}
    assert (udp["action"], udp["packets"], udp["source_port"], udp["destination_port"], udp["length"]) == ("Allow", "5", "5000", "53", "38")
    assert (ping["icmp_type"], ping["icmp_code"], ping["source_address"]) == ("128", "0", "fd10:10::2")
    assert abs(time.time() - datetime.fromisoformat(tcp["time"]).timestamp()) < 30


def test_a_flood_is_bounded_and_disturbs_nobody(net: AgentNet) -> None:
    rejected(net, LOG | REJECT, ",reg0=0x0/0x10")
    agent = net.start_agent()
    before = resident(agent.pid)
    flood = net.run_later("client", """
import socket, sys, time
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
end = time.monotonic() + 4
count = 0
while time.monotonic() < end:
    for _ in range(200):
        try:
            s.sendto(b"x", (sys.argv[1], 1 + count % 60000))
        except OSError:
            pass
        count += 1
print(count, flush=True)
""", PODS["server"][0])
    time.sleep(0.5)
    ping = net.run("other", "ping", "-q", "-i", "0.01", "-c", "250", "-W", "1", PODS["bystander"][0])
    assert flood.stdout
    sent = int(flood.stdout.readline())
    assert sent > 20000
    assert " 250 received" in ping, ping
    time.sleep(1.5)
    lines = net.log()
    events = [line for line in lines if "left_out" not in line]
    assert len(events) <= 100 * 7
    assert sum(int(line["left_out"]) for line in lines if "left_out" in line) > 100
    assert sum(int(line["packets"]) for line in events) + sum(int(line.get("left_out", 0)) for line in lines) < 500 * 5 + 1000
    assert resident(agent.pid) - before < 8_000
    assert agent.poll() is None
    assert net.ovs.pid("ovs-vswitchd")
    assert client(net, TCP, PODS["server"][0], "80") == str(REFUSED)


def resident(pid: int) -> int:
    """Kilobytes."""
    return int(next(line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("VmRSS:")).split()[1])


def test_it_outlives_the_switch_and_learns_of_new_rules(net: AgentNet) -> None:
    agent = net.start_agent()
    net.ovs.kill("ovs-vswitchd")
    time.sleep(1.5)
    net.ovs.start_vswitchd()
    assert agent.stdout
    assert "closed the connection" in agent.stdout.readline()
    assert "cannot connect" in agent.stdout.readline()
    assert "connected" in agent.stdout.readline()


def test_new_rules_are_known_without_a_restart(net: AgentNet) -> None:
    net.start_agent()
    rejected(net, LOG | REJECT)
    assert client(net, TCP, PODS["server"][0], "80") == str(REFUSED)
    assert net.wait_for_log(bool)[0]["rule"] == "AntreaNetworkPolicy shop/v4 ingress[0]"


def test_it_ends_when_its_engine_is_replaced_and_when_it_is_told_to(net: AgentNet) -> None:
    rejected(net, LOG | REJECT)
    agent = net.start_agent()
    new = net.folder / "agent.new"
    new.write_text("# another version\n")
    new.replace(net.folder / "agent.py")
    assert agent.wait(5) == 0
    agent = net.start_agent()
    client(net, TCP, PODS["server"][0], "80")
    agent.send_signal(signal.SIGTERM)
    assert agent.wait(5) == 0
    assert len(net.log()) == 1, "what was not written yet is written at the end"
