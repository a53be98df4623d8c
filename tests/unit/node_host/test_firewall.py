# SPDX-License-Identifier: Apache-2.0
"""Openings: from host.json to what each firewall manager is told, and back."""
from __future__ import annotations

from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from sluice.errors import InputError
from sluice.node.host import firewall, firewalld, foreign, record, ufw
from sluice.node.host.model import FIREWALLD_FILES, File, Host, Openings, Port
from sluice.node.host.parse import parse
from sluice.node.host.plan import plan, prior

GENEVE = {"protocol": "udp", "port": 6081, "interface": "eth1", "address": "192.0.2.11"}
OPENINGS = Openings((Port("udp", "eth1", "192.0.2.11", 6081), Port("gre", "eth1", "192.0.2.11"), Port("udp", "eth1", "2001:db8::b", 4789)),
                    ("sluice-gw0",))
TUPLES = {
    "user.rules": """*filter
### tuple ### allow tcp 22 0.0.0.0/0 any 0.0.0.0/0 in
-A ufw-user-input -p tcp --dport 22 -j ACCEPT

### tuple ### allow gre any 192.0.2.11 any 0.0.0.0/0 in_eth1
### tuple ### allow udp 6081 192.0.2.11 any 0.0.0.0/0 in_eth1 comment=736c75696365
### tuple ### route:allow any any 0.0.0.0/0 any 0.0.0.0/0 out_sluice-gw0 comment=736c75696365
### tuple ### route:allow any any 0.0.0.0/0 any 0.0.0.0/0 in_sluice-gw0
### tuple ### allow any any 0.0.0.0/0 any 0.0.0.0/0 out_sluice-gw0
### tuple ### allow any any 0.0.0.0/0 any 0.0.0.0/0 in_sluice-gw0
""",
    "user6.rules": """*filter
### tuple ### allow udp 4789 2001:db8::b any ::/0 in_eth1
### tuple ### route:allow any any ::/0 any ::/0 out_sluice-gw0
### tuple ### route:allow any any ::/0 any ::/0 in_sluice-gw0
### tuple ### allow any any ::/0 any ::/0 out_sluice-gw0
### tuple ### allow any any ::/0 any ::/0 in_sluice-gw0
""",
}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A host with ufw as it keeps its rules."""
    files = {**{f"etc/ufw/{name}": text for name, text in TUPLES.items()}, "etc/ufw/ufw.conf": "# ENABLED=no\nENABLED=yes\nLOGLEVEL=low\n",
             "etc/default/ufw": "IPV6=yes\n", "usr/sbin/ufw": ""}
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path


@pytest.mark.parametrize(("section", "path"), [
    ([], "firewall"),
    ({"port": []}, "firewall.port"),
    ({"ports": [{**GENEVE, "protocol": "sctp"}]}, "firewall.ports[0].protocol"),
    ({"ports": [{**GENEVE, "protocol": "gre"}]}, "firewall.ports[0].port"),
    ({"ports": [{**GENEVE, "port": None}]}, "firewall.ports[0].port"),
    ({"ports": [{**GENEVE, "port": 65536}]}, "firewall.ports[0].port"),
    ({"ports": [{**GENEVE, "address": "192.0.2.0/24"}]}, "firewall.ports[0].address"),
    ({"ports": [{**GENEVE, "interface": None}]}, "firewall.ports[0].interface"),
    ({"ports": [GENEVE, GENEVE]}, "firewall.ports[1]"),
    ({"interfaces": ['a"; drop']}, "firewall.interfaces[0]"),
    ({"interfaces": ["--force"]}, "firewall.interfaces[0]"),
    ({"interfaces": ["a", "a"]}, "firewall.interfaces[1]"),
])
def test_what_is_wrong_is_named(section: Any, path: str) -> None:
    with pytest.raises(InputError) as raised:
        parse({"firewall": section})
    assert path in {problem.path for problem in raised.value.problems}


def test_openings_are_read() -> None:
    host, sections = parse({"firewall": {"ports": [GENEVE, {"protocol": "gre", "interface": "eth1", "address": "192.0.2.11"},
                                                   {**GENEVE, "port": "4789", "address": "2001:db8:0::b"}], "interfaces": ["sluice-gw0"]}})
    assert host.openings == OPENINGS
    assert sections == {"firewall"}
    assert parse({})[0].openings is None


def test_files_of_the_section_are_not_for_the_section_files() -> None:
    with pytest.raises(InputError):
        parse({"files": {next(iter(FIREWALLD_FILES)): {"content": ""}}})


def test_ufw_rules_are_found_where_ufw_keeps_them(root: Path) -> None:
    rules = ufw.rules(OPENINGS)
    assert len(rules) == 3 + 4
    assert ufw.read(dict.fromkeys(rules, True), root) == dict.fromkeys(rules, True)
    (root / "etc/ufw/user6.rules").write_text("")
    there = ufw.read(dict.fromkeys(rules, True), root)
    # A rule that is left in one IP version only is not there where it is wanted, and is there where it has to go.
    assert [rule for rule in rules if there[rule]] == rules[:2]
    assert ufw.read({rules[3]: False}, root) == {rules[3]: True}
    (root / "etc/default/ufw").write_text("IPV6=no\n")
    assert all(ufw.read(dict.fromkeys(rules, True), root).values())
    (root / "etc/ufw/user.rules").write_text("")
    assert ufw.read({rules[3]: False}, root) == {rules[3]: False}


def test_ufw_is_asked_in_its_own_words() -> None:
    assert [" ".join(ufw.command(rule, True)) for rule in ufw.rules(OPENINGS)[1:5]] == [
        "ufw prepend allow in on eth1 to 192.0.2.11 proto gre comment sluice",
        "ufw prepend allow in on eth1 to 2001:db8::b port 4789 proto udp comment sluice",
        "ufw prepend allow in on sluice-gw0 comment sluice",
        "ufw prepend allow out on sluice-gw0 comment sluice"]
    assert " ".join(ufw.command("route allow in on sluice-gw0", False)) == "ufw route delete allow in on sluice-gw0"


def test_ufw_is_active_only_when_it_is_enabled_and_installed(root: Path) -> None:
    assert firewall.active(root) == {"ufw"}
    (root / "usr/sbin/ufw").unlink()
    assert firewall.active(root) == frozenset()
    assert ufw.read({"allow in on sluice-gw0": False}, root) == {"allow in on sluice-gw0": False}
    (root / "usr/sbin/ufw").touch()
    (root / "etc/ufw/ufw.conf").write_text("ENABLED=no\n")
    assert firewall.active(root) == frozenset()


def test_firewalld_files_are_well_formed_and_nothing_is_written_that_is_not_asked_for() -> None:
    files = firewalld.files(OPENINGS)
    assert set(files) == FIREWALLD_FILES
    tunnel = ElementTree.fromstring(files["/etc/firewalld/policies/sluice-tunnel.xml"].content.encode())
    assert [[(part.tag, dict(part.attrib)) for part in rule] for rule in tunnel.findall("rule")] == [
        [("destination", {"address": "192.0.2.11"}), ("port", {"port": "6081", "protocol": "udp"}), ("accept", {})],
        [("destination", {"address": "192.0.2.11"}), ("protocol", {"value": "gre"}), ("accept", {})],
        [("destination", {"address": "2001:db8::b"}), ("port", {"port": "4789", "protocol": "udp"}), ("accept", {})]]
    assert [rule.get("family") for rule in tunnel.findall("rule")] == ["ipv4", "ipv4", "ipv6"]
    assert set(firewalld.files(Openings(interfaces=("gw",)))) == {name for name in FIREWALLD_FILES if "tunnel" not in name}
    assert firewalld.files(Openings()) == {}


def test_openings_are_for_active_managers_and_those_that_have_some(root: Path) -> None:
    want = Host(openings=OPENINGS, files={"/x": File("")})
    assert firewall.with_openings(want, set(), root, Host()) == want
    both = firewall.with_openings(want, {"ufw", "firewalld"}, root, Host())
    assert set(both.files) == {"/x", *FIREWALLD_FILES}
    assert sorted(statement.partition(" ")[0] for statement in both.firewall) == ["firewalld"] + ["ufw"] * 7
    known = prior(both, Host())
    switched_off = firewall.with_openings(want, set(), root, known)
    assert {statement for statement in switched_off.firewall if statement.startswith("ufw")} == set(known.firewall)


def test_what_is_named_no_more_is_taken_back_and_what_was_there_before_stays() -> None:
    want = Host(openings=OPENINGS, firewall={"ufw allow in on a": True, "ufw allow in on b": True})
    known = record.merged(record.Record(), prior(want, Host(firewall={"ufw allow in on b": True})), [])
    none = record.with_restored(Host(), known, frozenset({"firewall"}))
    todo = plan(none, Host(firewall={"ufw allow in on a": True, "ufw allow in on b": True}))
    assert todo.actions() == ["ufw delete allow in on a"]
    assert record.without_restored(known, none, Host()).host.firewall == {}
    assert record.with_restored(Host(), known, frozenset({"files"})).firewall == {}


CHAINS = """table ip filter {
	chain INPUT {
		type filter hook input priority filter; policy accept;
	}
	chain FORWARD {
		type filter hook forward priority filter; policy drop;
	}
	chain DOCKER {
	}
}
table inet firewalld {
	chain filter_FORWARD {
		type filter hook forward priority filter + 10; policy drop;
	}
}
table netdev sluice {
	chain transport {
		type filter hook ingress device "eth1" priority -500; policy drop;
	}
}
table inet mine {
	chain in {
		type filter hook input priority -5; policy drop;
	}
	chain out {
		type filter hook output priority filter; policy drop;
	}
}
"""


def test_dropping_chains_of_others_are_found() -> None:
    def names(*managers: str) -> list[str]:
        return [" ".join(chain) for chain in foreign.dropping_chains(CHAINS, managers)]

    assert names() == ["ip filter FORWARD forward", "inet firewalld filter_FORWARD forward", "inet mine in input"]
    assert names("firewalld") == ["ip filter FORWARD forward", "inet mine in input"]
    assert names("ufw", "firewalld") == ["inet mine in input"]


@pytest.mark.parametrize(("line", "accepts"), [
    ('iifname "sluice-gw0" accept', 0),
    ('iifname { "lo", "sluice-gw0" } accept', 0),
    ('iif "sluice-gw0" counter packets 1 bytes 2 accept', 0),
    ("udp dport 6081 accept", 1),
    ("udp dport { 53, 6081 } counter accept", 1),
    ('iifname "eth1" ip protocol gre accept', 2),
    ("meta l4proto 47 accept", 2),
    ("udp dport 4789 accept", 3),
    ('iifname "sluice-gw0" drop', None),
    ('iifname "sluice-gw01" accept', None),
    ("udp dport 60810 accept", None),
    ("tcp dport 47 accept", None),
])
def test_rules_that_do_the_same_are_recognised(line: str, accepts: int | None) -> None:
    rules = foreign.needed(OPENINGS, foreign.Chain("inet", "mine", "in", "input"))
    assert len(rules) == 4
    lacking = foreign.missing(rules, f"table inet mine {{\n\tchain in {{\n\t\t{line}\n\t}}\n}}\n")
    assert [number for number, rule in enumerate(rules) if rule.rule not in lacking] == ([] if accepts is None else [accepts])


def test_a_table_of_one_family_needs_rules_of_that_family_only() -> None:
    assert [rule.rule for rule in foreign.needed(OPENINGS, foreign.Chain("ip6", "mine", "in", "input"))] == [
        'iifname "sluice-gw0" accept', 'iifname "eth1" ip6 daddr 2001:db8::b udp dport 4789 accept']
    assert [rule.rule for rule in foreign.needed(OPENINGS, foreign.Chain("ip6", "mine", "through", "forward"))] == [
        'iifname "sluice-gw0" accept', 'oifname "sluice-gw0" accept']
