# SPDX-License-Identifier: Apache-2.0
"""Programs: what means the same is the same bytes, and what is wrong is named with its line and token."""
from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sluice.errors import InputError, SluiceError
from sluice.ovs.encode import encode_program
from sluice.ovs.flow import Flow
from sluice.ovs.flow_apply import make_plan, plan_lines
from sluice.ovs.openflow.match import MatchEncoder, decode_match
from sluice.ovs.program import Owner, Program, as_lines, parse_owner, parse_tables
from sluice.ovs.render import Renderer

TABLES = {0: "classify", 10: "route"}
CASES = Path(__file__).parents[2] / "integration" / "flows"


def encode(*lines: str | Flow) -> dict[bytes, None]:
    return encode_program(lines, None, None, TABLES).flows


def case_lines(name: str) -> list[str]:
    return [line for line in (CASES / name).read_text().splitlines() if not line.startswith("#")]


@pytest.mark.parametrize(("one", "other"), [
    ("ip,nw_src=10.0.0.0/8 actions=drop", "eth_type=0x800,ip_src=10.1.2.3/255.0.0.0 actions=drop"),
    ("tcp,tp_dst=80 actions=drop", "ip,nw_proto=6,tcp_dst=0x50 actions=drop"),
    ("reg0=5,reg1=6 actions=drop", "xreg0=0x500000006 actions=drop"),
    ("reg0=0x3/0xf,reg0=0x10/0xf0 actions=drop", "reg0=0x13/0xff actions=drop"),
    ("xreg0=0x500000000/0xff00000000,reg1=1 actions=drop", "reg1=1,reg0=5/0xff actions=drop"),
    ("xxreg0=0x1 actions=drop", "reg0=0,reg1=0,reg2=0,reg3=1 actions=drop"),
    ("in_port=5,ip actions=drop", "ip,in_port=5 actions=drop"),
    ("in_port=LOCAL actions=drop", "in_port=65534 actions=drop"),
    ("ip,nw_src=0.0.0.0/0 actions=drop", "ip actions=drop"),
    ("dl_vlan=5 actions=drop", "vlan_tci=0x1005/0x1fff actions=drop"),
    ("arp,nw_src=10.0.0.1,nw_proto=2 actions=drop", "arp,arp_op=2,arp_spa=10.0.0.1 actions=drop"),
    ("ip,ct_state=-new+trk actions=drop", "ct_state=+trk-new,ip actions=drop"),
    ("icmp6,icmp_type=135 actions=drop", "icmp6,icmpv6_type=135 actions=drop"),
    ("actions=load:0x5->NXM_NX_REG0[0..3]", "actions=set_field:5/0xf->reg0"),
    ("actions=output:5", "actions=5"),
    ("actions=goto_table:route", "actions=goto_table:10"),
    ("table=route actions=drop", "table=10 actions=drop"),
    ("actions=set_tunnel:5", "actions=set_field:0x5->tun_id"),
    ("actions=ct(zone=0x51c3,table=route)", "actions=ct(table=10,zone=20931)"),
    ("actions=ct(commit,nat(dst=10.0.0.1:80),exec(set_field:1->ct_mark),zone=5)", "actions=ct(exec(set_field:1->ct_mark),nat(dst=10.0.0.1:80),zone=5,commit)"),
    ("actions=resubmit(,route)", "actions=resubmit(,10)"),
    ("actions=learn(table=route,NXM_OF_IP_SRC[],load:1->NXM_NX_REG0[0])", "actions=learn(table=10,NXM_OF_IP_SRC[],load:1->NXM_NX_REG0[0])"),
    ("actions=clone(ct(table=route))", "actions=clone(ct(table=10))"),
])
def test_same_meaning_same_bytes(one: str, other: str) -> None:
    assert encode(one) == encode(other)


@pytest.mark.parametrize(("one", "other"), [
    ("ip actions=drop", "ipv6 actions=drop"), ("reg0=1 actions=drop", "reg1=1 actions=drop"),
    ("priority=1 actions=drop", "priority=2 actions=drop"), ("actions=output:1", "actions=output:2"),
    ("cookie=1 actions=drop", "cookie=2 actions=drop"), ("idle_timeout=1 actions=drop", "hard_timeout=1 actions=drop"),
    ("actions=ct(commit)", "actions=ct(commit,force)"), ("actions=drop", "actions=NORMAL"),
])
def test_different_meaning_different_bytes(one: str, other: str) -> None:
    assert encode(one) != encode(other)


@pytest.mark.parametrize("match", case_lines("matches.txt"))
def test_matches_are_written_as_they_are_read(match: str) -> None:
    encoded = encode(f"{match} actions=drop")
    assert encode(*Renderer(TABLES).lines(Program(encoded))) == encoded


@pytest.mark.parametrize("case", case_lines("actions.txt"))
def test_actions_are_written_as_they_are_read(case: str) -> None:
    match, _, actions = case.partition("=> ")
    encoded = encode(f"{match} actions={actions}")
    assert encode(*Renderer(TABLES).lines(Program(encoded))) == encoded


@given(st.lists(st.tuples(st.integers(0, 15), st.integers(0, 2**32 - 1), st.integers(1, 2**32 - 1)), min_size=1, max_size=4,
                unique_by=lambda register: register[0]),
       st.integers(0, 2**32 - 1), st.integers(0, 32), st.integers(0, 2**128 - 1), st.integers(0, 0xFFFF))
def test_any_value_under_any_mask(registers: list[tuple[int, int, int]], address: int, length: int, label: int, port: int) -> None:
    octets = ".".join(str(octet) for octet in address.to_bytes(4, "big"))
    tokens = (*(f"reg{number}={value:#x}/{mask:#x}" for number, value, mask in registers), "tcp", f"nw_src={octets}/{length}",
              f"ct_label={label:#x}", f"tp_dst={port}")
    encoder = MatchEncoder()
    encoded = encoder.encode(tokens)
    assert encoder.encode(tuple(reversed(tokens))) == encoded, "neither order nor what the encoder remembers changes the bytes"
    assert MatchEncoder().encode(decode_match(encoded)) == encoded


ALL_LINES = [*(f"cookie=0x1, table=10, priority=5,{match} actions=drop" for match in case_lines("matches.txt")),
             *("cookie=0x1, table=10, priority=5,{0} actions={2}".format(*case.partition("=> ")) for case in case_lines("actions.txt"))]


@settings(max_examples=400)
@given(st.data())
def test_damaged_lines_are_refused_in_words_or_mean_something(data: st.DataObject) -> None:
    """Whatever is typed: either it is a flow, which then is written as it is read, or there is an InputError, and nothing else."""
    line = data.draw(st.sampled_from(ALL_LINES))
    start = data.draw(st.integers(0, len(line)))
    end = data.draw(st.integers(start, min(len(line), start + 4)))
    damaged = line[:start] + data.draw(st.text("0123456789abcdefx:/.,()[]=->+| _²é", max_size=3)) + line[end:]
    try:
        encoded = encode(damaged)
    except InputError:
        return
    assert encode(*Renderer(TABLES).lines(Program(encoded))) == encoded


@settings(max_examples=200)
@given(st.data())
def test_damaged_groups_and_meters_are_refused_in_words_or_mean_something(data: st.DataObject) -> None:
    line = data.draw(st.sampled_from([*GROUPS, *METERS]))
    start = data.draw(st.integers(0, len(line)))
    end = data.draw(st.integers(start, min(len(line), start + 4)))
    damaged = line[:start] + data.draw(st.text("0123456789abcdefx:/.,()[]=->", max_size=3)) + line[end:]
    for groups, meters in (([damaged], []), ([], [damaged])):
        try:
            program = encode_program([], groups, meters, TABLES)
        except InputError:
            continue
        assert program.groups is not None
        assert program.meters is not None
        renderer = Renderer(TABLES)
        again = encode_program([], [renderer.group(*item) for item in program.groups.items()],
                               [renderer.meter(*item) for item in program.meters.items()], TABLES)
        assert (again.groups, again.meters) == (program.groups, program.meters)


def test_a_flow_is_as_good_as_its_line() -> None:
    flow = Flow("route", 7, ("ip", "nw_dst=10.0.0.1"), ("dec_ttl", "output:3"), 5, 1, 2, 3, ("send_flow_rem",))
    assert encode(flow) == encode(str(flow))
    assert Renderer(TABLES).lines(Program(encode(flow))) == [str(flow)]


@pytest.mark.parametrize(("line", "says"), [
    ("ip,in_prt=5 actions=drop", "'in_prt=5': 'in_prt' is not a field that Sluice can match"),
    ("ip,nw_src=10.0.0 actions=drop", "'nw_src=10.0.0': '10.0.0' is not an IPv4 address"),
    ("ip,nw_src=10.0.0.0/33 actions=drop", "'/33' is longer than the address"),
    ("nw_src=10.0.0.1 actions=drop", "ip_src has a meaning only in a flow that matches ip (or, for addresses in ARP, arp)"),
    ("udp,tcp_dst=80 actions=drop", "tcp_dst has a meaning only in a flow that matches tcp or tcp6"),
    ("nw_ttl=5 actions=drop", "nw_ttl has a meaning only in a flow that matches ip or ipv6"),
    ("ip,ipv6_src=fd00::1 actions=drop", "ipv6_src has a meaning only in a flow that matches ipv6"),
    ("ip,arp_op=1 actions=drop", "arp_op has a meaning only in a flow that matches arp"),
    ("ipv6,nd_target=fd00::1 actions=drop", "nd_target has a meaning only in a flow that matches icmp6"),
    ("tcp,icmp_type=8 actions=drop", "icmp_type has a meaning only in a flow that matches icmp or icmp6"),
    ("ip,tp_dst=80 actions=drop", "matches no protocol with ports"),
    ("tcp,udp actions=drop", "'udp' contradicts another condition on nw_proto"),
    ("reg0=1,reg0=2 actions=drop", "'reg0=2' contradicts another condition"),
    ("ip,ct_state=+trk+foo actions=drop", "'foo' is not a flag of ct_state"),
    ("in_port=eth0 actions=drop", "'eth0' is not a port"),
    ("in_port=70000 actions=drop", "'70000' is not a port"),
    ("dl_src=0a:00 actions=drop", "'0a:00' is not an Ethernet address"),
    ("reg16=1 actions=drop", "'reg16' is not a field"),
    ("reg0=0x100000000 actions=drop", "does not fit into 32 bits"),
    ("foo actions=drop", "'foo' is not a condition"),
    ("table=nowhere actions=drop", "'nowhere' is not a table"),
    ("actions=goto_table:nowhere", "'goto_table:nowhere': 'nowhere' is not a table"),
    ("actions=fly_away:5", "'fly_away:5' is not an action that Sluice knows"),
    ("actions=drop,output:1", "'drop' must be the only action"),
    ("actions=goto_table:10,output:1", "'output:1' must come before goto_table"),
    ("actions=goto_table:10,goto_table:11", "'goto_table:11' must come before goto_table"),
    ("actions=set_field:1->reg99", "'reg99' is not a field"),
    ("actions=set_field:0x1/0x1", "expected a form like value->field"),
    ("actions=move:NXM_NX_REG0[0..3]->NXM_NX_REG1[0..15]", "the source has 4 bits, the destination 16"),
    ("actions=load:16->NXM_NX_REG0[0..3]", "'16' does not fit into 4 bits"),
    ("actions=load:1->NXM_NX_REG0[30..35]", "are not within the field's 32"),
    ("actions=ct(commit,frobnicate)", "'frobnicate' is not an argument of ct"),
    ("actions=ct(force)", "'force' needs 'commit'"),
    ("actions=ct(commit,nat(src=10.0.0.300))", "is not a range of addresses and ports"),
    ("actions=ct(commit,nat(src=10.0.0.1,dst=10.0.0.1))", "not both"),
    ("actions=ct(commit,exec(set_field:1->nothing))", "'nothing' is not a field"),
    ("actions=conjunction(5,3/2)", "1 <= k <= n"),
    ("actions=learn(table=1,foo=1)", "'foo' is not a field"),
    ("actions=controller(colour=red)", "'colour=red' is not an argument of controller"),
    ("actions=note:zz", "is not a row of octets"),
    ("actions=resubmit(,5,fast)", "expected resubmit"),
    ("actions=group:x", "'x' is not a number"),
    ("actions=dec_ttl(70000)", "does not fit into 16 bits"),
])
def test_names_line_and_token_of_what_is_wrong(line: str, says: str) -> None:
    with pytest.raises(InputError) as caught:
        encode("actions=NORMAL", line)
    problem, = caught.value.problems
    assert (problem.file, problem.object, problem.path) == ("flows", "line 2", line)
    assert says in problem.message


def test_reports_everything_at_once() -> None:
    with pytest.raises(InputError) as caught:
        encode_program(["ip actions=drop", "ip actions=NORMAL", "x actions=drop", "cookie=5,arp actions=drop"],
                       ["group_id=1,type=all", "group_id=1,type=all", "type=all"], ["meter=0", "meter=1 kbps band=type=drop rate=5"],
                       {}, Owner(0, 0xFF))
    messages = [problem.message for problem in caught.value.problems]
    assert len(messages) == 6
    assert any("same table, priority and match" in message for message in messages)
    assert any("is not one of the owner's (0x0/0xff)" in message for message in messages)
    assert any("the id 1 is given twice" in message for message in messages)


@pytest.mark.parametrize(("text", "owner"), [("0/0", Owner()), ("5", Owner(5, 2**64 - 1)), ("0x50/0xf0", Owner(0x50, 0xF0))])
def test_owners(text: str, owner: Owner) -> None:
    parsed = parse_owner(text)
    assert (parsed.value, parsed.mask) == (owner.value, owner.mask)
    assert owner.owns(owner.value)
    assert not owner.mask or not owner.owns(owner.value ^ (owner.mask & -owner.mask))


@pytest.mark.parametrize("text", ["x", "", "5/x", "0x51/0xf0", "-1", str(2**64)])
def test_refuses_what_is_no_owner(text: str) -> None:
    with pytest.raises(SluiceError, match=r"^cookie: "):
        parse_owner(text)


@pytest.mark.parametrize("tables", [{"x": "a"}, {"255": "a"}, {"1": "5"}, {"1": ""}, {"1": "a b"}, {"1": "a", "2": "a"}, {"1": 7}])
def test_refuses_what_are_no_tables(tables: dict[object, object]) -> None:
    with pytest.raises(SluiceError, match=r"^tables: "):
        parse_tables(tables)


def test_tables_have_numbers_as_json_writes_them() -> None:
    assert parse_tables({"0": "classify", 10: "route"}) == TABLES


def test_lines_come_as_a_text_or_as_a_list() -> None:
    assert as_lines("flows", None) is None
    assert as_lines("flows", "a\nb\n") == as_lines("flows", ["a", "b"]) == ["a", "b"]
    with pytest.raises(SluiceError, match=r"^flows: "):
        as_lines("flows", {"a": 1})


def test_plans_by_state() -> None:
    have = Program(encode("ip actions=drop", "arp actions=drop", "ipv6 actions=NORMAL"))
    want = Program(encode("ip actions=drop", "arp actions=NORMAL", "tcp actions=drop"))
    plans = {state: make_plan(have, want, state) for state in ("overridden", "merged", "deleted")}
    counts = {state: tuple(plan.count(which) for which in ("added", "removed", "modified")) for state, plan in plans.items()}
    assert counts == {"overridden": (1, 1, 1), "merged": (1, 0, 1), "deleted": (0, 2, 0)}
    assert not make_plan(want, want, "overridden").changed
    assert make_plan(have, Program({}), "deleted").count("removed") == 3
    assert plan_lines(plans["overridden"], TABLES) == [
        "+ cookie=0x0, table=classify, priority=32768,tcp actions=drop",
        "- cookie=0x0, table=classify, priority=32768,arp actions=drop",
        "+ cookie=0x0, table=classify, priority=32768,arp actions=NORMAL",
        "- cookie=0x0, table=classify, priority=32768,ipv6 actions=NORMAL"]
    assert plan_lines(plans["overridden"], TABLES, 2) == plan_lines(plans["overridden"], TABLES)[:2]
    assert plan_lines(plans["overridden"], TABLES, signs="-") == [line for line in plan_lines(plans["overridden"], TABLES) if line[0] == "-"]


GROUPS = (
    "group_id=5,type=select,selection_method=hash,fields(ip_src,tcp_src=255),bucket=bucket_id:1,weight:100,watch_port:3,"
    "actions=set_field:0x5->reg0,output:1,bucket=bucket_id:4,actions=output:2",
    "group_id=6,type=indirect,bucket=bucket_id:0,actions=output:1",
    "group_id=7,type=ff,bucket=bucket_id:0,watch_port:1,actions=output:1,bucket=bucket_id:1,watch_group:6,actions=output:2",
    "group_id=8,type=all,bucket=bucket_id:0,actions=drop",
    "group_id=9,type=select,selection_method=dp_hash,selection_method_param=5,bucket=bucket_id:0,weight:0,actions=ct(commit,nat(dst=10.0.0.1))",
    "group_id=10,type=all")
METERS = ("meter=5 kbps bands=type=drop rate=5", "meter=6 pktps burst stats bands=type=drop rate=5 burst_size=6",
          "meter=7 kbps bands=type=dscp_remark rate=5 prec_level=1 type=drop rate=9")


def test_groups_and_meters_are_written_as_they_are_read() -> None:
    program = encode_program([], GROUPS, METERS, {})
    assert Renderer({}).lines(program) == [*METERS, *GROUPS]


@pytest.mark.parametrize(("line", "says"), [
    ("group_id=1", "'type='"), ("group_id=1,type=some", "is not a type of group"), ("group_id=4294967040,type=all", "below 0xffffff00"),
    ("group_id=1,type=indirect", "exactly one bucket"), ("group_id=1,type=all,bucket=weight:5,output:1", "has a weight"),
    ("group_id=1,type=ff,bucket=output:1", "needs watch_port"), ("group_id=1,type=all,colour=red", "'colour=red'"),
    ("group_id=1,type=all,bucket=fly:1", "'fly:1' is not an action"), ("group_id=1,type=all,selection_method=hash", "only a select group"),
    ("group_id=1,type=all,bucket=bucket_id:1,bucket=bucket_id:1", "same bucket_id"),
])
def test_refuses_groups_with_the_reason(line: str, says: str) -> None:
    with pytest.raises(InputError, match=re.escape(says)):
        encode_program([], [line], None, {})


@pytest.mark.parametrize(("line", "says"), [
    ("kbps band=type=drop rate=5", "'meter='"), ("meter=1 kbps pktps band=type=drop rate=5", "not in both"),
    ("meter=1 kbps", "needs a band"), ("meter=1 band=type=drop rate=5", "needs 'kbps' or 'pktps'"),
    ("meter=1 kbps band=type=fly rate=5", "'type=fly'"), ("meter=1 kbps band=type=drop", "'rate='"),
    ("meter=1 kbps band=type=drop rate=5 burst_size=5", "the flag 'burst'"), ("meter=1 fast band=type=drop rate=5", "'fast'"),
])
def test_refuses_meters_with_the_reason(line: str, says: str) -> None:
    with pytest.raises(InputError, match=re.escape(says)):
        encode_program([], None, [line], {})


def test_groups_take_names_of_tables() -> None:
    named, numbered = (encode_program([], [f"group_id=1,type=select,bucket=actions=ct(commit,nat(dst=10.0.0.1:80),table={table}),"
                                           f"bucket=actions=resubmit(,{table})"], None, TABLES).groups for table in ("route", "10"))
    assert named == numbered


def test_no_translation_hides_what_is_wrong_around_it() -> None:
    """What stands around nat(…) is remembered, so it has to be the same whatever was encoded before."""
    lines = [f"priority={number} actions=ct(commit,nat(dst=10.0.0.{number}),zone={number // 2})" for number in range(6)]
    assert encode_program(lines, None, None, {}).flows == {desc: None for line in lines for desc in encode(line)}
    for wrong in ("ct(commit,nat(dst=10.0.0.1),fly)", "ct(commit,nat(dst=10.0.0.1)x)", "ct(commit,nat(dst=10.0.0.1),nat(fly))",
                  "ct(commit,exec(nat(dst=10.0.0.1)))", "ct(commit,xnat(dst=10.0.0.1))", "ct(commit,nat(dst=10.0.0.1,fly))"):
        with pytest.raises(InputError):
            encode_program([*lines, f"actions={wrong}"], None, None, {})


@pytest.mark.parametrize(("flows", "groups", "says"), [
    ([f"actions={','.join(f'output:{port}' for port in range(1, 5000))}"], [], "do not fit into an OpenFlow message"),
    ([], [f"group_id=1,type=select,{','.join('bucket=actions=ct(commit,nat(dst=10.0.0.1:80))' for _ in range(1500))}"],
     "group 1 has 1500 buckets, whose actions do not fit into an OpenFlow message, which has at most 65535 bytes; spread them over several groups"),
    ([], [f"group_id=1,type=all,bucket=actions={','.join(f'output:{port}' for port in range(1, 5000))}"], "the actions of bucket 0 do not fit"),
])
def test_refuses_what_no_message_can_carry(flows: list[str], groups: list[str], says: str) -> None:
    with pytest.raises(InputError, match=re.escape(says)):
        encode_program(flows, groups, None, {})
