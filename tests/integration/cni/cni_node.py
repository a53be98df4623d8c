# SPDX-License-Identifier: Apache-2.0
"""A node in miniature: a private Open vSwitch with the program of a node, and the plugin as the zipapp that nodes run."""
from __future__ import annotations

import json
import os
import subprocess
import uuid
from pathlib import Path
from typing import Any

from ovs_sandbox import OvsSandbox

import sluice
from sluice.compile.fabric import Fabric
from sluice.compile.node import compile_node
from sluice.intent.state import Cluster, ClusterState, Pod, Transport
from sluice.intent.state import Node as PlannedNode
from sluice.pipeline.tables import FLOW_TABLES, GATEWAY_MAC
from sluice.zipapp_build import build_zipapp

CIDRS = ["10.10.0.0/24", "fd10:10::/64"]
PLANNED: dict[str, Any] = {
    "namespace": "shop", "name": "cart", "container_id": "sluice-shop.cart", "ips": ["10.10.0.2", "fd10:10::2"],
    "mac": "0a:00:00:00:00:02", "ofport": 16, "interface": "sp-cart", "host_network": False, "ports": []}


def _state() -> ClusterState:
    """A cluster of this node and the planned pod."""
    pod = Pod(namespace=PLANNED["namespace"], name=PLANNED["name"], node="node", ips=tuple(PLANNED["ips"]), mac=PLANNED["mac"],
              ofport=PLANNED["ofport"], interface=PLANNED["interface"])
    node = PlannedNode("node", Transport("eth1", ("172.16.0.1/16",), 1500), tuple(CIDRS), "netdev")
    return ClusterState(Cluster("test", tuple(CIDRS)), {"node": node}, {}, {pod.key: pod}, {}, {}, {}, {})


class Node:
    def __init__(self, ovs: OvsSandbox, folder: Path) -> None:
        self.ovs = ovs
        self.state = folder / "state"
        self.config: dict[str, Any] = {
            "cniVersion": "1.0.0", "name": "sluice", "type": "sluice", "bridge": "br-sluice", "mtu": 1400, "datapath": "netdev",
            "gateways": ["10.10.0.1", "fd10:10::1"], "node_cidrs": CIDRS, "database": ovs.database,
            "pods": str(folder / "pods.json"), "state_dir": str(self.state)}
        (folder / "pods.json").write_text(json.dumps({"pods": [PLANNED]}))
        self.plugin = folder / "sluice"
        self.plugin.write_bytes(build_zipapp(Path(sluice.__file__).parent).content)
        self.plugin.chmod(0o755)
        self._containers: list[str] = []

    def start_bridge(self) -> None:
        tables = [f"flow_tables:{number}=@t{number}" for number in FLOW_TABLES]
        made = [word for number, name in FLOW_TABLES.items() for word in ("--", f"--id=@t{number}", "create", "Flow_Table", f"name={name}")]
        self.ovs.vsctl("--", "add-br", "br-sluice", "--", "set", "Bridge", "br-sluice", "datapath_type=netdev", "fail_mode=secure",
                       "protocols=OpenFlow15", *made, "--", "set", "Bridge", "br-sluice", *tables,
                       "--", "add-port", "br-sluice", "sluice-gw0",
                       "--", "set", "Interface", "sluice-gw0", "type=internal", "ofport_request=1", f'mac="{GATEWAY_MAC}"')
        for command in ("link set sluice-gw0 up", "addr add 10.10.0.1/24 dev sluice-gw0", "addr add fd10:10::1/64 dev sluice-gw0 nodad"):
            self.ovs.in_netns("ip", *command.split())
        self.restore_flows()

    def restore_flows(self) -> None:
        fabric = Fabric(_state())
        flows = compile_node(fabric, "node").flows + fabric.service_flows
        # A change is what ovs-vsctl waits for ovs-vswitchd after.
        self.ovs.vsctl("set", "Bridge", "br-sluice", f"external_ids:flows={uuid.uuid4()}")
        file = self.plugin.with_name("flows.txt")
        file.write_text("".join(f"{flow}\n" for flow in flows))
        self.ovs.ofctl("--names", "add-flows", "br-sluice", str(file))

    def container(self) -> str:
        """A new network namespace; gives its path."""
        name = f"sluice-cni-{uuid.uuid4().hex[:8]}"
        subprocess.run(["ip", "netns", "add", name], check=True)
        self._containers.append(name)
        return f"/run/netns/{name}"

    def kill_container(self, netns: str) -> None:
        """Its namespace ends without a DEL; returns when the host's end of its veth has gone too."""
        before = self.links()
        name = Path(netns).name
        subprocess.run(["ip", "netns", "delete", name], check=True)
        self._containers.remove(name)
        while self.links() == before:
            pass

    def run(self, netns: str, *command: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(["ip", "netns", "exec", Path(netns).name, *command], text=True, capture_output=True, check=False)

    def reaches(self, netns: str, address: str, *options: str) -> bool:
        return self.run(netns, "ping", "-c1", "-W2", *options, address).returncode == 0

    def call(self, command: str, container: str, netns: str, args: str = "", **config: Any) -> tuple[int, Any]:
        """Exit status and answer of one call of the plugin."""
        environment = {
            "PATH": os.environ["PATH"], "CNI_COMMAND": command, "CNI_CONTAINERID": container, "CNI_NETNS": netns, "CNI_IFNAME": "eth0",
            "CNI_ARGS": args, "CNI_PATH": "/opt/cni/bin"}
        done = subprocess.run(
            # nsenter and not `ip netns exec`: that mounts another /sys, and a runtime does not.
            ["nsenter", f"--net=/run/netns/{self.ovs.netns}", str(self.plugin)], env=environment, text=True, capture_output=True,
            input=json.dumps({**self.config, **config}), check=False, timeout=60)
        assert not done.stderr, done.stderr
        return done.returncode, json.loads(done.stdout) if done.stdout else None

    def add(self, container: str, netns: str, args: str = "", **config: Any) -> Any:
        status, answer = self.call("ADD", container, netns, args, **config)
        assert status == 0, answer
        return answer

    def delete(self, container: str, netns: str) -> None:
        assert self.call("DEL", container, netns) == (0, None)

    def ports(self) -> list[str]:
        return sorted(set(self.ovs.vsctl("list-ports", "br-sluice").split()) - {"sluice-gw0"})

    def links(self) -> list[str]:
        return sorted(link["ifname"] for link in json.loads(self.ovs.in_netns("ip", "-j", "link", "show", "type", "veth")))

    def dynamic_flows(self) -> list[str]:
        cookie = "cookie=0x51cd000000000000/0xffff000000000000"
        return self.ovs.ofctl("--names", "--no-stats", "dump-flows", "br-sluice", cookie).splitlines()

    def files(self) -> list[str]:
        return sorted(path.name for path in self.state.glob("*.json"))

    def is_clean(self) -> bool:
        return not (self.ports() or self.links() or self.dynamic_flows() or self.files() or self.ovs.in_netns("nft", "list", "tables").strip())

    def close(self) -> None:
        for name in self._containers:
            subprocess.run(["ip", "netns", "delete", name], check=False)
