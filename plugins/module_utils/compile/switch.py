# SPDX-License-Identifier: Apache-2.0
"""The OVSDB rows of one node: input of sluice.fabric.switch."""
from __future__ import annotations

from typing import Any

from ..encryption.ipsec import switch_settings, tunnel_ports
from ..intent.state import Node, Offload
from ..pipeline.tables import FLOW_TABLES, GATEWAY_MAC
from ..plan.addresses import BRIDGE, GATEWAY, OFPORT_GATEWAY, OFPORT_TUNNEL, TRANSPORT_BRIDGE, TUNNEL
from .fabric import Fabric


def switch_program(fabric: Fabric, node: Node) -> dict[str, Any]:
    """The integration bridge with gateway and tunnel; with the userspace datapath also the bridge that carries the transport.

    Pods' ports are not in here: the CNI plugin makes them when a pod starts.
    """
    ports = [_port(GATEWAY, type="internal", mac=GATEWAY_MAC, ofport_request=OFPORT_GATEWAY, mtu_request=fabric.mtu)]
    if fabric.has_tunnels:
        ports.append(_port(TUNNEL, type=fabric.state.cluster.tunnel_type, ofport_request=OFPORT_TUNNEL, options={"remote_ip": "flow"}))
    ports += tunnel_ports(fabric, node)
    bridges: list[dict[str, Any]] = [{
        "name": BRIDGE,
        "datapath_type": node.datapath,
        # Without flows nothing passes: after a restart of ovs-vswitchd the node is closed until its flows are back.
        "fail_mode": "secure",
        "protocols": ["OpenFlow15"],
        "external_ids": {"sluice-cluster": fabric.state.cluster.name, "sluice-node": node.name},
        "flow_tables": {str(number): name for number, name in FLOW_TABLES.items()},
        "ports": ports,
    }]
    if node.datapath == "netdev":
        transport = node.transport
        bridges.append({
            "name": TRANSPORT_BRIDGE,
            "datapath_type": "netdev",
            "fail_mode": "standalone",
            # The addresses keep their MAC, so no neighbour has to learn another.
            "other_config": {"hwaddr": transport.mac} if transport.mac else {},
            "ports": [{"name": transport.interface}, _port(TRANSPORT_BRIDGE, type="internal", mtu_request=transport.mtu)],
        })
    settings = {**switch_settings(fabric, node), **_offload_settings(node.offload)}
    return {**({"other_config": settings} if settings else {}), "bridges": bridges}


def _offload_settings(offload: Offload) -> dict[str, str]:
    """The keys of the host's other_config (ovs-vswitchd.conf.db(5)); none for what the inventory does not say."""
    settings = {"hw-offload": "true"} if offload.hw_offload else {}
    if offload.tc_policy:
        settings["tc-policy"] = offload.tc_policy
    if offload.max_idle:
        settings["max-idle"] = str(offload.max_idle)
    return settings


def _port(name: str, **interface: Any) -> dict[str, Any]:
    return {"name": name, "interfaces": [{"name": name, **interface}]}
