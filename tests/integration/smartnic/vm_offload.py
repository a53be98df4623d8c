# SPDX-License-Identifier: Apache-2.0
"""Flows of pods in tc by its software path (tc-policy=skip_hw), on the kernel's datapath. Run as root in a virtual machine of its own.

A node's whole program, pods by the CNI plugin, a policy and a Service; then what ovs-vswitchd has offloaded of a connection, and that a
policy that is gone takes it out again. Prints ``ok: …`` for each thing that holds, and ends with a traceback at the first that does not.
"""
from __future__ import annotations

import io
import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from sluice.compile.fabric import Fabric
from sluice.compile.node import compile_node
from sluice.intent.state import ClusterState
from sluice.node.cni.plugin import main as plugin
from sluice.ovs.encode import encode_program
from sluice.ovs.flow_apply import apply_program
from sluice.ovs.program import Owner
from sluice.ovs.switch.apply import apply as apply_switch
from sluice.pipeline.cookie import OWNER_MASK, OWNER_PROGRAM
from sluice.pipeline.notify import METERS
from sluice.pipeline.tables import FLOW_TABLES
from sluice.plan.planner import make_state

RUN = "/var/run/openvswitch"
OWNER = Owner(OWNER_PROGRAM << 48, OWNER_MASK)
FACTS = {"interfaces": {"eth9": {"mtu": 1500, "mac": "0e:00:00:00:00:09", "addresses": ["192.0.2.1/24"]}}, "routes": [
    {"destination": "default", "via": "192.0.2.254", "device": "eth9"}]}
VARIABLES: dict[str, Any] = {
    "sluice_cluster_name": "vm", "sluice_pod_cidrs": ["10.10.0.0/16"], "sluice_service_cidrs": ["10.96.0.0/16"],
    "sluice_offload": {"hw_offload": True, "tc_policy": "skip_hw", "max_idle": 30000},
    "sluice_pods": [
        {"metadata": {"name": name, "namespace": "shop", "labels": {"app": name}}, "spec": {"containers": [{"ports": [{"containerPort": 80}]}]}}
        for name in ("web", "client", "other")],
    "sluice_services": [{"metadata": {"name": "web", "namespace": "shop"}, "spec": {"selector": {"app": "web"}, "ports": [{"port": 80}]}}],
}


def policy(client: str) -> dict[str, Any]:
    return {"metadata": {"name": "web", "namespace": "shop"}, "spec": {
        "podSelector": {"matchLabels": {"app": "web"}},
        "ingress": [{"from": [{"podSelector": {"matchLabels": {"app": client}}}], "ports": [{"port": 80}]}]}}


def state(client: str) -> ClusterState:
    Path("/tmp/inventory").mkdir(exist_ok=True)
    variables = {**VARIABLES, "sluice_policies": [policy(client)]}
    return make_state(variables, {"node1": {"vars": variables, "facts": FACTS}}, "/tmp/inventory").state


def command(*words: str) -> str:
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{' '.join(words)}: {done.stderr}"
    return done.stdout


def ok(words: str, holds: object, seen: object = "") -> None:
    assert holds, f"{words}: {seen}"
    print(f"ok: {words}", flush=True)


def start_switch() -> None:
    for folder in (RUN, "/etc/openvswitch", "/var/log/openvswitch"):
        Path(folder).mkdir(parents=True, exist_ok=True)
    command("ovsdb-tool", "create", "/tmp/conf.db", "/usr/share/openvswitch/vswitch.ovsschema")
    command("ovsdb-server", "/tmp/conf.db", f"--remote=punix:{RUN}/db.sock", "--pidfile", "--detach", "--no-chdir", "--log-file")
    command("ovs-vsctl", "--no-wait", "init")
    # As the boot has it: the settings are there before the daemon.
    command("ovs-vsctl", "--no-wait", "set", "Open_vSwitch", ".", "other_config:hw-offload=true", "other_config:tc-policy=skip_hw")
    command("ovs-vswitchd", "--pidfile", "--detach", "--no-chdir", "--log-file")


def put_flows(now: ClusterState) -> None:
    fabric = Fabric(now)
    program = compile_node(fabric, "node1")
    want = encode_program([*program.flows, *fabric.service_flows], [*program.groups, *fabric.service_groups], METERS, FLOW_TABLES, OWNER)
    apply_program(f"unix:{RUN}/br-sluice.mgmt", want, FLOW_TABLES, OWNER)


def attach(program: Any) -> dict[str, str]:
    """Pods' names to their namespaces."""
    Path("/etc/sluice").mkdir(exist_ok=True)
    Path("/etc/sluice/pods.json").write_text(json.dumps(program.pods))
    config = {**program.cni["plugins"][0], "cniVersion": "1.0.0", "name": "sluice"}
    spaces = {}
    for pod in program.pods["pods"]:
        command("ip", "netns", "add", pod["name"])
        answer = io.StringIO()
        environment = {"CNI_COMMAND": "ADD", "CNI_CONTAINERID": pod["container_id"], "CNI_NETNS": f"/run/netns/{pod['name']}", "CNI_IFNAME": "eth0"}
        status = plugin(environment, io.StringIO(json.dumps(config)), answer)
        assert status == 0, answer.getvalue()
        spaces[pod["name"]] = pod["interface"]
    return spaces


SERVER = """
import socket
s = socket.create_server(("0.0.0.0", 80))
while True:
    c, _ = s.accept()
    while c.recv(65536):
        c.sendall(b"x" * 1000)
"""
CLIENT = """
import socket, sys, time
c = socket.create_connection((sys.argv[1], 80), 20)
c.settimeout(20)
while True:
    c.sendall(b"y" * 1000)
    if not c.recv(65536):
        break
    print("answered", flush=True)
    time.sleep(0.05)
"""


def offloaded() -> list[str]:
    return [line for line in command("ovs-appctl", "dpctl/dump-flows", "type=offloaded").splitlines() if "eth_type(0x0800)" in line]


def packets_in_tc(device: str) -> int:
    text = command("tc", "-s", "filter", "show", "dev", device, "ingress")
    return sum(map(int, re.findall(r"Sent \d+ bytes (\d+) pkt", text)))


def wait_for(what: Any, seconds: float = 30) -> Any:
    end = time.monotonic() + seconds
    while True:
        found = what()
        if found or time.monotonic() > end:
            return found
        time.sleep(0.5)


def main() -> None:
    start_switch()
    now = state("client")
    program = compile_node(Fabric(now), "node1")
    outcome = apply_switch(f"unix:{RUN}/db.sock", dict(program.switch), "overridden", "sluice", 30, False, False)
    print("switch:", len(outcome.commands), "changes")
    command("ip", "link", "set", "sluice-gw0", "up")
    put_flows(now)
    spaces = attach(program)
    web, service = now.pods["shop/web"].ips[0], now.services["shop/web"].cluster_ips[0]
    running = subprocess.Popen(["ip", "netns", "exec", "web", sys.executable, "-c", SERVER])
    time.sleep(2)
    client = subprocess.Popen(["ip", "netns", "exec", "client", sys.executable, "-c", CLIENT, service], stdout=subprocess.PIPE, text=True)
    assert client.stdout
    ok("a connection that the policy allows gets answers through the Service", client.stdout.readline() == "answered\n")
    for _ in range(40):
        client.stdout.readline()
    print(command("ovs-appctl", "dpctl/dump-flows", "-m"))
    flows = wait_for(offloaded, 15)
    print("offloaded:\n" + "\n".join(flows))
    print(Path("/var/log/openvswitch/ovs-vswitchd.log").read_text()[-3000:])
    ok("its flows are offloaded", flows)
    ok("those of conntrack too, behind a recirculation", any("ct(" in line for line in flows) and any("recirc_id(0x" in line for line in flows), flows)
    tc = command("tc", "-s", "filter", "show", "dev", spaces["client"], "ingress")
    print(tc)
    ok("tc has them as flower with act_ct", "flower" in tc and "action order" in tc and " ct " in tc, tc)
    ok("the Service's translation is in tc's act_ct", "nat" in tc and "dst" in tc, tc)
    counted = packets_in_tc(spaces["client"])
    for _ in range(40):
        client.stdout.readline()
    ok("tc counts its packets", packets_in_tc(spaces["client"]) > counted, counted)
    established = [line for line in offloaded() if re.search(r"ct_state\([^)]*\+est", line)]
    ok("the established connection is offloaded", established)
    put_flows(state("other"))
    gone = wait_for(lambda: not any(re.search(r"ct_state\([^)]*\+est", line) and "drop" not in line for line in offloaded()), 30)
    print("after the policy is gone:\n" + "\n".join(offloaded()))
    ok("the policy that is gone takes its flows out of tc", gone)
    os.set_blocking(client.stdout.fileno(), False)
    client.stdout.read()
    time.sleep(3)
    ok("and its connection gets no answer any more", not client.stdout.read())
    client.kill()
    running.kill()
    print("web is", web)


if __name__ == "__main__":
    main()
