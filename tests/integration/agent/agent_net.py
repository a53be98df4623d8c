# SPDX-License-Identifier: Apache-2.0
"""Pods on a private bridge whose flows are a small pipeline with policies, and the agent that serves it."""
from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from ovs_sandbox import OvsSandbox

from sluice.pipeline.cookie import OWNER_PROGRAM, cookie
from sluice.pipeline.notify import METERS
from sluice.pipeline.tables import (
    ALLOWED,
    COMMIT,
    CONNTRACK,
    CONNTRACK_STATE,
    FLOW_TABLES,
    GENERATED,
    INGRESS_POLICY,
    OUTPUT,
    ROUTE,
    SERVICE,
    ZONE,
    bit_is,
    set_output,
)

SOURCE = Path(__file__).parents[3] / "src"
TABLE = {name: number for number, name in FLOW_TABLES.items()}
PODS = {name: (f"10.10.0.{number}", f"fd10:10::{number}") for number, name in enumerate(("client", "server", "other", "bystander"), 2)}

_SCRIPT = """
import sys
from sluice.node.agent.agent import run
run(*sys.argv[1:])
"""

# What stands for the pipeline: lookup, state, destination NAT, judgement, way to the pod.
_PIPELINE = f"""\
table=0,priority=200,arp actions=NORMAL
table=0,priority=210,icmp6,icmp_type=135 actions=NORMAL
table=0,priority=210,icmp6,icmp_type=136 actions=NORMAL
table=0,priority=100,ip actions=set_field:3->reg0,goto_table:{TABLE[CONNTRACK]}
table=0,priority=100,ipv6 actions=set_field:3->reg0,goto_table:{TABLE[CONNTRACK]}
table={TABLE[CONNTRACK]},ip actions=ct(zone={ZONE},table={TABLE[CONNTRACK_STATE]})
table={TABLE[CONNTRACK]},ipv6 actions=ct(zone={ZONE},table={TABLE[CONNTRACK_STATE]})
table={TABLE[CONNTRACK_STATE]},priority=240,{bit_is(GENERATED, True)},ip actions=ct(zone={ZONE},nat,table={TABLE[ROUTE]})
table={TABLE[CONNTRACK_STATE]},priority=240,{bit_is(GENERATED, True)},ipv6 actions=ct(zone={ZONE},nat,table={TABLE[ROUTE]})
table={TABLE[CONNTRACK_STATE]},priority=230,ct_state=+inv+trk actions=drop
table={TABLE[CONNTRACK_STATE]},priority=220,ct_state=+rpl+trk,ip actions=ct(zone={ZONE},nat,table={TABLE[ROUTE]})
table={TABLE[CONNTRACK_STATE]},priority=220,ct_state=+rpl+trk,ipv6 actions=ct(zone={ZONE},nat,table={TABLE[ROUTE]})
table={TABLE[CONNTRACK_STATE]},priority=210,ct_state=-new+trk,ip actions=ct(zone={ZONE},nat,table={TABLE[INGRESS_POLICY]})
table={TABLE[CONNTRACK_STATE]},priority=210,ct_state=-new+trk,ipv6 actions=ct(zone={ZONE},nat,table={TABLE[INGRESS_POLICY]})
table={TABLE[CONNTRACK_STATE]},priority=0 actions=goto_table:{TABLE[SERVICE]}
table={TABLE[SERVICE]},priority=0 actions=goto_table:{TABLE[INGRESS_POLICY]}
table={TABLE[INGRESS_POLICY]},priority=0 actions=goto_table:{TABLE[ALLOWED]}
table={TABLE[ALLOWED]},priority=0 actions=goto_table:{TABLE[ROUTE]}
table={TABLE[COMMIT]},priority=210,{bit_is(GENERATED, True)} actions=goto_table:{TABLE[OUTPUT]}
table={TABLE[COMMIT]},priority=200,ct_state=+new+trk,ct_mark=0,ip actions=ct(commit,zone={ZONE},table={TABLE[OUTPUT]})
table={TABLE[COMMIT]},priority=200,ct_state=+new+trk,ct_mark=0,ipv6 actions=ct(commit,zone={ZONE},table={TABLE[OUTPUT]})
table={TABLE[COMMIT]},priority=0 actions=goto_table:{TABLE[OUTPUT]}
table={TABLE[OUTPUT]} actions=load:0->NXM_OF_IN_PORT[],output:NXM_NX_REG1[]
"""


def mac(pod: str) -> str:
    return f"0a:00:00:00:00:{PODS[pod][0].rpartition('.')[2]:>02}"


class AgentNet:
    """Four pods, ``client``, ``server``, ``other`` and ``bystander``, each a network namespace with both families."""

    def __init__(self, ovs: OvsSandbox, folder: Path) -> None:
        self.ovs, self.folder = ovs, folder
        self.log_file = folder / "log" / "policy.log"
        self._suffix = uuid.uuid4().hex[:6]
        self._agents: list[subprocess.Popen[str]] = []
        self._servers: list[subprocess.Popen[str]] = []
        self._rules: dict[str, Any] = {}
        ovs.vsctl("add-br", "br-sluice", "--", "set", "bridge", "br-sluice", "datapath_type=netdev", "fail_mode=secure")
        for meter in METERS:
            ovs.ofctl("add-meter", "br-sluice", meter)
        self.flows(*_PIPELINE.splitlines())
        for number, pod in enumerate(PODS, 2):
            self._add_pod(number, pod)
        pods = [{"namespace": "shop", "name": pod, "ips": list(addresses), "host_network": False} for pod, addresses in PODS.items()]
        (folder / "pods.json").write_text(json.dumps({"pods": pods}))
        self._write_rules()

    def _add_pod(self, number: int, pod: str) -> None:
        subprocess.run(["ip", "netns", "add", self.netns(pod)], check=True)
        self.ovs.in_netns("ip", "link", "add", f"pod{number}", "type", "veth", "peer", "name", "eth0", "address", mac(pod),
                          "netns", self.netns(pod))
        self.ovs.in_netns("ip", "link", "set", f"pod{number}", "up")
        ipv4, ipv6 = PODS[pod]
        for command in (f"ip addr add {ipv4}/24 dev eth0", f"ip addr add {ipv6}/64 dev eth0 nodad", "ip link set lo up", "ip link set eth0 up",
                        "ip route add 10.96.0.0/16 dev eth0", "ip route add fd10:96::/64 dev eth0",
                        # The userspace datapath takes a checksum that the card was to fill in for a wrong one.
                        "ethtool -K eth0 tx off", "sysctl -q net.ipv6.conf.eth0.accept_ra=0", "sysctl -q net.ipv4.icmp_ratelimit=0"):
            self.run(pod, *command.split())
        for vip in ("10.96.0.1", "10.96.0.2", "fd10:96::1"):
            self.run(pod, "ip", "neigh", "add", vip, "lladdr", "0a:51:1c:e0:00:02", "dev", "eth0", "nud", "permanent")
        self.ovs.vsctl("add-port", "br-sluice", f"pod{number}", "--", "set", "interface", f"pod{number}", f"ofport_request={number}")
        for word, address in (("ip,nw_dst", ipv4), ("ipv6,ipv6_dst", ipv6)):
            self.flows(f"table={TABLE[ROUTE]},{word}={address} actions=set_field:{mac(pod)}->eth_dst,{set_output(number)},goto_table:{TABLE[COMMIT]}")

    def netns(self, pod: str) -> str:
        return f"sluice-ag-{self._suffix}-{pod}"

    def run(self, pod: str, *command: str) -> str:
        done = subprocess.run(["ip", "netns", "exec", self.netns(pod), *command], capture_output=True, text=True, check=False, timeout=60)
        assert done.returncode == 0, (command, done.stderr)
        return done.stdout

    def flows(self, *lines: str) -> None:
        file = self.folder / "flows.txt"
        file.write_text("\n".join(lines) + "\n")
        self.ovs.ofctl("add-flows", "br-sluice", str(file))

    def rule(self, policy: str, rest: str, match: str, actions: Sequence[str], table: str = INGRESS_POLICY, **facts: Any) -> None:
        """A rule in rules.json and its flows, as the compiler makes them: one for new connections, one for packets of others."""
        rule = f"{policy} {rest}"
        number = cookie(OWNER_PROGRAM, rule)
        self._rules[f"{number:#x}"] = {"rule": rule, "policy": policy, "name": "", "direction": "ingress", "log": False, "label": "", **facts}
        self._write_rules()
        for priority, state in ((201, "ct_state=+new+trk,"), (200, "")):
            self.flows(f"cookie={number:#x},table={TABLE[table]},priority={priority},{state}{match} actions={','.join(actions)}")

    def _write_rules(self) -> None:
        temporary = self.folder / "rules.new"
        temporary.write_text(json.dumps(self._rules))
        temporary.replace(self.folder / "rules.json")

    def start_agent(self) -> subprocess.Popen[str]:
        script = self.folder / "agent.py"
        script.write_text(_SCRIPT)
        agent = subprocess.Popen([sys.executable, str(script), str(self.folder), str(self.log_file), f"unix:{self.ovs.directory}/br-sluice.mgmt"],
                                 env={**os.environ, "PYTHONPATH": str(SOURCE)}, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        self._agents.append(agent)
        assert agent.stdout
        assert "connected" in agent.stdout.readline()
        time.sleep(0.1)
        return agent

    def serve(self, pod: str, code: str) -> None:
        """A server in the pod: Python that prints a line when it is ready."""
        server = subprocess.Popen(["ip", "netns", "exec", self.netns(pod), sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
        self._servers.append(server)
        assert server.stdout and server.stdout.readline()

    def run_later(self, pod: str, code: str, *arguments: str) -> subprocess.Popen[str]:
        """Python that runs in the pod meanwhile, with pipes."""
        process = subprocess.Popen(["ip", "netns", "exec", self.netns(pod), sys.executable, "-c", code, *arguments],
                                   stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self._servers.append(process)
        return process

    def log(self) -> list[dict[str, str]]:
        """The log's lines as mappings; ``time`` is the first word."""
        lines = self.log_file.read_text().splitlines() if self.log_file.exists() else []
        parsed = []
        for text in lines:
            time_word, _space, rest = text.partition(" ")
            values = {"time": time_word}
            while rest:
                key, _equals, rest = rest.partition("=")
                if rest.startswith('"'):
                    value, end = json.JSONDecoder().raw_decode(rest)
                    rest = rest[end + 1:]
                else:
                    value, _space, rest = rest.partition(" ")
                values[key] = value
            parsed.append(values)
        return parsed

    def wait_for_log(self, enough: Callable[[list[dict[str, str]]], bool]) -> list[dict[str, str]]:
        deadline = time.monotonic() + 10
        while not enough(self.log()):
            assert time.monotonic() < deadline, self.log()
            time.sleep(0.05)
        return self.log()

    def close(self) -> None:
        for process in [*self._agents, *self._servers]:
            process.kill()
            process.wait()
        for pod in PODS:
            subprocess.run(["ip", "netns", "delete", self.netns(pod)], check=False)
