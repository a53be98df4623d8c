# SPDX-License-Identifier: Apache-2.0
"""Saved switches are read as what they are, or refused with the line that is wrong. Real ones are in tests/integration/switch."""
from __future__ import annotations

import hashlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluice.errors import SluiceError
from sluice.ovs.switch.database_file import contents_of_file
from sluice.ovs.switch.dump import switch_from_tables, switch_from_text
from sluice.ovs.switch.secrets import hidden
from sluice.ovs.switch.show import config_from_show

SOME, NONE = {"key": "string", "min": 0, "max": "unlimited"}, {"key": "string", "min": 0}
MAP = {"key": "string", "value": "string", "min": 0, "max": "unlimited"}
ROWS = {"key": {"type": "uuid", "refTable": "Port"}, "min": 0, "max": "unlimited"}
ROOT, BR0, LOCAL, IFACE = (f"{digit}0000000-0000-4000-8000-000000000000" for digit in "1234")
SCHEMA: dict[str, Any] = {"name": "Open_vSwitch", "version": "8.3.0", "tables": {
    "Open_vSwitch": {"columns": {"bridges": {"type": ROWS}, "external_ids": {"type": MAP}, "other_config": {"type": MAP}, "next_cfg": {"type": "integer"},
                                 "cur_cfg": {"type": "integer"}, "ovs_version": {"type": NONE}, "iface_types": {"type": SOME},
                                 "datapath_types": {"type": SOME}}},
    "Bridge": {"columns": {"name": {"type": "string"}, "ports": {"type": ROWS}, "external_ids": {"type": MAP}, "protocols": {"type": SOME},
                           "fail_mode": {"type": NONE}, "stp_enable": {"type": "boolean"}}},
    "Port": {"columns": {"name": {"type": "string"}, "interfaces": {"type": {**ROWS, "min": 1}}, "tag": {"type": {"key": "integer", "min": 0}}}},
    "Interface": {"columns": {"name": {"type": "string"}, "type": {"type": "string"}}}}}
START = {
    "Open_vSwitch": {ROOT: {"bridges": ["uuid", BR0]}}, "Bridge": {BR0: {"name": "br0", "ports": ["uuid", LOCAL]}},
    "Port": {LOCAL: {"name": "br0", "interfaces": ["uuid", IFACE], "tag": 5}}, "Interface": {IFACE: {"name": "br0", "type": "internal"}}}
BRIDGE = {"name": "br0", "ports": [{"name": "br0", "tag": 5, "interfaces": [{"name": "br0", "type": "internal"}]}]}


def database_file(*transactions: Any, schema: Any = SCHEMA) -> str:
    """As ovsdb(5) says."""
    lines = [json.dumps(record, ensure_ascii=False) + "\n" for record in (schema, *transactions)]
    return "".join(f"OVSDB JSON {len(line.encode())} {hashlib.sha1(line.encode()).hexdigest()}\n{line}" for line in lines)


def dump(**changed: Any) -> list[dict[str, Any]]:
    """The tables of START, as ovsdb-client prints them."""
    return [changed.get(table, {"caption": f"{table} table", "headings": ["_uuid", *columns], "data": [
        [["uuid", uuid], *(row[column] for column in columns)] for uuid, row in contents_of_file(database_file(START)).rows[table].items()]})
        for table, columns in ((table, list(content["columns"])) for table, content in SCHEMA["tables"].items())]


def bridge_after(*transactions: Any) -> Any:
    return switch_from_text(database_file(START, *transactions))["bridges"][0]


def refused(text: Any) -> str:
    with pytest.raises(SluiceError) as error:
        switch_from_text(text)
    return str(error.value)


def test_the_forms_say_the_same() -> None:
    text = database_file(START)
    lines = "\n".join(json.dumps(table) for table in dump())
    forms = [text, "\n" + text, text.rstrip("\n"), lines, json.dumps(dump(), indent=2)]
    assert [switch_from_text(form)["bridges"] for form in forms] == [[BRIDGE]] * len(forms)
    assert switch_from_tables(dump())["bridges"] == [BRIDGE]
    shown = f"{ROOT}\n    Bridge br0\n        Port br0\n            tag: 5\n            Interface br0\n                type: internal\n"
    assert switch_from_text(shown) == {"bridges": [BRIDGE]}


def test_transactions_are_put_together() -> None:
    more = [{"_date": 1, "_comment": "x", "Bridge": {BR0: {
                "fail_mode": "secure", "external_ids": ["map", [["a", "1"], ["b", "2"]]], "protocols": "OpenFlow15"}}},
            {"_is_diff": True, "Bridge": {BR0: {"external_ids": ["map", [["a", "9"], ["b", "2"], ["c", "3"]]], "protocols": ["set", [
                "OpenFlow13", "OpenFlow15"]], "fail_mode": "standalone", "stp_enable": True}}}]
    assert bridge_after(*more[:1]) == {**BRIDGE, "fail_mode": "secure", "external_ids": {"a": "1", "b": "2"}, "protocols": ["OpenFlow15"]}
    assert bridge_after(*more) == {
        **BRIDGE, "fail_mode": "standalone", "external_ids": {"a": "9", "c": "3"}, "protocols": ["OpenFlow13"], "stp_enable": True}
    gone = {"Open_vSwitch": {ROOT: {"bridges": ["set", []]}}, "Bridge": {BR0: None}, "Port": {LOCAL: None}, "Interface": {IFACE: None}}
    assert switch_from_text(database_file(START, gone)).get("bridges", []) == []


texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=3)


@given(st.lists(st.dictionaries(texts, texts, max_size=5), min_size=1, max_size=4))
def test_differences_add_up(maps: list[dict[str, str]]) -> None:
    """ovsdb-server writes of a map what is new, what has another value, and what is gone with its old value."""
    transactions, old = [], dict[str, str]()
    for new in maps:
        pairs = {**{key: value for key, value in new.items() if old.get(key) != value}, **{key: value for key, value in old.items() if key not in new}}
        names = set(old) ^ set(new)
        transactions.append({"_is_diff": True, "Bridge": {BR0: {"external_ids": ["map", [list(pair) for pair in pairs.items()]],
                                                                "protocols": ["set", sorted(names)] if len(names) != 1 else names.pop()}}})
        old = new
    row = contents_of_file(database_file(START, *transactions)).rows["Bridge"][BR0]
    assert dict(row["external_ids"][1]) == old
    assert sorted(row["protocols"][1]) == sorted(old)


def quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


@given(st.dictionaries(texts, texts, max_size=4), texts)
def test_what_is_shown_is_read_whatever_is_in_it(options: dict[str, str], name: str) -> None:
    pairs = ", ".join(f"{quoted(key)}={quoted(value)}" for key, value in options.items())
    shown = (f"{ROOT}\n    Bridge {quoted(name)}\n        Port p\n            trunks: [5, 7]\n            Interface p\n"
             f"                options: {{{pairs}}}\n                error: \"no, {{not}} = this\"\n    ovs_version: \"3.1.0\"\n")
    port = {"name": "p", "trunks": [5, 7], "interfaces": [{"name": "p", "options": hidden("Interface", "options", options)}]}
    assert config_from_show(shown) == {"bridges": [{"name": name, "ports": [port]}]}


@pytest.mark.parametrize(("text", "why"), [
    ("", "the text is empty; give what one of these prints: `ovsdb-client dump --format=json Open_vSwitch`"),
    ("hello", "line 1: 'hello' begins nothing that is known here"),
    ("Bridge table\n_uuid name\n", "line 1: this is a dump for people to read"),
    ("OVSDB CLUSTER 5 x\n", "line 1: this is the file of a clustered database"),
    ('\n{"a": 1', "read as JSON, line 2: "),
    ('{"a": 1}', "read as JSON, value 1: it is not a table with caption, headings and data"),
    ("[1]", "read as JSON, value 1: it is not a table"),
    (json.dumps(dump()[:1]), "read as a dump: table Bridge: column name is missing; give the whole Open_vSwitch database"),
    (f"{ROOT}\n    Bridge br0\n      Port p\n", "read as what ovs-vsctl show prints, line 3 is not as ovs-vsctl prints it"),
    (f"{ROOT}\n    Port p\n", "line 2 is not"),
    (f"{ROOT}\n    Bridge br0\n            tag: 5\n", "line 3 is not"),
    (f"{ROOT}\n    Bridge br0\n        Port p\n            tag: five\n", "line 4 is not"),
    (f"{ROOT}\n    Bridge br0\n        Port p\n            trunks: [1, 2\n", "line 4 is not"),
    (f"{ROOT}\n    Bridge br0\n        Port p\n            Interface p\n                options: {{a=b c}}\n", "line 5 is not"),
    (database_file(schema={"name": "OVN_Northbound", "tables": {}}), "read as a database file, line 2: it is a database OVN_Northbound, not Open_vSwitch"),
    (database_file(START)[:-9], "read as a database file, line 3: the record has "),
    (database_file(START).replace("internal", "internal".upper()), "line 4: the record does not match its SHA-1"),
    (database_file(START) + "more\n", "line 5 is not the header of a record"),
    (database_file({"Bridge": {BR0: {"nosuch": 1}}}), "line 4: Bridge 20000000-0000-4000-8000-000000000000: the schema has no column nosuch"),
    (database_file({"Nosuch": {}}), "line 4: the schema has no table Nosuch"),
    (database_file({"Open_vSwitch": {ROOT: {"bridges": ["uuid", BR0]}}}),
     f"read as a database file: table Open_vSwitch, row {ROOT}: column bridges refers to a row of Bridge that is missing"),
    (database_file({"Open_vSwitch": {ROOT: {"external_ids": "a=b"}}}), "column external_ids has a value that OVSDB does not write there"),
    (database_file(), "has no Open_vSwitch row yet"),
])
def test_refuses_and_says_where(text: str, why: str) -> None:
    assert why in refused(text)


@pytest.mark.parametrize(("table", "why"), [
    ({"caption": "Bridge table", "headings": ["_uuid", "name"], "data": [[["uuid", BR0]]]}, "table Bridge: a row has not as many cells as there are headings"),
    ({"caption": "Bridge table", "headings": ["name"], "data": [["br0"]]}, "table Bridge: a row has no _uuid"),
    ({"caption": "Bridge", "headings": [], "data": []}, "value 2: it is not a table"),
    ({"headings": ["name"], "data": [["br0"]]}, "value 2: it is not a table"),
])
def test_refuses_tables_that_are_not_whole(table: Any, why: str) -> None:
    with pytest.raises(SluiceError, match=why):
        switch_from_tables(dump(Bridge=table))
