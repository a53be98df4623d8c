# SPDX-License-Identifier: Apache-2.0
"""Statistics of rules, against traffic whose packets are known."""
from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from agent.agent_net import PODS, TABLE, AgentNet
from flows.test_flows_module import module
from ovs_sandbox import OvsSandbox

from sluice.errors import SluiceError
from sluice.node.policy_stats import read_policy_statistics
from sluice.pipeline.tables import ALLOWED

SEND = "import socket, sys; s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); [s.sendto(b'x' * 10, (sys.argv[1], 53)) for _ in range(5)]"


def statistics(net: AgentNet, expected: Any) -> Any:
    """The numbers, once ovs-vswitchd has brought them up to date."""
    options = {"socket": f"unix:{net.ovs.directory}/br-sluice.mgmt", "path": str(net.folder / "rules.json")}
    deadline = time.monotonic() + 5
    while True:
        found = read_policy_statistics(options["socket"], options["path"], None, 10)
        if [(entry["rule"], entry["packets"], entry["bytes"], entry["sessions"]) for entry in found["rules"]] == expected:
            break
        assert time.monotonic() < deadline, found
        time.sleep(0.1)
    result = module("policy_stats_info", options)
    assert {name: result[name] for name in found} == found
    return module("policy_stats_info", {**options, "policies": ["NetworkPolicy shop/open", "NetworkPolicy shop/nowhere"]})


def test_packets_bytes_and_sessions_are_exact(net: AgentNet) -> None:
    goto = [f"goto_table:{TABLE[ALLOWED]}"]
    net.rule("NetworkPolicy shop/open", "ingress[2]", f"icmp,nw_dst={PODS['server'][0]}", goto, action="Allow")
    net.rule("NetworkPolicy shop/open", "ingress[10]", f"udp,nw_dst={PODS['other'][0]}", goto, action="Allow")
    net.rule("NetworkPolicy isolation", "ingress shop/server", f"udp,nw_dst={PODS['server'][0]}", ["drop"], action="Drop")
    net.rule("BaselineAdminNetworkPolicy default", "ingress[0]", f"tcp,nw_dst={PODS['other'][0]}", goto, action="Allow", name="never")
    for _repeated in range(2):
        net.run("client", "ping", "-q", "-c3", "-i0.01", "-W2", PODS["server"][0])
    net.run("client", sys.executable, "-c", SEND, PODS["other"][0])
    net.run("client", sys.executable, "-c", SEND, PODS["server"][0])
    # A connection is new until it is answered, as the pings are and the datagrams are not; where nothing lets them through, each is an attempt.
    udp = 5 * (14 + 20 + 8 + 10)
    filtered = statistics(net, [
        ("BaselineAdminNetworkPolicy default ingress[0]", 0, 0, 0), ("NetworkPolicy isolation ingress shop/server", 5, udp, 5),
        ("NetworkPolicy shop/open ingress[2]", 6, 6 * 98, 2), ("NetworkPolicy shop/open ingress[10]", 5, udp, 5)])
    assert filtered["policies"] == [{"policy": "NetworkPolicy shop/open", "packets": 11, "bytes": udp + 6 * 98, "sessions": 7}]
    assert [rule["rule"].rpartition(" ")[2] for rule in filtered["rules"]] == ["ingress[2]", "ingress[10]"]


def test_ten_thousand_rules_take_no_time(ovs: OvsSandbox, tmp_path: Path) -> None:
    ovs.vsctl("add-br", "br-sluice", "--", "set", "bridge", "br-sluice", "datapath_type=dummy", "fail_mode=secure")
    rule = {"policy": "NetworkPolicy shop/p", "name": "", "direction": "ingress", "action": "Allow"}
    numbers = range(0x51C3_0000_0000_0000, 0x51C3_0000_0000_0000 + 10_000)
    (tmp_path / "rules.json").write_text(json.dumps({hex(number): {**rule, "rule": f"NetworkPolicy shop/p ingress[{number}]"} for number in numbers}))
    (tmp_path / "flows.txt").write_text("".join(
        f"cookie={number:#x},table=66,ct_state=+new+trk,ip,nw_dst=10.{number >> 8 & 255}.{number & 255}.1 actions=drop\n" for number in numbers))
    ovs.ofctl("add-flows", "br-sluice", str(tmp_path / "flows.txt"))
    started = time.process_time()
    found = read_policy_statistics(f"unix:{ovs.directory}/br-sluice.mgmt", str(tmp_path / "rules.json"), None, 10)
    assert time.process_time() - started < 1
    assert len(found["rules"]) == 10_000


def test_what_cannot_be_read_is_said_in_words(tmp_path: Path) -> None:
    rules = tmp_path / "rules.json"
    with pytest.raises(SluiceError, match=r"rules.json cannot be read: No such file or directory; apply the node's program first"):
        read_policy_statistics(f"unix:{tmp_path}/br.mgmt", str(rules), None, 1)
    rules.write_text('{"0x1": {}}')
    with pytest.raises(SluiceError, match=r"rules.json is damaged"):
        read_policy_statistics(f"unix:{tmp_path}/br.mgmt", str(rules), None, 1)
    rules.write_text("{}")
    with pytest.raises(SluiceError, match=r"cannot connect"):
        read_policy_statistics(f"unix:{tmp_path}/br.mgmt", str(rules), None, 1)
