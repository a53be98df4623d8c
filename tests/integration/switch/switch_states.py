# SPDX-License-Identifier: Apache-2.0
"""Random switches over the whole schema, for hypothesis.

Everything is drawn from few names and values, so that two switches have much in common, and nearly all of it works in a sandbox. A switch
is drawn in the one form that `gathered` has; `loosely` writes it as people may.
"""
from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Mapping
from typing import Any
from zlib import crc32

from hypothesis import strategies as st

from sluice.ovs.switch.schema import COLUMNS, TABLES, Child, Column

Config = dict[str, Any]
Draw = st.DrawFn

BRIDGES = ("br0", "br1", "br2")
PORTS = ("p0", "p1", "p2", "p3", "t0", "t1")
"""Those with a t are tunnels: ovs-vswitchd 3.1 ends with an assertion (tunnel.c: cfg failed in tnl_port_add__) where what was a tunnel
becomes something else on another bridge, and where two tunnels of the same options are exchanged."""
TYPES = ("internal", "internal", "internal", "tap", "patch")
"""Of the dummy datapath, which is quick to make internal devices."""
TUNNELS: tuple[tuple[str, Mapping[str, str]], ...] = (
    ("geneve", {"remote_ip": "flow"}), ("geneve", {"remote_ip": "192.0.2.1", "csum": "true"}), ("vxlan", {"remote_ip": "192.0.2.2"}),
    ("vxlan", {"remote_ip": "192.0.2.2", "dst_port": "4790"}), ("gre", {"remote_ip": "192.0.2.3", "tos": "inherit"}))
TARGETS = ("tcp:127.0.0.1:9", "tcp:[::1]:9", "unix:/nonexistent/socket")
VALUES: Mapping[tuple[str, str], tuple[Any, ...]] = {
    ("Bridge", "datapath_type"): ("dummy",),
    ("Bridge", "other_config"): ({"disable-in-band": "true"}, {"hwaddr": "02:00:00:00:00:01", "k": "v"}, {"l m": "n=o", "mac-aging-time": "30"}),
    ("Port", "other_config"): ({"lacp-time": "fast"}, {"k": "a,b"}, {"k": "c", "rstp-enable": "true"}),
    ("Port", "mac"): ("0a:00:00:00:00:01", "0a:00:00:00:00:02"),
    ("Interface", "mac"): ("0a:00:00:00:00:03", "0a:00:00:00:00:04"),
    ("Interface", "mtu_request"): (1400, 1450),
    ("Interface", "bfd"): ({"enable": "true"}, {"enable": "false", "min_rx": "500"}),
    # With LLDP and auto_attach, ovs-vswitchd writes trunks and vlan_mode of the ports itself.
    ("Interface", "lldp"): ({"enable": "false"},),
    ("Interface", "cfm_mpid"): (-1, 5),
    ("Interface", "other_config"): ({"emc-enable": "false"}, {"k": "a,b"}),
    ("Flow_Table", "name"): ("classify", "output", "t-0"),
    ("Flow_Table", "groups"): (["in_port"], ["ip_dst", "tcp_src"]),
    ("Flow_Table", "prefixes"): (["ip_dst"], ["ip_dst", "ip_src"]),
    ("QoS", "type"): ("linux-htb", "linux-hfsc", "linux-noop"),
    ("QoS", "other_config"): ({"max-rate": "1000"}, {"max-rate": "2000", "k": "v"}),
    ("Queue", "other_config"): ({"min-rate": "10"}, {"max-rate": "500", "priority": "2"}),
    ("Mirror", "filter"): ("icmp", "tcp"),
    ("NetFlow", "targets"): (["127.0.0.1:2055"], ["127.0.0.1:2055", "127.0.0.1:2056"]),
    ("sFlow", "targets"): (["127.0.0.1:6343"], ["127.0.0.1:6343", "127.0.0.1:6344"]),
    ("sFlow", "agent"): ("lo",),
    ("IPFIX", "targets"): (["127.0.0.1:4739"], ["127.0.0.1:4739", "127.0.0.1:4740"]),
    ("IPFIX", "other_config"): ({"virtual_obs_id": "a b"}, {"enable-tunnel-sampling": "true"}),
    ("AutoAttach", "system_name"): ("one", "two three"),
    ("AutoAttach", "system_description"): ("a \"switch\"",),
    ("AutoAttach", "mappings"): ({"1": 10}, {"1": 11, "2": 12}),
    ("Controller", "local_ip"): ("192.0.2.5",),
    ("Controller", "local_netmask"): ("255.255.255.0",),
    ("Controller", "local_gateway"): ("192.0.2.1",),
    ("Controller", "other_config"): ({"dscp": "7"}, {"dscp": "8"}),
    ("Manager", "other_config"): ({"dscp": "7"}, {"dscp": "8"}),
    ("Manager", "inactivity_probe"): (0, 60000),
    ("SSL", "private_key"): ("/nonexistent/key.pem", "/nonexistent/key 2.pem"),
    ("SSL", "certificate"): ("/nonexistent/cert.pem",),
    ("SSL", "ca_cert"): ("/nonexistent/ca.pem", "/nonexistent/ca2.pem"),
    ("CT_Timeout_Policy", "timeouts"): ({"udp_first": 5}, {"udp_first": 6, "tcp_close": 7}),
    ("Open_vSwitch", "other_config"): ({"vlan-limit": "0"}, {"k": "a,b", "vlan-limit": "1"}, {"max-idle": "10000"}),
}
"""Where the schema here does not say which values there are, or they would disturb the sandbox."""
ABSENT = {("Mirror", "snaplen"), ("Mirror", "filter"), ("Interface", "ofport_request")}
"""Not drawn by column: what Debian 12's schema lacks is left out by `_columns`, numbers of ports are their bridge's alone."""
NUMBERS: Mapping[str, tuple[int, ...]] = {"flow_tables": (0, 1, 253), "queues": (0, 1, 7), "ct_zones": (0, 5, 65535)}
KEYS: Mapping[str, tuple[Any, ...]] = {
    "controllers": TARGETS, "managers": TARGETS[1:], "mirrors": ("m0", "m 1"), "sample_collector_sets": (1, 2, 4294967295), "datapaths": ("netdev", "system")}


@st.composite
def switches(draw: Draw, known: Mapping[str, Any] | None = None) -> Config:
    """The `config` of a whole host, as `gathered` shows it. ``known`` are the columns that the database has, by table; None: all."""
    maker = _Maker(draw, known)
    names = sorted(draw(st.sets(st.sampled_from(BRIDGES), max_size=3)))
    ports = draw(st.lists(st.sampled_from(PORTS), max_size=6, unique=True))
    shares = {name: sorted(ports[index::len(names)]) for index, name in enumerate(names)}
    config: Config = {"bridges": [maker.bridge(name, shares[name]) for name in names], **maker.columns("Open_vSwitch")}
    for child in TABLES["Open_vSwitch"].children:
        if child.key != "bridges" and draw(st.integers(0, 2)) == 2:
            config.update(maker.children(child))
    return config


class _Maker:
    def __init__(self, draw: Draw, known: Mapping[str, Any] | None) -> None:
        self._draw = draw
        self._known = known

    def bridge(self, name: str, ports: list[str]) -> Config:
        draw = self._draw
        numbers = draw(st.lists(st.sampled_from([None, None, 10, 11, 12, 13]), min_size=len(ports), max_size=len(ports)))
        made = [self.port(name, port, number if numbers.index(number) == index else None) for index, (port, number) in enumerate(zip(ports, numbers))]
        local: Config = {"name": name, "interfaces": [{"name": name, "type": "internal"}]}
        if draw(st.booleans()):
            local["interfaces"][0].update(self.columns("Interface", but=("type", "options")))
        bridge: Config = {"name": name, **self.columns("Bridge"), "datapath_type": "dummy",
                          "ports": sorted([local, *made], key=lambda port: str(port["name"]))}
        for child in draw(st.lists(st.sampled_from([child for child in TABLES["Bridge"].children if child.key != "ports"]), max_size=4, unique=True)):
            bridge.update(self.children(child, [port["name"] for port in bridge["ports"]]))
        return bridge

    def port(self, bridge: str, name: str, number: int | None) -> Config:
        draw = self._draw
        members = [name] if draw(st.integers(0, 3)) else [f"{name}-a", f"{name}-b"]
        interfaces = [self.interface(bridge, member) for member in members]
        if number:
            interfaces[0]["ofport_request"] = number
        qos = self.children(next(child for child in TABLES["Port"].children if child.key == "qos")) if draw(st.integers(0, 2)) == 2 else {}
        return {"name": name, **self.columns("Port", but=() if len(members) > 1 else ("bond_mode",)), **qos, "interfaces": interfaces}

    def interface(self, bridge: str, name: str) -> Config:
        if name.startswith("t"):
            kind, known = self._draw(st.sampled_from(TUNNELS))
            options = {**known, "key": str(crc32((bridge + name).encode()) % 2**24)}
        else:
            kind = self._draw(st.sampled_from(TYPES))
            options = {"peer": self._draw(st.sampled_from(("p8", "p9")))} if kind == "patch" else {}
        return {"name": name, **self.columns("Interface", but=("type", "options")), "type": kind, **({"options": options} if options else {})}

    def children(self, child: Child, ports: list[str] | None = None) -> Config:
        """Rows of one kind, at least one, where `config` has them."""
        if child.shape == "single":
            return {child.key: self.row(child, ports)}
        keys = NUMBERS.get(child.key) or KEYS[child.key]
        chosen = sorted(self._draw(st.sets(st.sampled_from(keys), min_size=1, max_size=2)))
        if child.shape == "list":
            return {child.key: [{child.by: key, **self.row(child, ports)} for key in chosen]}
        rows = {str(key): self.row(child, ports) for key in chosen}
        if child.key == "flow_tables":
            for other, name in zip(list(rows)[1:], ("more",)):  # Each table has a name of its own.
                rows[other] = {**rows[other], **({"name": name} if "name" in rows[other] else {})}
        return {child.key: {key: _short(child, row) for key, row in rows.items()}}

    def row(self, child: Child, ports: list[str] | None = None) -> Config:
        row = self.columns(child.table)
        for column in COLUMNS[child.table].values():
            if column.refers:
                row.pop(column.name, None)
                chosen = sorted(self._draw(st.sets(st.sampled_from(ports or [""]), max_size=2)))
                if chosen and column.name != "output_port":
                    row[column.name] = chosen
                elif chosen and "output_vlan" not in row:
                    row[column.name] = chosen[0]
        for below in TABLES[child.table].children:
            if self._draw(st.booleans()):
                row.update(self.children(below))
        return row

    def columns(self, table: str, but: tuple[str, ...] = ()) -> Config:
        """A few of the table's columns, and those that it cannot be without."""
        columns = [column for column in TABLES[table].columns if column.name not in but and (table, column.name) not in ABSENT
                   and not column.refers and (self._known is None or column.name in self._known[table])]
        chosen = self._draw(st.lists(st.sampled_from(columns), max_size=4, unique=True))
        chosen += [column for column in columns if column.name in TABLES[table].required and column not in chosen]
        return {column.name: self._draw(st.sampled_from(_values(table, column))) for column in chosen}


def _values(table: str, column: Column) -> tuple[Any, ...]:
    """Values of a column that are not what it has anyway."""
    if (table, column.name) in VALUES:
        return VALUES[table, column.name]
    if column.kind == "shared map":
        return ({"k": "1"}, {"k": "2", "l m": "a,b"}, {"quoted": 'a="b"', "k": "1"})
    if column.kind == "set":
        return tuple(sorted(choice) for choice in ([column.choices[:1], column.choices[1:3]] if column.choices else [[5], [7, 30], [5, 7, 4095]]))
    if column.choices:
        return column.choices
    if column.atom is bool:
        return (True,) if column.kind == "scalar" else (False, True)
    if column.atom is int:
        least = max(column.minimum or 0, 1 if column.kind == "scalar" else 0)
        return tuple(number for number in (least, least + 1, least + 60) if column.maximum is None or number <= column.maximum)
    raise LookupError(f"no values for {table}.{column.name}")


def _short(child: Child, row: Config) -> Any:
    shorthand = TABLES[child.table].shorthand
    return row[shorthand] if list(row) == [shorthand] else row


def rows_of(config: Config) -> Counter[str]:
    """How many rows of each table a switch needs."""
    return Counter({"Open_vSwitch": 1}) + _rows("Open_vSwitch", config)


def _rows(table: str, config: Config) -> Counter[str]:
    count: Counter[str] = Counter()
    for child in TABLES[table].children:
        items = config.get(child.key)
        rows = [] if items is None else [items] if child.shape == "single" else list(items.values()) if child.shape == "map" else items
        for row in rows:
            count[child.table] += 1
            if isinstance(row, dict):
                count += _rows(child.table, row)
    return count


def loosely(config: Config, choice: random.Random) -> Config:
    """The same switch otherwise written: empty values given, numbers as text, lists in any order, what goes without saying left out."""
    return _loosely("Open_vSwitch", json.loads(json.dumps(config)), choice)


def _loosely(table: str, given: Config, choice: random.Random, is_local: bool = False) -> Config:
    written: Config = {key: value for key, value in given.items() if key not in COLUMNS[table]}
    for column in TABLES[table].columns:
        if column.name in given:
            written[column.name] = _value(column, given[column.name], choice)
        elif choice.random() < 0.1 and column.name not in TABLES[table].required and not (is_local and column.name == "type"):
            written[column.name] = choice.choice([None, {} if "map" in column.kind else [] if column.kind == "set" else None])
    for child in TABLES[table].children:
        if child.key in given:
            written[child.key] = _children(child, given[child.key], choice, given.get("name"))
        elif child.key not in ("bridges", "ports", "interfaces") and choice.random() < 0.1:
            written[child.key] = choice.choice([None, [] if child.shape == "list" else {} if child.shape == "map" else None])
    return dict(choice.sample(list(written.items()), len(written)))


def _children(child: Child, items: Any, choice: random.Random, parent: str | None) -> Any:
    if child.shape == "single":
        return _loosely(child.table, items, choice)
    if child.shape == "map":
        shorthand = TABLES[child.table].shorthand
        return {int(key) if key.isdigit() and choice.random() < 0.5 else key:
                _loosely(child.table, item if isinstance(item, dict) else {shorthand: item}, choice) if isinstance(item, dict) or choice.random() < 0.5
                else item for key, item in items.items()}
    rows = [_loosely(child.table, item, choice, is_local=item["name"] in BRIDGES if "name" in item else False) for item in items
            if not (child.key == "ports" and item == {"name": parent, "interfaces": [{"name": parent, "type": "internal"}]} and choice.random() < 0.5)]
    return choice.sample(rows, len(rows))


def _value(column: Column, value: Any, choice: random.Random) -> Any:
    if isinstance(value, list):
        return choice.sample(value, len(value))
    if isinstance(value, bool):
        return choice.choice([value, str(value)])
    if isinstance(value, int):
        return choice.choice([value, str(value)])
    if isinstance(value, dict) and column.atom is str:
        return {key: int(item) if item.isdigit() and choice.random() < 0.5 else {"true": True, "false": False}.get(item, item)
                for key, item in value.items()}
    return value
