# SPDX-License-Identifier: Apache-2.0
"""What the switch tests share: the engine against a sandbox, and what a database holds."""
from __future__ import annotations

import subprocess
from collections import Counter
from typing import Any

from ovs_sandbox import OvsSandbox

from sluice.ovs.ovsdb import Connection
from sluice.ovs.switch.apply import NotRealised, Outcome, apply, read
from sluice.ovs.switch.database import INTERFACE_STATUS, selects
from sluice.ovs.switch.describe import gathered, interface_status
from sluice.ovs.switch.record import Record
from sluice.ovs.switch.schema import TABLES

Config = dict[str, Any]

EVERYTHING: Config = {
    "external_ids": {"system-id": "node 1", "quoted": 'a="b",c'},
    "other_config": {"vlan-limit": "0"},
    "managers": [{"target": "tcp:127.0.0.1:9", "inactivity_probe": 60000, "max_backoff": 30000, "other_config": {"dscp": "7"}}],
    "ssl": {"private_key": "/nonexistent/key.pem", "certificate": "/nonexistent/cert.pem", "ca_cert": "/nonexistent/ca.pem", "bootstrap_ca_cert": True},
    "datapaths": {"netdev": {"external_ids": {"ct": "x"}, "ct_zones": {"5": {"timeout_policy": {"timeouts": {"udp_first": 7, "tcp_close": 8}}}, "6": {}}}},
    "bridges": [
        {"name": "br0", "datapath_type": "netdev", "fail_mode": "secure", "protocols": ["OpenFlow13", "OpenFlow15"],
         "other_config": {"disable-in-band": "true"}, "external_ids": {"role": "pods"},
         "rstp_enable": True, "mcast_snooping_enable": True, "flood_vlans": [7, 30],
         "flow_tables": {"0": "classify", "10": "spoof_guard", "20": {"name": "big", "flow_limit": 1000, "overflow_policy": "evict", "groups": ["in_port"],
                                                                      "prefixes": ["ip_dst", "ip_src"]}},
         "controllers": [{"target": "tcp:127.0.0.1:9", "connection_mode": "out-of-band", "max_backoff": 20000, "controller_rate_limit": 200,
                          "controller_burst_limit": 50, "enable_async_messages": False, "type": "primary"}, {"target": "unix:/nonexistent/socket"}],
         "mirrors": [{"name": "to a port", "select_src_port": ["access", "gw0"], "select_dst_port": ["gw0"], "select_vlan": [20], "output_port": "trunk"},
                     {"name": "to-a-vlan", "select_all": True, "output_vlan": 99}],
         "netflow": {"targets": ["127.0.0.1:2055"], "engine_id": 5, "engine_type": 6, "active_timeout": -1, "add_id_to_interface": True},
         "sflow": {"targets": ["127.0.0.1:6343", "127.0.0.1:6344"], "sampling": 64, "polling": 10, "header": 128, "agent": "br0"},
         "ipfix": {"targets": ["127.0.0.1:4739"], "sampling": 10, "obs_domain_id": 1, "obs_point_id": 2, "cache_max_flows": 100, "cache_active_timeout": 60,
                   "other_config": {"virtual_obs_id": "a b"}},
         "sample_collector_sets": [{"id": 1, "ipfix": {"targets": ["127.0.0.1:4740"], "sampling": 5}}, {"id": 4294967295, "external_ids": {"k": "v"}}],
         "ports": [
             {"name": "br0", "interfaces": [{"name": "br0", "type": "internal", "mtu_request": 1400}]},
             {"name": "gw0", "interfaces": [{"name": "gw0", "type": "internal", "mac": "0a:00:00:00:00:01", "ofport_request": 7,
                                             "mtu_request": 1450, "external_ids": {"iface-id": "gw 0"},
                                             "ingress_policing_rate": 1000, "ingress_policing_burst": 100, "ingress_policing_kpkts_rate": 10,
                                             "ingress_policing_kpkts_burst": 5, "bfd": {"enable": "true", "min_rx": "500"}, "lldp": {"enable": "false"}}]},
             {"name": "tun0", "external_ids": {"kind": "tunnel"}, "interfaces": [
                 {"name": "tun0", "type": "geneve", "ofport_request": 2, "options": {"remote_ip": "flow", "key": "flow"}}]},
             {"name": "vxlan5", "interfaces": [{"name": "vxlan5", "type": "vxlan", "options": {"remote_ip": "192.0.2.5", "key": "5", "dst_port": "4790"}}]},
             {"name": "gre5", "interfaces": [{"name": "gre5", "type": "gre", "options": {"remote_ip": "192.0.2.6", "tos": "inherit"}}]},
             {"name": "qinq", "cvlans": [5, 6], "tag": 4, "vlan_mode": "dot1q-tunnel", "other_config": {"qinq-ethtype": "802.1ad"}, "interfaces": [
                 {"name": "qinq", "type": "internal", "cfm_mpid": 5}]},
             {"name": "access", "tag": 20, "vlan_mode": "access", "protected": True, "qos": {
                 "type": "linux-htb", "other_config": {"max-rate": "1000000"}, "queues": {"0": {"dscp": 46, "other_config": {"min-rate": "1000"}}, "7": {}}},
              "interfaces": [{"name": "access", "type": "internal"}]},
             {"name": "trunk", "trunks": [5, 7, 30], "other_config": {"x": "y"}, "interfaces": [
                 {"name": "trunk", "type": "internal", "other_config": {"k": "v,w"}}]},
             {"name": "bond", "bond_mode": "balance-slb", "lacp": "passive", "bond_updelay": 10, "bond_downdelay": 20, "mac": "0a:00:00:00:00:09",
              "other_config": {"lacp-time": "fast"}, "interfaces": [{"name": "bond-a", "type": "tap"}, {"name": "bond-b", "type": "tap"}]},
             {"name": "to-br1", "interfaces": [{"name": "to-br1", "type": "patch", "options": {"peer": "to-br0"}}]}]},
        {"name": "br1", "datapath_type": "netdev", "stp_enable": True,
         "auto_attach": {"system_name": "one", "system_description": "a b", "mappings": {"7": 8}}, "ports": [
            {"name": "to-br0", "interfaces": [{"name": "to-br0", "type": "patch", "options": {"peer": "to-br1"}}]}]}]}
"""Something of everything that can be configured, and all of it works in a sandbox."""


def ports_of(bridge: str, *names: str, **columns: Any) -> Config:
    """A bridge without devices, with internal ports."""
    return {"bridges": [{"name": bridge, "datapath_type": "dummy", "ports": [
        {"name": name, **columns, "interfaces": [{"name": name, "type": "internal"}]} for name in names]}]}


def run(ovs: OvsSandbox, config: Config, state: str = "merged", *, owner: str = "sluice", check: bool = False,
        seconds: float = 20) -> Outcome:
    return apply(ovs.database, config, state, owner, seconds, check)


def contents(ovs: OvsSandbox) -> tuple[Config, dict[str, Any]]:
    """All that is configured, and each interface's bridge, port and owner."""
    with Connection(ovs.database) as connection:
        switch = read(connection)
    places = {name: {key: status.get(key) for key in ("bridge", "port", "owner")} for name, status in interface_status(switch).items()}
    return gathered(switch), places


def anyway(ovs: OvsSandbox, config: Config, state: str = "merged", *, owner: str = "sluice", adopt: bool = False) -> Outcome:
    """As `run`, of a config that has things which ovs-vswitchd cannot make, like a patch without a peer."""
    try:
        return apply(ovs.database, config, state, owner, 20, adopt=adopt)
    except NotRealised as error:
        if "ovs-vswitchd reports" in str(error) or "has OpenFlow port number" in str(error):
            return error.outcome
        raise


def everything(ovs: OvsSandbox) -> Any:
    """All that is configured, with whose it is and with Sluice's bookkeeping; less the UUIDs."""
    with Connection(ovs.database) as connection:
        return _content(read(connection).root)


def _content(record: Record) -> Any:
    return [dict(record.values), {key: {name: _content(item) for name, item in records.items()} for key, records in record.children.items()}]


def counted(ovs: OvsSandbox) -> Counter[str]:
    """How many rows each table has."""
    with Connection(ovs.database) as connection:
        tables = [table for table in TABLES if table in connection.columns()]
        results = connection.transact([{"op": "select", "table": table, "where": [], "columns": ["_uuid"]} for table in tables])
    return Counter({table: len(result["rows"]) for table, result in zip(tables, results) if result["rows"]})


def snapshot(ovs: OvsSandbox) -> Any:
    """Every row as it is configured, with its UUID and with what each run that writes counts up. Quicker than `dump`."""
    with Connection(ovs.database) as connection:
        columns = connection.columns()
        status = (*INTERFACE_STATUS, "cur_cfg")
        wanted = [{**select, "columns": [column for column in select["columns"] if column not in status]} for select in selects(columns)]
        return [sorted(map(repr, result["rows"])) for result in connection.transact(wanted)]


def dump(ovs: OvsSandbox) -> str:
    """Every row as it is, with its UUIDs and numbers; less what ovs-vswitchd writes every now and then."""
    tables = {"Open_vSwitch": "_uuid,bridges,external_ids,other_config,next_cfg", "Bridge": "_uuid,name,ports,external_ids,other_config",
              "Port": "_uuid,_version,name", "Interface": "_uuid,name,type,options,external_ids", "Flow_Table": "_uuid,_version,name"}
    return "".join(subprocess.run(["ovsdb-client", "dump", ovs.database, "Open_vSwitch", table, *columns.split(",")],
                                  capture_output=True, text=True, check=True).stdout for table, columns in tables.items())
