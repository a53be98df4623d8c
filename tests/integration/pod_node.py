# SPDX-License-Identifier: Apache-2.0
"""A node's compiled program on a private switch, with network namespaces as its pods: for tests of what flows do to real packets."""
from __future__ import annotations

import subprocess
import uuid
from pathlib import Path
from types import TracebackType
from typing import Any

from ovs_sandbox import OvsSandbox

from sluice.compile.fabric import Fabric
from sluice.compile.node import compile_node
from sluice.intent.state import ClusterState, Pod
from sluice.ovs.encode import encode_program
from sluice.ovs.flow_apply import Plan, apply_program
from sluice.ovs.openflow.connection import socket_address
from sluice.ovs.program import Owner
from sluice.pipeline.cookie import OWNER_MASK, OWNER_PROGRAM
from sluice.pipeline.notify import METERS
from sluice.pipeline.tables import FLOW_TABLES, GATEWAY_MAC, HAIRPIN_ADDRESS, NODE_PORT_ADDRESS
from sluice.plan.addresses import BRIDGE, GATEWAY, gateway_address

OWNER = Owner(OWNER_PROGRAM << 48, OWNER_MASK)


class PodNode:
    """One node of ``state``; its pods run from the start."""

    def __init__(self, state: ClusterState, node: str = "node1") -> None:
        self.node = state.nodes[node]
        self.ovs = OvsSandbox()
        self._netns: dict[str, str] = {}
        self.ovs.start()
        try:
            self._make_bridge()
            self.apply(state)
            for pod in state.pods.values():
                if pod.node == node and pod.ips:
                    self.attach(pod)
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> PodNode:
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def _make_bridge(self) -> None:
        made = [word for number, name in FLOW_TABLES.items() for word in ("--", f"--id=@t{number}", "create", "Flow_Table", f"name={name}")]
        tables = [f"flow_tables:{number}=@t{number}" for number in FLOW_TABLES]
        self.ovs.vsctl(
            "--", "add-br", BRIDGE, "--", "set", "Bridge", BRIDGE, "datapath_type=netdev", "fail_mode=secure", "protocols=OpenFlow15",
            *made, "--", "set", "Bridge", BRIDGE, *tables, "--", "add-port", BRIDGE, GATEWAY,
            "--", "set", "Interface", GATEWAY, "type=internal", "ofport_request=1", f'mac="{GATEWAY_MAC}"')
        self.ip("link set lo up")
        self.ip(f"link set {GATEWAY} up")
        for cidr in self.node.pod_cidrs:
            length = cidr.partition("/")[2]
            self.ip(f"addr add {gateway_address(cidr)}/{length} dev {GATEWAY}" + (" nodad" if ":" in cidr else ""))
            version = 6 if ":" in cidr else 4
            for address in (HAIRPIN_ADDRESS[version], NODE_PORT_ADDRESS[version]):
                self.ip(f"-{version} route add {address} dev {GATEWAY} src {gateway_address(cidr)}")

    @property
    def address(self) -> str:
        """Of the bridge's management socket."""
        return socket_address(BRIDGE, f"{self.ovs.directory}/{BRIDGE}.mgmt")

    def apply(self, state: ClusterState) -> Plan:
        """Make the bridge what ``state`` says, as module flows does."""
        fabric = Fabric(state)
        program = compile_node(fabric, self.node.name)
        want = encode_program([*program.flows, *fabric.service_flows], [*program.groups, *fabric.service_groups], METERS, FLOW_TABLES, OWNER)
        return apply_program(self.address, want, FLOW_TABLES, OWNER)

    def attach(self, pod: Pod) -> None:
        """Start a pod: a namespace with its addresses, and its port on the bridge."""
        netns = f"sluice-pod-{uuid.uuid4().hex[:8]}"
        _run("ip", "netns", "add", netns)
        self._netns[pod.key] = netns
        _run("ip", "link", "add", pod.interface, "netns", self.ovs.netns, "type", "veth", "peer", "name", "eth0", "netns", netns)
        inside = ("ip", "-n", netns)
        _run(*inside, "link", "set", "lo", "up")
        _run(*inside, "link", "set", "eth0", "address", pod.mac, "up")
        # The switch takes packets by a packet socket, to which checksums that are left to the device look wrong.
        _run("ip", "netns", "exec", netns, "ethtool", "-K", "eth0", "tx", "off")
        for address, cidr in zip(pod.ips, self.node.pod_cidrs):
            length, nodad = cidr.partition("/")[2], ["nodad"] if ":" in address else []
            _run(*inside, "addr", "add", f"{address}/{length}", "dev", "eth0", *nodad)
            _run(*inside, "route", "add", "default", "via", gateway_address(cidr))
        self.ip(f"link set {pod.interface} up")
        self.ovs.vsctl("add-port", BRIDGE, pod.interface, "--", "set", "Interface", pod.interface, f"ofport_request={pod.ofport}")
        self.ovs.in_netns("nft", f"add table netdev {netns}; add chain netdev {netns} kernel "
                                 f"{{ type filter hook ingress device {pod.interface} priority -500; policy drop; }}")

    def ip(self, command: str) -> None:
        """An ip command on the node."""
        self.ovs.in_netns("ip", *command.split())

    def start(self, place: str, *command: str, **options: Any) -> subprocess.Popen[str]:
        """A process in the namespace of a pod (its key), or of the node (``node``)."""
        netns = self.ovs.netns if place == "node" else self._netns[place]
        return subprocess.Popen(["ip", "netns", "exec", netns, *command], text=True, stdout=subprocess.PIPE, **options)

    def run(self, place: str, *command: str, timeout: float = 30) -> subprocess.CompletedProcess[str]:
        """A command in the namespace of a pod (its key), or of the node (``node``)."""
        netns = self.ovs.netns if place == "node" else self._netns[place]
        return subprocess.run(["ip", "netns", "exec", netns, *command], text=True, capture_output=True, check=False, timeout=timeout)

    def reaches(self, place: str, address: str) -> bool:
        """Whether a ping is answered."""
        return self.run(place, "ping", "-c1", "-W1", address).returncode == 0

    def netns_path(self, place: str) -> Path:
        return Path("/run/netns", self.ovs.netns if place == "node" else self._netns[place])

    def close(self) -> None:
        for netns in self._netns.values():
            subprocess.run(["ip", "netns", "delete", netns], check=False)
        self.ovs.destroy()


def _run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{' '.join(command)}: {done.stderr}"
