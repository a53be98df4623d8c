# SPDX-License-Identifier: Apache-2.0
"""Applying programs to a live bridge: all or nothing, only what differs, only what is owned."""
from __future__ import annotations

import socket
import threading
import time
from pathlib import Path

import pytest
from flows.flow_bridge import FlowBridge
from ovs_sandbox import OvsSandbox

from sluice.errors import InputError, SluiceError
from sluice.ovs.encode import encode_program
from sluice.ovs.flow_apply import apply_program, plan_lines
from sluice.ovs.flow_info import read_bridge
from sluice.ovs.kept import KeptEncoding
from sluice.ovs.openflow.connection import Connection, socket_address
from sluice.ovs.openflow.messages import commit
from sluice.ovs.program import Owner, Program

TABLES = {0: "classify", 10: "route", 20: "output"}
PROGRAM = [
    "table=classify, priority=200,ip,in_port=5 actions=set_field:0x3/0xf->reg0,goto_table:route",
    "table=classify, priority=0 actions=drop",
    "table=route, priority=100,ip,nw_dst=10.0.0.2 actions=dec_ttl,goto_table:output",
    "table=output, priority=100 actions=output:NXM_NX_REG1[]"]
GROUPS = ["group_id=1,type=select,bucket=output:1,bucket=output:2", "group_id=2,type=indirect,bucket=output:3"]
OWNER = Owner(0x51C3 << 48, 0xFFFF << 48)


def test_predicts_then_does_then_leaves_alone(bridge: FlowBridge) -> None:
    predicted = bridge.apply(PROGRAM, GROUPS, tables=TABLES, check=True)
    assert bridge.dump() == []
    done = bridge.apply(PROGRAM, GROUPS, tables=TABLES)
    assert plan_lines(predicted, TABLES) == plan_lines(done, TABLES)
    assert (done.count("added"), done.count("removed"), done.count("modified")) == (6, 0, 0)
    assert len(bridge.dump()) == 4
    again = bridge.apply(PROGRAM, GROUPS, tables=TABLES)
    assert not again.changed
    assert plan_lines(again, TABLES) == []


def test_changes_only_what_differs(bridge: FlowBridge) -> None:
    bridge.apply(PROGRAM, tables=TABLES)
    changed = [*PROGRAM[:2], PROGRAM[2].replace("dec_ttl,", ""), "table=output, priority=7,arp actions=NORMAL"]
    plan = bridge.apply(changed, tables=TABLES)
    assert plan_lines(plan, TABLES) == [
        "- cookie=0x0, table=route, priority=100,ip,nw_dst=10.0.0.2 actions=dec_ttl,goto_table:output",
        "+ cookie=0x0, table=route, priority=100,ip,nw_dst=10.0.0.2 actions=goto_table:output",
        "- cookie=0x0, table=output, priority=100 actions=output:NXM_NX_REG1[]",
        "+ cookie=0x0, table=output, priority=7,arp actions=NORMAL"]
    assert bridge.flows() == encode_program(changed, None, None, TABLES).flows


def test_unchanged_flows_keep_their_counters(bridge: FlowBridge) -> None:
    bridge.apply(["priority=5,in_port=LOCAL actions=drop", "priority=6,arp actions=drop"])
    bridge.ovs.ofctl("packet-out", "br0", "in_port=LOCAL packet=" + "ff" * 6 + "0a0000000001" + "0800" + "00" * 46 + " actions=table")
    before = read_bridge(bridge.address, {}, Owner()).counters
    bridge.apply(["priority=5,in_port=LOCAL actions=drop", "priority=6,arp actions=NORMAL"])
    after = dict(zip(*(lambda text: (text.flows, text.counters))(read_bridge(bridge.address, {}, Owner()))))
    assert (1, 60) in before
    assert after["cookie=0x0, table=0, priority=5,in_port=LOCAL actions=drop"] == (1, 60)


def test_a_cookie_alone_is_a_difference(bridge: FlowBridge) -> None:
    bridge.apply(["cookie=1,arp actions=drop"])
    assert bridge.apply(["cookie=2,arp actions=drop"]).count("modified") == 1
    assert bridge.dump() == ["cookie=0x2, arp actions=drop"]


def test_merges_and_deletes(bridge: FlowBridge) -> None:
    bridge.apply(["priority=1 actions=drop", "priority=2 actions=drop"], GROUPS)
    assert bridge.apply(["priority=2 actions=NORMAL", "priority=3 actions=drop"], GROUPS[:1], state="merged").count("modified") == 1
    assert len(bridge.dump()) == 3
    assert len(bridge.groups()) == 2
    removed = bridge.apply(["priority=2 actions=drop", "priority=9 actions=drop"], state="deleted")
    assert (removed.count("removed"), removed.count("added")) == (1, 0)
    assert bridge.apply([], GROUPS[:1], state="deleted").count("removed") == 1
    assert len(bridge.dump()) == 2
    assert bridge.apply([], state="deleted").count("removed") == 2
    assert bridge.dump() == []
    assert len(bridge.groups()) == 1, "groups are not managed unless they are given"
    assert not bridge.apply([], state="deleted").changed


def test_one_bad_flow_changes_nothing(bridge: FlowBridge) -> None:
    bridge.apply(PROGRAM, GROUPS[:1], ["meter=1 kbps band=type=drop rate=5"], tables=TABLES)
    before = bridge.dump(), bridge.groups(), bridge.meters()
    # Each is fine for us, and not for the switch: no such group, and a field that ip packets don't have.
    with pytest.raises(SluiceError) as caught:
        bridge.apply(["priority=5,arp actions=drop", "priority=6,ip actions=set_field:80->tcp_dst", "priority=7 actions=group:99"],
                     GROUPS[1:], ["meter=1 kbps band=type=drop rate=6", "meter=2 kbps band=type=drop rate=5"])
    message = str(caught.value)
    assert "nothing was changed" in message
    assert "priority=6,ip actions=set_field:80->tcp_dst: " in message
    assert "priority=7 actions=group:99" in message or "1 of the changes" in message
    assert "priority=5" not in message
    assert (bridge.dump(), bridge.groups(), bridge.meters()) == before


def test_a_group_that_does_not_exist_changes_nothing(bridge: FlowBridge) -> None:
    bridge.apply(PROGRAM, tables=TABLES)
    before = bridge.dump()
    with pytest.raises(SluiceError, match=r"priority=7 actions=group:99: .*the group does not exist"):
        bridge.apply(["priority=5 actions=drop", "priority=7 actions=group:99"])
    assert bridge.dump() == before


def test_a_bad_meter_changes_nothing(bridge: FlowBridge) -> None:
    bad = "meter=3 kbps band=type=dscp_remark rate=5 prec_level=1"
    with pytest.raises(SluiceError, match=r"refused meter=3 .*type=dscp_remark"):
        bridge.apply(["actions=drop"], None, ["meter=1 kbps band=type=drop rate=5", bad])
    assert (bridge.dump(), bridge.meters()) == ([], {})


def test_groups_and_their_flows_come_and_go_together(bridge: FlowBridge) -> None:
    meters = ["meter=1 kbps band=type=drop rate=5"]
    bridge.apply(["tcp actions=group:1", "udp actions=meter:1,group:2"], GROUPS, meters)
    changed = bridge.apply(["tcp actions=group:1"], [GROUPS[0].replace("output:2", "output:7")], [])
    assert (changed.count("modified"), changed.count("removed")) == (1, 3)
    assert len(bridge.dump()) == 1
    assert bridge.groups() == encode_program([], [GROUPS[0].replace("output:2", "output:7")], None, {}).groups
    assert bridge.meters() == {}


def test_refuses_wrong_input_whole(bridge: FlowBridge) -> None:
    bridge.apply(PROGRAM, tables=TABLES)
    before = bridge.dump()
    with pytest.raises(InputError) as caught:
        bridge.apply(["arp actions=drop", "arp actions=NORMAL", "nonsense"], tables=TABLES)
    assert len(caught.value.problems) == 2
    assert bridge.dump() == before


def test_only_the_owners_flows_are_touched(bridge: FlowBridge) -> None:
    foreign = ["cookie=0x51cd000000000001, table=0, priority=7,arp actions=NORMAL", "cookie=0x0, table=0, priority=8,arp actions=drop"]
    for line in foreign:
        bridge.ovs.ofctl("add-flow", "br0", line)
    mine = "cookie=0x51c3000000000001,priority=9,arp actions=drop"
    assert bridge.apply([mine], owner=OWNER).count("added") == 1
    assert len(bridge.dump()) == 3
    assert not bridge.apply([mine], owner=OWNER).changed
    with pytest.raises(InputError, match=r"the cookie 0x1 is not one of the owner's \(0x51c3000000000000/0xffff000000000000\)"):
        bridge.apply(["cookie=1 actions=drop"], owner=OWNER)
    assert bridge.apply([], owner=OWNER, state="deleted").count("removed") == 1
    assert bridge.dump() == ["cookie=0x51cd000000000001, priority=7,arp actions=NORMAL", "priority=8,arp actions=drop"]


@pytest.mark.parametrize("check", [True, False])
def test_refuses_to_replace_anothers_flow(bridge: FlowBridge, check: bool) -> None:
    bridge.ovs.ofctl("add-flow", "br0", "cookie=0x51cd000000000001,priority=7,arp actions=NORMAL")
    before = bridge.dump()
    with pytest.raises(SluiceError, match=r"would replace one that is not the owner's .*\n  cookie=0x51cd000000000001, .*actions=NORMAL"):
        bridge.apply(["cookie=0x51c3000000000001,priority=7,arp actions=drop"], owner=OWNER, check=check)
    assert bridge.dump() == before


def test_ten_thousand_flows(bridge: FlowBridge) -> None:
    lines = [f"table={number % 5},priority={number},ip,nw_src=10.{number >> 8}.{number & 255}.0/24,reg0={number:#x}/0xffff "
             f"actions=set_field:{number:#x}->reg1,resubmit(,7),output:{number % 60000 + 1}" for number in range(10_000)]
    assert bridge.apply(lines).count("added") == 10_000
    assert len(bridge.dump()) == 10_000
    assert not bridge.apply(lines).changed
    assert bridge.apply(bridge.dump()[:9_000]).count("removed") == 1_000
    info = read_bridge(bridge.address, {}, Owner())
    assert encode_program(info.flows, None, None, {}).flows == bridge.flows()


def services(count: int, endpoints: int) -> tuple[list[str], list[str]]:
    """Flows and groups of Services."""
    flows = [f"priority={number},tcp,nw_dst=172.16.{number >> 8}.{number & 255} actions=group:{number + 1}" for number in range(count)]
    groups = []
    for number in range(count):
        addresses = [f"10.{number & 255}.{number >> 8 << 4 | endpoint >> 8}.{endpoint & 255}" for endpoint in range(endpoints)]
        buckets = [f"bucket=actions=ct(commit,zone=0x51c3,nat(dst={address}:80),exec(set_field:{number + 1}->ct_mark),table=20)"
                   for address in addresses]
        groups.append(f"group_id={number + 1},type=select,selection_method=hash,fields(ip_src),{','.join(buckets)}")
    return flows, groups


def test_the_largest_group_and_no_larger_one(bridge: FlowBridge) -> None:
    """A group near the 64 KiB of a message is added, read back and modified; one bucket more is refused before anything is sent."""
    flows, groups = services(1, 818)
    assert bridge.apply(flows, groups).count("added") == 2
    assert 65_300 < len(bridge.groups()[1][1]) < 65_511
    assert not bridge.apply(flows, groups).changed
    assert bridge.apply(flows, [groups[0].replace(":80)", ":81)")]).count("modified") == 1
    before = bridge.groups()
    with pytest.raises(InputError, match=r"group 1 has 819 buckets, whose actions do not fit into an OpenFlow message"):
        bridge.apply(*services(1, 819))
    assert bridge.groups() == before


def test_the_largest_flow_and_no_larger_one(bridge: FlowBridge) -> None:
    ports = [f"output:{port}" for port in range(1, 4090)]
    lines = [f"priority={priority} actions={','.join(ports[:-1])}" for priority in range(20)]
    assert bridge.apply(lines).count("added") == 20
    assert not bridge.apply(lines).changed
    with pytest.raises(InputError, match="the flow does not fit into an OpenFlow message"):
        bridge.apply([f"actions={','.join(ports)}"])


def test_services_in_one_bundle(bridge: FlowBridge) -> None:
    flows, groups = services(200, 100)
    assert bridge.apply(flows, groups).count("added") == 400
    assert not bridge.apply(flows, groups).changed
    groups[7] = groups[7].replace("nat(dst=10.7.0.5:80)", "nat(dst=10.7.0.6:80)")
    assert bridge.apply(flows, groups).count("modified") == 1
    assert bridge.apply(flows[:-1], groups[:-1]).count("removed") == 2


def test_what_was_kept_is_applied_like_the_text(bridge: FlowBridge, tmp_path: Path) -> None:
    """Fresh, after a restart, with an error that has to name its flow, and with one line changed."""
    flows, groups = services(300, 2)
    bad = [*flows[:150], "priority=7,arp actions=group:9999", *flows[150:]]
    def program(lines: list[str]) -> Program:
        encoding = KeptEncoding(str(tmp_path / f"{len(lines)}"), {}, Owner())
        encoding.encode("\n".join(lines), "\n".join(groups))
        encoding.save()
        return KeptEncoding(str(tmp_path / f"{len(lines)}"), {}, Owner()).encode("\n".join(lines), "\n".join(groups))

    assert program(bad).messages
    with pytest.raises(SluiceError, match=r"refused 1 of the changes, so nothing was changed:\n  .*priority=7,arp actions=group:9999: .*does not exist"):
        apply_program(bridge.address, program(bad), {})
    assert bridge.dump() == []
    assert apply_program(bridge.address, program(flows), {}).count("added") == 600
    assert bridge.flows() == encode_program(flows, None, None, {}).flows
    bridge.ovs.ofctl("--strict", "del-flows", "br0", "priority=5,tcp,nw_dst=172.16.0.5")
    assert apply_program(bridge.address, program(flows), {}).count("added") == 1
    changed = [flows[0].replace(" actions", ",tp_dst=80 actions"), *flows[1:]]
    kept = KeptEncoding(str(tmp_path / "300"), {}, Owner())
    assert plan_lines(apply_program(bridge.address, kept.encode("\n".join(changed), "\n".join(groups)), {}), {}) == [
        f"- cookie=0x0, table=0, {flows[0]}", f"+ cookie=0x0, table=0, {changed[0]}"]


def test_a_program_whose_flows_are_all_replaced(bridge: FlowBridge) -> None:
    lines = [f"cookie={{}},priority={number},ip actions=drop" for number in range(500)]
    bridge.apply([line.format(1) for line in lines])
    assert bridge.apply([line.format(2) for line in lines]).count("modified") == 500
    assert bridge.apply([line.replace("ip", "arp").format(2) for line in lines]).count("removed") == 500


def test_a_change_that_does_not_stay_is_an_error(bridge: FlowBridge, monkeypatch: pytest.MonkeyPatch) -> None:
    """The read-back check, for few changes and for many: another program undoes them before they are looked at."""
    def undone(connection: Connection, messages: bytes) -> list[tuple[int, bytes]]:
        errors = commit(connection, messages)
        bridge.ovs.ofctl("del-flows", "br0")
        bridge.ovs.ofctl("add-flow", "br0", "cookie=7,priority=1,arp actions=NORMAL")
        return errors

    monkeypatch.setattr("sluice.ovs.flow_apply.commit", undone)
    for count in (3, 300):
        bridge.ovs.ofctl("del-flows", "br0")
        with pytest.raises(SluiceError, match=r"does not have them .*\n  \+ cookie=0x0, table=0, priority=0,arp actions=drop") as caught:
            bridge.apply([f"cookie={number},priority={number},arp actions=drop" for number in range(count)])
        assert "+ cookie=0x1, table=0, priority=1,arp actions=drop\n  - cookie=0x7, table=0, priority=1,arp actions=NORMAL" in str(caught.value)


def test_many_errors_do_not_jam_the_connection(bridge: FlowBridge) -> None:
    """The switch answers every bad flow while we are still sending; who does not read those answers waits forever."""
    lines = [f"priority={number} actions=group:{number + 1}" for number in range(20_000)]
    with pytest.raises(SluiceError, match=r"nothing was changed") as caught:
        bridge.apply(lines)
    assert len(str(caught.value).splitlines()) < 10
    assert bridge.dump() == []


def test_reads_text_with_names_counters_groups_and_meters(bridge: FlowBridge) -> None:
    meters = ["meter=1 kbps bands=type=drop rate=5"]
    bridge.apply(PROGRAM, GROUPS, meters, tables=TABLES)
    found = read_bridge(bridge.address, TABLES, Owner())
    assert found.flows == [f"cookie=0x0, {line}" for line in PROGRAM]
    assert found.counters == [(0, 0)] * 4
    assert found.groups == ["group_id=1,type=select,bucket=bucket_id:0,actions=output:1,bucket=bucket_id:1,actions=output:2",
                            "group_id=2,type=indirect,bucket=bucket_id:0,actions=output:3"]
    assert found.meters == meters


def test_what_sluice_does_not_know_is_shown_and_can_be_removed(bridge: FlowBridge) -> None:
    bridge.ovs.ofctl("add-flow", "br0", "mpls,mpls_label=5 actions=multipath(eth_src,50,modulo_n,1,0,NXM_NX_REG0[])")
    shown, = read_bridge(bridge.address, {}, Owner()).flows
    assert "oxm:" in shown and "actions=?ffff" in shown
    assert bridge.apply([]).count("removed") == 1
    assert bridge.dump() == []


def test_a_bridge_to_come_is_predicted_as_empty(ovs: OvsSandbox) -> None:
    address = f"unix:{ovs.directory}/br9.mgmt"
    want = encode_program(PROGRAM, None, None, TABLES)
    assert apply_program(address, want, TABLES, check=True).count("added") == 4
    with pytest.raises(SluiceError, match=r"cannot connect to unix:.*br9\.mgmt: .*; is ovs-vswitchd running, and does the bridge exist\?"):
        apply_program(address, want, TABLES)


@pytest.mark.parametrize("check", [True, False])
def test_a_hung_switch_is_an_error_in_time(bridge: FlowBridge, check: bool) -> None:
    want = encode_program(PROGRAM, None, None, TABLES)
    bridge.ovs.pause("ovs-vswitchd")
    started = time.monotonic()
    with pytest.raises(SluiceError, match=r"gave no answer for 0\.5 seconds"):
        apply_program(bridge.address, want, TABLES, check=check, timeout=0.5)
    assert time.monotonic() - started < 3
    bridge.ovs.resume("ovs-vswitchd")
    assert apply_program(bridge.address, want, TABLES).count("added") == 4


def test_a_switch_that_hangs_while_it_is_sent_flows(bridge: FlowBridge) -> None:
    with Connection(bridge.address, timeout=0.5) as connection:
        bridge.ovs.pause("ovs-vswitchd")
        with pytest.raises(SluiceError, match=r"took nothing for 0\.5 seconds|gave no answer"):
            connection.exchange(bytes(64 << 20))
        bridge.ovs.resume("ovs-vswitchd")


def test_a_switch_that_dies_in_the_middle(bridge: FlowBridge) -> None:
    """The error is clear, and the next run completes."""
    lines = [f"priority={number} actions=output:{number + 1}" for number in range(30_000)]
    want = encode_program(lines, None, None, {})
    killer = threading.Timer(0.03, bridge.ovs.kill, ("ovs-vswitchd",))
    killer.start()
    with pytest.raises(SluiceError, match=r"br0\.mgmt"):
        while True:
            apply_program(bridge.address, want, {}, timeout=2)
            apply_program(bridge.address, Program({}), {}, timeout=2)
    killer.join()
    bridge.ovs.start_vswitchd()
    bridge.ovs.vsctl("set", "bridge", "br0", "external_ids:started=again")  # waits until the bridge is there
    assert apply_program(bridge.address, want, {}).count("added") == 30_000


def test_a_bridge_without_openflow_1_5(bridge: FlowBridge) -> None:
    bridge.ovs.vsctl("set", "bridge", "br0", "protocols=OpenFlow13")
    with pytest.raises(SluiceError, match=r"add OpenFlow15 to the bridge's 'protocols'"):
        bridge.apply(PROGRAM, tables=TABLES)


def test_tcp(bridge: FlowBridge) -> None:
    # The sandbox has a network of its own, where nothing of ours listens: a relay stands for the way there.
    relay = socket.create_server(("127.0.0.1", 0))
    port = relay.getsockname()[1]
    ends: list[socket.socket] = []

    def serve() -> None:
        accepted, _ = relay.accept()
        upstream = socket.socket(socket.AF_UNIX)
        upstream.connect(bridge.address.partition(":")[2])
        ends.extend((accepted, upstream))
        for one, other in ((accepted, upstream), (upstream, accepted)):
            threading.Thread(target=pump, args=(one, other), daemon=True).start()

    threading.Thread(target=serve, daemon=True).start()
    address = f"tcp:127.0.0.1:{port}"
    assert apply_program(address, encode_program(PROGRAM, None, None, TABLES), TABLES).count("added") == 4
    assert len(bridge.dump()) == 4
    for end in (relay, *ends):
        end.close()


def pump(one: socket.socket, other: socket.socket) -> None:
    """Carry bytes until either end closes."""
    try:
        while data := one.recv(65536):
            other.sendall(data)
        other.shutdown(socket.SHUT_WR)
    except OSError:
        pass


def test_the_management_socket_is_found_by_the_bridges_name() -> None:
    assert socket_address("br0") == "unix:/var/run/openvswitch/br0.mgmt"
    assert socket_address("br0", "/a/b") == "unix:/a/b"
    assert socket_address("br0", "tcp:[::1]:6653") == "tcp:[::1]:6653"
