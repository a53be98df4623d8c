# SPDX-License-Identifier: Apache-2.0
"""The pod's port on the bridge: rows in OVSDB, and what ovs-vswitchd has made of them."""
from __future__ import annotations

from contextlib import nullcontext
from typing import Any, ContextManager, Iterable

from ...ovs.ovsdb import Conflict, Connection, NotInstalled, Operation
from .attachment import Attachment
from .request import SWITCH_FAILURE, TRY_AGAIN_LATER, CniError, Config

OWNER = "cni"
VSWITCHD_SECONDS = 10.0
"""How long ovs-vswitchd may take to realise a port; it takes it milliseconds unless it is starting or stopped."""


def add(config: Config, attachment: Attachment) -> None:
    """Make the port and wait until it has the number that the flows expect. Raises SluiceError."""
    interface = {
        "name": attachment.interface, "ofport_request": attachment.ofport,
        "external_ids": _map({"attached-mac": attachment.mac})}
    port = {
        "name": attachment.interface, "interfaces": ["named-uuid", "interface"],
        "external_ids": _map({
            "sluice-owner": OWNER, "sluice-container": attachment.container_id, "sluice-ifname": attachment.ifname,
            "sluice-pod": f"{attachment.namespace}/{attachment.name}" if attachment.name else attachment.container_id,
            "sluice-ips": ",".join(attachment.ips)})}
    with Connection(config.database) as connection:
        results = connection.transact([
            {"op": "insert", "table": "Interface", "row": interface, "uuid-name": "interface"},
            {"op": "insert", "table": "Port", "row": port, "uuid-name": "port"},
            {"op": "mutate", "table": "Bridge", "where": [["name", "==", config.bridge]],
             "mutations": [["ports", "insert", ["named-uuid", "port"]]]}])
        if not results[2]["count"]:
            raise CniError(SWITCH_FAILURE, f"there is no bridge {config.bridge} on this node; run the site playbook")
        _wait_for_ofport(connection, attachment)


def _wait_for_ofport(connection: Connection, attachment: Attachment) -> None:
    where = [["name", "==", attachment.interface]]
    try:
        results = connection.transact([
            # ovsdb-server itself holds the answer back until there is a number: no polling, no monitor.
            {"op": "wait", "table": "Interface", "where": where, "columns": ["ofport"], "until": "!=", "rows": [{"ofport": ["set", []]}],
             "timeout": int(VSWITCHD_SECONDS * 1000)},
            {"op": "select", "table": "Interface", "where": where, "columns": ["ofport", "error"]}])
    except Conflict:
        raise CniError(TRY_AGAIN_LATER, f"ovs-vswitchd did not take the port {attachment.interface} within {VSWITCHD_SECONDS:.0f} s; "
                                        "see whether it is running (systemctl status ovs-vswitchd)") from None
    row = results[1]["rows"][0]
    if row["ofport"] != attachment.ofport:
        reason = row["error"] if isinstance(row["error"], str) else f"it has the number {row['ofport']} instead of {attachment.ofport}"
        raise CniError(SWITCH_FAILURE, f"Open vSwitch could not add the port {attachment.interface}: {reason}")


def require_offload(config: Config) -> None:
    """Raises CniError unless Open vSwitch offloads flows: without it, a representor's packets would all come through the CPU."""
    with Connection(config.database) as connection:
        rows = connection.transact([{"op": "select", "table": "Open_vSwitch", "where": [], "columns": ["other_config"]}])[0]["rows"]
    if not any(pair == ["hw-offload", "true"] for row in rows for pair in row["other_config"][1]):
        raise CniError(SWITCH_FAILURE, "the pod asks for a VF (deviceID), but hardware offload is off in Open vSwitch on this node; set "
                                       "sluice_offload.hw_offload to true and run the site playbook")


def remove(config: Config, interfaces: Iterable[str], wait: bool = False) -> None:
    """Remove these ports from the bridge, in one transaction; those that are not there are gone already.

    With ``wait``, ovs-vswitchd has let go of the devices on return: another may then come under the same name.
    """
    with _connection_unless_uninstalled(config) as connection:
        if not connection:
            return
        found = connection.transact([_select_ports(["name", "==", name]) for name in interfaces])
        ports = [row["_uuid"] for result in found for row in result["rows"]]
        if not ports:
            return
        results = connection.transact([
            {"op": "mutate", "table": "Bridge", "where": [["name", "==", config.bridge]],
             "mutations": [["ports", "delete", ["set", ports]]]},
            {"op": "mutate", "table": "Open_vSwitch", "where": [], "mutations": [["next_cfg", "+=", 1]]},
            {"op": "select", "table": "Open_vSwitch", "where": [], "columns": ["next_cfg"]}])
        if wait and not connection.wait_configured(results[2]["rows"][0]["next_cfg"], VSWITCHD_SECONDS):
            raise CniError(TRY_AGAIN_LATER, f"ovs-vswitchd did not remove the old port within {VSWITCHD_SECONDS:.0f} s; "
                                            "see whether it is running (systemctl status ovs-vswitchd)")


def of_container(config: Config, container_id: str, ifname: str) -> list[str]:
    """Names of the ports that the plugin made for this interface of this container."""
    owned = _map({"sluice-owner": OWNER, "sluice-container": container_id, "sluice-ifname": ifname})
    with _connection_unless_uninstalled(config) as connection:
        if not connection:
            return []
        return [row["name"] for row in connection.transact([_select_ports(["external_ids", "includes", owned])])[0]["rows"]]


def differences(config: Config, attachment: Attachment) -> list[str]:
    """In words, what of the port is not as :func:`add` left it; empty if all is."""
    with Connection(config.database) as connection:
        port, interface = connection.transact([
            _select_ports(["name", "==", attachment.interface]),
            {"op": "select", "table": "Interface", "where": [["name", "==", attachment.interface]], "columns": ["ofport", "error"]}])
    if not port["rows"] or not interface["rows"]:
        return [f"the switch has no port {attachment.interface}"]
    row = interface["rows"][0]
    if row["ofport"] == attachment.ofport:
        return []
    return [f"the port {attachment.interface} has the number {row['ofport']} instead of {attachment.ofport}"]


def _connection_unless_uninstalled(config: Config) -> ContextManager[Connection | None]:
    try:
        return Connection(config.database)
    except NotInstalled:
        # Its ports went with it.
        return nullcontext()


def _select_ports(condition: list[Any]) -> Operation:
    return {"op": "select", "table": "Port", "where": [condition], "columns": ["_uuid", "name"]}


def _map(values: dict[str, str]) -> list[Any]:
    return ["map", [[key, value] for key, value in values.items()]]
