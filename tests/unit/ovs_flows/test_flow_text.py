# SPDX-License-Identifier: Apache-2.0
"""A flow's text: what is written can be read, and what cannot be read says why."""
from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluice.errors import InputError, SluiceError
from sluice.ovs.flow import FLAGS, Flow, parse_flow, parse_flows, render_flow

LINE = ("cookie=0x51c30000deadbeef, table=classify, priority=200,ip,in_port=5,dl_src=0a:00:00:00:00:01 "
        "actions=set_field:0x3/0xf->reg0,goto_table:spoof_guard")
FLOW = Flow("classify", 200, ("ip", "in_port=5", "dl_src=0a:00:00:00:00:01"), ("set_field:0x3/0xf->reg0", "goto_table:spoof_guard"),
            0x51C30000DEADBEEF)

WORD = st.from_regex(r"[a-z][a-z0-9_]{0,6}(=[a-z0-9:./+-]{1,8})?", fullmatch=True).filter(
    lambda word: word.partition("=")[0] not in ("cookie", "table", "priority", "idle_timeout", "hard_timeout", "importance", "duration",
                                                 "n_packets", "n_bytes", "idle_age", "hard_age", "actions", "action", *FLAGS)
    and "action" not in word)
NESTED = st.recursive(WORD, lambda inner: st.builds(lambda name, parts: f"{name.partition('=')[0]}({','.join(parts)})",
                                                    WORD, st.lists(inner, min_size=1, max_size=3)), max_leaves=6)
FLOWS = st.builds(
    Flow, st.from_regex(r"[a-z0-9_]{1,8}", fullmatch=True), st.integers(0, 0xFFFF), st.lists(WORD, max_size=4).map(tuple),
    st.lists(NESTED, min_size=1, max_size=4).map(tuple), st.integers(0, 2**64 - 1), st.integers(0, 0xFFFF), st.integers(0, 0xFFFF),
    st.integers(0, 0xFFFF), st.sets(st.sampled_from(FLAGS)).map(lambda chosen: tuple(flag for flag in FLAGS if flag in chosen)))


def test_writes_and_reads_the_form_of_the_artifacts() -> None:
    assert str(FLOW) == render_flow(FLOW) == LINE
    assert parse_flow(LINE) == FLOW


@given(FLOWS)
def test_reads_what_it_writes(flow: Flow) -> None:
    assert parse_flow(render_flow(flow)) == flow


@given(FLOWS, st.randoms(use_true_random=False))
def test_order_and_white_space_do_not_matter(flow: Flow, random: object) -> None:
    head, _, actions = render_flow(flow).partition(" actions=")
    fixed = head.replace(",", " ").split()
    text = "\t,  ".join(reversed(fixed)) + "   actions=" + actions.replace("(", "( ").replace(",", " ,  ").replace(")", " )")
    parsed = parse_flow(text)
    assert parsed._replace(match=tuple(reversed(parsed.match))) == flow


@pytest.mark.parametrize(("actions", "tokens"), [
    ("drop", ("drop",)),
    ("ct( commit, zone=5 ,exec( set_field:1->ct_mark)),output:3", ("ct(commit,zone=5,exec(set_field:1->ct_mark))", "output:3")),
    ("resubmit(,10) , resubmit( 4 ,)", ("resubmit(,10)", "resubmit(4,)")),
    ("check_pkt_larger(1500)->NXM_NX_REG0[3]", ("check_pkt_larger(1500)->NXM_NX_REG0[3]",)),
    ("learn(table=1  priority=5,load:1->reg0)", ("learn(table=1,priority=5,load:1->reg0)",)),
])
def test_parentheses_hold_actions_together(actions: str, tokens: tuple[str, ...]) -> None:
    assert parse_flow(f"actions={actions}").actions == tokens


def test_takes_a_line_of_dump_flows() -> None:
    line = (" cookie=0x5, duration=1.2s, table=3, n_packets=1, n_bytes=42, idle_timeout=10, send_flow_rem importance=5, idle_age=1, "
            "priority=7,arp actions=NORMAL")
    assert parse_flow(line) == Flow("3", 7, ("arp",), ("NORMAL",), 5, 10, 0, 5, ("send_flow_rem",))


def test_what_is_not_said_is_ovs_ofctls_default() -> None:
    assert parse_flow("actions=drop") == Flow("0", 32768, (), ("drop",))


def test_no_actions_drop() -> None:
    assert str(Flow("0", 1, (), ())).endswith("priority=1 actions=drop")


@pytest.mark.parametrize(("line", "says"), [
    ("ip,in_port=5", "no 'actions='"),
    ("ip actions=", "nothing follows 'actions='"),
    ("priority=65536 actions=drop", "'priority=65536' is not an unsigned number of 16 bits"),
    ("cookie=x actions=drop", "'cookie=x'"),
    ("table= actions=drop", "'table=' has no value"),
    ("actions=ct(commit", "a '(' without its ')'"),
    ("actions=ct)", "a ')' without its '('"),
])
def test_refuses_with_the_reason(line: str, says: str) -> None:
    with pytest.raises(SluiceError, match=re.escape(says)):
        parse_flow(line)


def test_reports_every_line_that_cannot_be_read() -> None:
    text = f"# a comment\n\n{LINE}\nip\n   \ncookie=-1 actions=drop\n"
    with pytest.raises(InputError) as caught:
        parse_flows(text)
    assert [problem.object for problem in caught.value.problems] == ["line 4", "line 6"]
    assert parse_flows(text.replace("\nip\n", "\n").replace("cookie=-1", "cookie=1")) == [FLOW, Flow("0", 32768, (), ("drop",), 1)]
