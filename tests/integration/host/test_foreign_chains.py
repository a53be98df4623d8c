# SPDX-License-Identifier: Apache-2.0
"""Chains of others that drop, in a real kernel: the warning's own rules are what ends it."""
from __future__ import annotations

import re

import pytest
from host_node import Node, done

CONFIG = {"firewall": {
    "ports": [{"protocol": "udp", "port": 6081, "interface": "eth1", "address": "192.168.77.11"},
              {"protocol": "gre", "interface": "eth1", "address": "192.168.77.11"},
              {"protocol": "udp", "port": 4789, "interface": "eth1", "address": "fd77::11"}],
    "interfaces": ["sluice-gw0"]}}


@pytest.mark.parametrize(("family", "hook", "rules"), [
    ("inet", "forward", 2), ("ip6", "forward", 2), ("inet", "input", 4), ("ip", "input", 3), ("ip6", "input", 2)])
def test_the_rules_that_are_named_are_the_ones_that_are_missing(node: Node, family: str, hook: str, rules: int) -> None:
    node.run("nft", f"table {family} theirs {{ chain fence {{ type filter hook {hook} priority filter; policy drop; ct state established accept; }}; }}")
    before = node.tables()
    predicted, result = map(done, node.engines({"config": CONFIG, "check": True}, {"config": CONFIG}))
    assert predicted["warnings"] == result["warnings"]
    (warning,) = result["warnings"]
    assert f"chain fence of nftables table {family} theirs has policy drop" in warning
    commands = re.findall(r"nft (insert rule [^;]* accept)", warning)
    assert len(commands) == rules
    for command in commands:
        node.run("nft", command)
    assert done(node.engine(CONFIG))["warnings"] == []
    assert not result["changed"]
    assert node.tables() == before


def test_without_such_a_chain_there_is_nothing_to_say(node: Node) -> None:
    node.run("nft", "table inet theirs { chain fence { type filter hook forward priority filter; policy accept; }; }")
    assert done(node.engine(CONFIG)) == {"changed": False, "actions": [], "diff": [], "warnings": []}
