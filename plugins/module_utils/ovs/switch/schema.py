# SPDX-License-Identifier: Apache-2.0
"""What an operator configures in a switch's database, as data: tables, their columns, and which rows belong to which.

From vswitch.ovsschema 8.3 to 8.8 and ovs-vswitchd.conf.db(5). What is not here is status, which ovs-vswitchd writes.
"""
from __future__ import annotations

import re
from types import MappingProxyType
from typing import Any, Mapping, NamedTuple

EMPTY: Mapping[Any, Any] = MappingProxyType({})
"""What a record's map is where none is given."""

MAC = re.compile(r"[0-9a-fA-F]{2}(:[0-9a-fA-F]{2}){5}")
TABLE_NAME = re.compile(r"[^\s,=()]{1,31}")


class Column(NamedTuple):
    """One column that can be configured."""

    name: str
    kind: str = "optional"
    """``scalar`` (always has a value), ``optional``, ``set``, ``map`` (the row's own) or ``shared map`` (others write into it, too)."""
    atom: type = str
    """Of a map: of its values."""
    key_atom: type = str
    choices: tuple[str, ...] = ()
    """Of a map: its keys."""
    minimum: int | None = None
    maximum: int | None = None
    pattern: re.Pattern[str] | None = None
    expected: str = ""
    """What a right value is, in words, where ``choices`` and the limits do not say it."""
    refers: str = ""
    """The table whose rows the values name. In the database they are weak references, which go with what they refer to."""


class Child(NamedTuple):
    """Rows that belong to another row."""

    key: str
    """Where they are in ``config``."""
    table: str
    column: str = ""
    """The column of the other row that refers to them; empty where it is these that refer to the other, by `back`."""
    by: str = "name"
    """The column that tells them apart; of a map, what its keys are. Empty: there is at most one."""
    shape: str = "list"
    """In ``config``: ``list``, ``map`` or ``single``."""
    back: str = ""


class Table(NamedTuple):
    columns: tuple[Column, ...]
    children: tuple[Child, ...] = ()
    is_root: bool = False
    """Rows stay when nothing refers to them (RFC 7047 section 3.2, isRoot), so that they have to be deleted by themselves."""
    required: tuple[str, ...] = ()
    """Columns without which a row cannot be."""
    shorthand: str = ""
    """The column that a row in ``config`` is about when it is written as a bare value."""


def _flag(name: str) -> Column:
    return Column(name, "scalar", bool)


def _uint32(name: str) -> Column:
    return Column(name, atom=int, minimum=0, maximum=0xFFFFFFFF)


def _vlans(name: str) -> Column:
    return Column(name, "set", int, minimum=0, maximum=4095)


EXTERNAL_IDS = Column("external_ids", "shared map")
OTHER_CONFIG = Column("other_config", "map")
OVER_TCP = (
    Column("max_backoff", atom=int, minimum=1000),
    Column("inactivity_probe", atom=int, minimum=0),
    Column("connection_mode", choices=("in-band", "out-of-band")),
)
COLLECTORS = Column("targets", "set", expected="an address and port like 192.0.2.1:6343")

TABLES: Mapping[str, Table] = {
    "Open_vSwitch": Table(
        (Column("other_config", "shared map"), EXTERNAL_IDS),
        (
            Child("bridges", "Bridge", "bridges"),
            Child("managers", "Manager", "manager_options", by="target"),
            Child("ssl", "SSL", "ssl", by="", shape="single"),
            Child("datapaths", "Datapath", "datapaths", by="a datapath's type", shape="map"),
        )),
    "Bridge": Table(
        (
            Column("datapath_type", "scalar"),
            Column("fail_mode", choices=("standalone", "secure")),
            Column("protocols", "set", choices=tuple(f"OpenFlow1{minor}" for minor in range(6))),
            _flag("stp_enable"),
            _flag("rstp_enable"),
            _flag("mcast_snooping_enable"),
            _vlans("flood_vlans"),
            OTHER_CONFIG,
            EXTERNAL_IDS,
        ),
        (
            Child("flow_tables", "Flow_Table", "flow_tables", by="a table's number", shape="map"),
            Child("controllers", "Controller", "controller", by="target"),
            Child("mirrors", "Mirror", "mirrors"),
            Child("netflow", "NetFlow", "netflow", by="", shape="single"),
            Child("sflow", "sFlow", "sflow", by="", shape="single"),
            Child("ipfix", "IPFIX", "ipfix", by="", shape="single"),
            Child("sample_collector_sets", "Flow_Sample_Collector_Set", by="id", back="bridge"),
            Child("auto_attach", "AutoAttach", "auto_attach", by="", shape="single"),
            Child("ports", "Port", "ports"),
        ),
        required=("name",)),
    "Port": Table(
        (
            Column("tag", atom=int, minimum=0, maximum=4095),
            _vlans("trunks"),
            _vlans("cvlans"),
            Column("vlan_mode", choices=("trunk", "access", "native-tagged", "native-untagged", "dot1q-tunnel")),
            Column("mac", pattern=MAC, expected="a MAC address like 0a:00:00:00:00:01"),
            Column("bond_mode", choices=("balance-tcp", "balance-slb", "active-backup")),
            Column("lacp", choices=("active", "passive", "off")),
            Column("bond_updelay", "scalar", int, minimum=0),
            Column("bond_downdelay", "scalar", int, minimum=0),
            _flag("bond_fake_iface"),
            _flag("fake_bridge"),
            _flag("protected"),
            OTHER_CONFIG,
            EXTERNAL_IDS,
        ),
        (Child("qos", "QoS", "qos", by="", shape="single"), Child("interfaces", "Interface", "interfaces")),
        required=("name",)),
    "Interface": Table(
        (
            Column("type", "scalar"),
            Column("options", "map"),
            Column("mac", pattern=MAC, expected="a MAC address like 0a:00:00:00:00:01"),
            Column("ofport_request", atom=int, minimum=1, maximum=65279),
            Column("mtu_request", atom=int, minimum=1),
            Column("ingress_policing_rate", "scalar", int, minimum=0),
            Column("ingress_policing_burst", "scalar", int, minimum=0),
            Column("ingress_policing_kpkts_rate", "scalar", int, minimum=0),
            Column("ingress_policing_kpkts_burst", "scalar", int, minimum=0),
            Column("bfd", "map"),
            Column("cfm_mpid", atom=int),
            Column("lldp", "map"),
            OTHER_CONFIG,
            EXTERNAL_IDS,
        ),
        required=("name",)),
    "Flow_Table": Table(
        (
            Column("name", pattern=TABLE_NAME, expected="a name of 1 to 31 characters without spaces, commas or parentheses"),
            Column("flow_limit", atom=int, minimum=0),
            Column("overflow_policy", choices=("refuse", "evict")),
            Column("groups", "set"),
            Column("prefixes", "set"),
            EXTERNAL_IDS,
        ),
        shorthand="name"),
    "QoS": Table(
        (Column("type", "scalar"), OTHER_CONFIG, EXTERNAL_IDS),
        (Child("queues", "Queue", "queues", by="a queue's number", shape="map"),),
        is_root=True, required=("type",)),
    "Queue": Table((Column("dscp", atom=int, minimum=0, maximum=63), OTHER_CONFIG, EXTERNAL_IDS), is_root=True),
    "Mirror": Table(
        (
            _flag("select_all"),
            Column("select_src_port", "set", refers="Port"),
            Column("select_dst_port", "set", refers="Port"),
            _vlans("select_vlan"),
            Column("output_port", refers="Port"),
            Column("output_vlan", atom=int, minimum=1, maximum=4095),
            Column("snaplen", atom=int, minimum=14, maximum=65535),
            Column("filter"),
            EXTERNAL_IDS,
        ),
        required=("name",)),
    "NetFlow": Table(
        (
            COLLECTORS,
            Column("engine_type", atom=int, minimum=0, maximum=255),
            Column("engine_id", atom=int, minimum=0, maximum=255),
            _flag("add_id_to_interface"),
            Column("active_timeout", "scalar", int, minimum=-1),
            EXTERNAL_IDS,
        ),
        required=("targets",)),
    "sFlow": Table(
        (
            COLLECTORS,
            Column("sampling", atom=int, minimum=0),
            Column("polling", atom=int, minimum=0),
            Column("header", atom=int, minimum=0),
            Column("agent"),
            EXTERNAL_IDS,
        ),
        required=("targets",)),
    "IPFIX": Table(
        (
            COLLECTORS,
            Column("sampling", atom=int, minimum=1, maximum=0xFFFFFFFF),
            _uint32("obs_domain_id"),
            _uint32("obs_point_id"),
            Column("stats_interval", atom=int, minimum=1, maximum=3600),
            Column("template_interval", atom=int, minimum=1, maximum=3600),
            Column("cache_active_timeout", atom=int, minimum=0, maximum=4200),
            _uint32("cache_max_flows"),
            OTHER_CONFIG,
            EXTERNAL_IDS,
        )),
    "Flow_Sample_Collector_Set": Table(
        (_uint32("local_group_id"), EXTERNAL_IDS),
        (Child("ipfix", "IPFIX", "ipfix", by="", shape="single"),),
        is_root=True, required=("id",)),
    "AutoAttach": Table((
        Column("system_name", "scalar"),
        Column("system_description", "scalar"),
        Column("mappings", "map", int, int, minimum=0, maximum=4095),
    )),
    "Controller": Table(
        (
            Column("type", choices=("primary", "service")),
            *OVER_TCP,
            Column("local_ip"),
            Column("local_netmask"),
            Column("local_gateway"),
            Column("enable_async_messages", atom=bool),
            Column("controller_queue_size", atom=int, minimum=1, maximum=512),
            Column("controller_rate_limit", atom=int, minimum=100),
            Column("controller_burst_limit", atom=int, minimum=25),
            OTHER_CONFIG,
            EXTERNAL_IDS,
        ),
        required=("target",)),
    "Manager": Table((*OVER_TCP, OTHER_CONFIG, EXTERNAL_IDS), required=("target",)),
    "SSL": Table(
        (
            Column("private_key", "scalar"),
            Column("certificate", "scalar"),
            Column("ca_cert", "scalar"),
            _flag("bootstrap_ca_cert"),
            EXTERNAL_IDS,
        ),
        required=("private_key", "certificate", "ca_cert")),
    "Datapath": Table(
        (_uint32("ct_zone_default_limit"), EXTERNAL_IDS),
        (Child("ct_zones", "CT_Zone", "ct_zones", by="a zone's number", shape="map"),)),
    "CT_Zone": Table(
        (_uint32("limit"), EXTERNAL_IDS),
        (Child("timeout_policy", "CT_Timeout_Policy", "timeout_policy", by="", shape="single"),)),
    "CT_Timeout_Policy": Table((
        Column("timeouts", "map", int, minimum=0, maximum=0xFFFFFFFF, choices=(
            "tcp_syn_sent", "tcp_syn_recv", "tcp_established", "tcp_fin_wait", "tcp_close_wait", "tcp_last_ack", "tcp_time_wait", "tcp_close",
            "tcp_syn_sent2", "tcp_retransmit", "tcp_unack", "udp_first", "udp_single", "udp_multiple", "icmp_first", "icmp_reply")),
        EXTERNAL_IDS,
    )),
}

COLUMNS: Mapping[str, Mapping[str, Column]] = {name: {column.name: column for column in table.columns} for name, table in TABLES.items()}
CHILDREN: Mapping[str, Mapping[str, Child]] = {name: {child.key: child for child in table.children} for name, table in TABLES.items()}
PORTS = CHILDREN["Bridge"]["ports"]


def told_apart_by(table: str) -> list[str]:
    """The columns without which a table's rows cannot be told apart, or belong to none."""
    places = [child for parent in TABLES.values() for child in parent.children if child.table == table]
    return [column for child in places for column in (child.by if child.shape == "list" else "", child.back) if column]
