# SPDX-License-Identifier: Apache-2.0
"""Which connections are to an endpoint that is gone."""
from __future__ import annotations

from sluice.node.conntrack import Backend, Entry, backends, parse_entries, stale

GROUP = ("group_id=5,type=select,bucket=bucket_id:0,weight:1,actions=ct(commit,table=60,zone=20931,nat(dst=10.10.0.3:53),exec(set_field:0x7->ct_mark)),"
         "bucket=bucket_id:1,weight:1,actions=ct(commit,zone=0x51c3,nat(dst=[fd10::4]:5353),exec(set_field:8->ct_mark),table=policy_exempt)")
DUMP = """\
udp,orig=(src=10.10.0.2,dst=10.96.0.1,sport=4000,dport=53),reply=(src=10.10.0.3,dst=10.10.0.2,sport=53,dport=4000),zone=20931,mark=7
udp,orig=(src=fd10::2,dst=fd96::1,sport=4001,dport=53),reply=(src=fd10::4,dst=fd10::2,sport=5353,dport=4001),zone=20931,mark=8
udp,orig=(src=10.10.0.2,dst=10.10.0.3,sport=4000,dport=53),reply=(src=10.10.0.3,dst=10.10.0.2,sport=53,dport=4000),zone=20931
tcp,orig=(src=10.10.0.2,dst=10.96.0.1,sport=4000,dport=53),reply=(src=10.10.0.3,dst=10.10.0.2,sport=53,dport=4000),zone=20931,mark=7,protoinfo=(state=ESTABLISHED)
sctp,orig=(src=10.10.0.2,dst=10.96.0.1,sport=4000,dport=53),reply=(src=10.10.0.3,dst=10.10.0.2,sport=53,dport=4000),zone=20931,labels=0x1,mark=7,protoinfo=(state=ESTABLISHED)
icmp,orig=(src=10.10.0.2,dst=10.10.0.3,id=1,type=8,code=0),reply=(src=10.10.0.3,dst=10.10.0.2,id=1,type=0,code=0),zone=20931,mark=7
"""


def test_backends_are_read_from_groups_and_flows() -> None:
    flow = "cookie=0x51c3, table=endpoint, priority=9,udp,ct_mark=1 actions=ct(commit,zone=5,nat(dst=10.10.0.9:99),exec(set_field:0x9->ct_mark)),drop"
    others = ["table=0, actions=ct(table=1,zone=5,nat)", "actions=ct(commit,nat(src=10.0.0.1),exec(set_field:1->ct_mark))"]
    assert backends([GROUP, flow, *others]) == {Backend(7, "10.10.0.3", 53), Backend(8, "fd10::4", 5353), Backend(9, "10.10.0.9", 99)}


def test_only_a_services_connections_without_an_end_are_stale() -> None:
    entries = list(parse_entries(DUMP))
    gone = {Backend(7, "10.10.0.3", 53)}
    assert stale(entries, gone) == [Entry(protocol, "10.10.0.2", "10.96.0.1", 4000, 53, Backend(7, "10.10.0.3", 53)) for protocol in ("udp", "sctp")]
    assert stale(entries, {Backend(8, "fd10::4", 5353)}) == [Entry("udp", "fd10::2", "fd96::1", 4001, 53, Backend(8, "fd10::4", 5353))]
    assert stale(entries, {Backend(7, "10.10.0.3", 54), Backend(6, "10.10.0.3", 53)}) == []
