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
    "bridges": [
        {"name": "br0", "datapath_type": "netdev", "fail_mode": "secure", "protocols": ["OpenFlow13", "OpenFlow15"],
         "other_config": {"disable-in-band": "true"}, "external_ids": {"role": "pods"},
         "flow_tables": {"0": "classify", "10": "spoof_guard"},
         "ports": [
             {"name": "br0", "interfaces": [{"name": "br0", "type": "internal", "mtu_request": 1400}]},
             {"name": "gw0", "interfaces": [{"name": "gw0", "type": "internal", "mac": "0a:00:00:00:00:01", "ofport_request": 7,
                                             "mtu_request": 1450, "external_ids": {"iface-id": "gw 0"}}]},
             {"name": "tun0", "external_ids": {"kind": "tunnel"}, "interfaces": [
                 {"name": "tun0", "type": "geneve", "ofport_request": 2, "options": {"remote_ip": "flow", "key": "flow"}}]},
             {"name": "access", "tag": 20, "vlan_mode": "access", "interfaces": [{"name": "access", "type": "internal"}]},
             {"name": "trunk", "trunks": [5, 7, 30], "other_config": {"x": "y"}, "interfaces": [
                 {"name": "trunk", "type": "internal", "other_config": {"k": "v,w"}}]},
             {"name": "bond", "interfaces": [{"name": "bond-a", "type": "tap"}, {"name": "bond-b", "type": "tap"}]},
             {"name": "to-br1", "interfaces": [{"name": "to-br1", "type": "patch", "options": {"peer": "to-br0"}}]}]},
        {"name": "br1", "datapath_type": "netdev", "ports": [
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
        wanted = [{**select, "columns": [column for column in select["columns"] if column not in (*INTERFACE_STATUS, "cur_cfg")]} for select in selects(columns)]
        return [sorted(map(repr, result["rows"])) for result in connection.transact(wanted)]


def dump(ovs: OvsSandbox) -> str:
    """Every row as it is, with its UUIDs and numbers; less what ovs-vswitchd writes every now and then."""
    tables = {"Open_vSwitch": "_uuid,bridges,external_ids,other_config,next_cfg", "Bridge": "_uuid,name,ports,external_ids,other_config",
              "Port": "_uuid,_version,name", "Interface": "_uuid,name,type,options,external_ids", "Flow_Table": "_uuid,_version,name"}
    return "".join(subprocess.run(["ovsdb-client", "dump", ovs.database, "Open_vSwitch", table, *columns.split(",")],
                                  capture_output=True, text=True, check=True).stdout for table, columns in tables.items())
