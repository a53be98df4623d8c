# SPDX-License-Identifier: Apache-2.0
"""ovs-ofctl is the oracle: what it sets and what Sluice sets of every match, action, group and meter reads back the same, byte by byte."""
from __future__ import annotations

import pytest
from flows.flow_bridge import FlowBridge, case_lines

from sluice.ovs.encode import encode_program
from sluice.ovs.flow import parse_flow
from sluice.ovs.program import Program
from sluice.ovs.render import Renderer
from sluice.pipeline import notify

GROUP = "group_id=5,type=select,bucket=output:1"
METER = "meter=5,kbps,band=type=drop,rate=5"

FLOWS = [
    *(f"{match} actions=drop" for match in case_lines("matches.txt")),
    *("{0} actions={2}".format(*case.partition("=> ")) for case in case_lines("actions.txt")),
    "cookie=0x51c30000deadbeef,table=7,priority=0,idle_timeout=10,hard_timeout=20,importance=5,send_flow_rem,arp actions=NORMAL",
    "cookie=18446744073709551615,table=253,priority=65535,no_packet_counts,no_byte_counts actions=drop"]

GROUPS = [
    "group_id=5,type=select,selection_method=hash,fields(ip_src,tcp_src=255),bucket=bucket_id:1,weight:100,watch_port:3,"
    "actions=set_field:5->reg0,output:1,bucket=bucket_id:4,output:2,bucket=bucket_id:6,actions=resubmit(,6)",
    "group_id=6,type=indirect,bucket=output:1",
    "group_id=7,type=ff,bucket=watch_port:1,output:1,bucket=watch_group:6,output:2",
    "group_id=7,type=fast_failover,bucket=watch_port:5,actions=output:1",
    "group_id=8,type=all,bucket=drop",
    "group_id=9,type=select,selection_method=dp_hash,selection_method_param=5,bucket=weight:0,output:3,bucket=output:1",
    "group_id=10,type=all",
    "group_id=11,type=select,bucket=actions=ct(commit,table=3,zone=5,nat(dst=10.0.0.1:80),exec(set_field:0x1/0x1->ct_mark)),"
    "bucket=weight:7,actions=set_field:0x0a000001->reg3,resubmit(,10)",
    "group_id=12,type=select,selection_method=hash,fields(ip_src),"
    "bucket=actions=ct(commit,zone=0x51c3,nat(dst=10.0.0.1:80),exec(set_field:0x51c30001->ct_mark),table=20),"
    "bucket=weight:3,actions=ct(commit,zone=0x51c3,nat(dst=10.0.0.2:8080),exec(set_field:0x51c30001->ct_mark),table=20)",
    "group_id=13,type=select,selection_method=hash,fields=ipv6_src,"
    "bucket=actions=ct(commit,zone=0x51c3,nat(dst=[fd00::1]:80),exec(set_field:0x51c30002->ct_mark),table=20)",
    "group_id=14,type=select,selection_method=hash,fields(ip_src),bucket=actions=load:1->NXM_NX_REG5[],group:6"]

METERS = [*notify.METERS, "meter=5,kbps,band=type=drop,rate=5", "meter=6,pktps,burst,stats,bands=type=drop,rate=5,burst_size=6",
          "meter=7 kbps stats bands=type=drop rate=1000 type=drop rate=2000", "meter=8 pktps band=type=drop rate=4294967295"]

# Where Sluice writes the same in another form than ovs-ofctl does.
OTHER_TEXT = {
    "=0x0/": "ovs-ofctl writes 0 for 0x0", "ipv6_label": "ovs-ofctl pads it to five digits", "xxreg": "ovs-ofctl writes 0 for 0x0",
    "set_field:oam": "ovs-ofctl writes it as a number",    "53/0xff": "ovs-ofctl writes a masked value as decimal"}


@pytest.mark.parametrize("line", FLOWS)
def test_flow(shared_bridge: FlowBridge, line: str) -> None:
    shared_bridge.ovs.ofctl("del-flows", "br0")
    if not shared_bridge.groups():
        shared_bridge.ovs.ofctl("add-group", "br0", GROUP)
        shared_bridge.ovs.ofctl("add-meter", "br0", METER)
    shared_bridge.ovs.ofctl("add-flow", "br0", line)
    theirs, dumped = shared_bridge.flows(), shared_bridge.dump()
    shared_bridge.ovs.ofctl("del-flows", "br0")
    assert shared_bridge.flows() == {}

    plan = shared_bridge.apply([line])
    assert plan.count("added") == 1
    ours = shared_bridge.flows()
    assert ours == theirs == encode_program([line], None, None, {}).flows

    text = Renderer({}).lines(Program(ours))
    assert encode_program(text, None, None, {}).flows == ours, "our text of it means the same"
    assert encode_program(dumped, None, None, {}).flows == ours, "what ovs-ofctl dumps can be given back"
    if not any(case in line for case in OTHER_TEXT):
        assert parse_flow(text[0]) == parse_flow(dumped[0]), "token by token the same text"
    assert not shared_bridge.apply(dumped).changed


@pytest.mark.parametrize("line", GROUPS)
def test_group(shared_bridge: FlowBridge, line: str) -> None:
    shared_bridge.clear()
    if "group:6" in line:
        shared_bridge.ovs.ofctl("add-group", "br0", GROUPS[1])
    shared_bridge.ovs.ofctl("add-group", "br0", line)
    theirs = shared_bridge.groups()
    dumped = [row.strip() for row in shared_bridge.ovs.ofctl("dump-groups", "br0").splitlines() if "group_id" in row]
    shared_bridge.ovs.ofctl("del-groups", "br0")

    shared_bridge.apply([], [GROUPS[1], line] if "group:6" in line else [line])
    assert shared_bridge.groups() == theirs
    program = Program({}, theirs)
    assert sorted(Renderer({}).lines(program)) == sorted(dumped)
    assert encode_program([], dumped, None, {}).groups == theirs
    assert not shared_bridge.apply([], dumped).changed


@pytest.mark.parametrize("line", METERS)
def test_meter(shared_bridge: FlowBridge, line: str) -> None:
    shared_bridge.clear()
    shared_bridge.ovs.ofctl("add-meter", "br0", line)
    theirs = shared_bridge.meters()
    shared_bridge.ovs.ofctl("del-meters", "br0")

    shared_bridge.apply([], None, [line])
    ours = shared_bridge.meters()
    assert ours == theirs == encode_program([], None, [line], {}).meters
    assert encode_program([], None, Renderer({}).lines(Program({}, None, ours)), {}).meters == ours
    assert not shared_bridge.apply([], None, [line]).changed


def test_all_of_them_in_one_bundle(shared_bridge: FlowBridge) -> None:
    """And what ovs-ofctl then dumps, Sluice tells as many lines of."""
    shared_bridge.clear()
    # Tables run upwards only, so those that go to table 4, 6 and 200 have to stand before them.
    lines = [line if line.startswith("cookie=") else f"table={0 if 'goto_table' in line else number % 250},priority={number},{line}"
             for number, line in enumerate(FLOWS)]
    plan = shared_bridge.apply(lines, [GROUP], [METER])
    assert plan.count("added") == len(lines) + 2
    assert len(shared_bridge.dump()) == len(lines)
    assert not shared_bridge.apply(shared_bridge.dump(), [GROUP], [METER]).changed
