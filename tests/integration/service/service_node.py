# SPDX-License-Identifier: Apache-2.0
"""A node with Services: its bridge, its host's rules and routes, a client outside the cluster, and pods that tell who they are."""
from __future__ import annotations

import subprocess
import sys
import uuid
from collections import Counter
from dataclasses import replace
from typing import Any, Iterable

from pod_node import PodNode

from sluice.compile.fabric import Fabric
from sluice.compile.node import compile_node
from sluice.intent.kinds.service import Service, ServicePort
from sluice.intent.state import ClusterState, ContainerPort
from sluice.ovs.flow_apply import Plan
from states import cluster_state

SERVICE_CIDRS = ("10.96.0.0/16", "fd96::/112")
CLUSTER_IPS = ("10.96.0.10", "fd96::10")
CLIENT = "default/client"

# Tells each client, by TCP and UDP, which pod it has reached and from which address it seems to come.
SERVER = """
import selectors, socket, sys
name, port = sys.argv[1], int(sys.argv[2])
choose = selectors.DefaultSelector()
for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
    s = socket.socket(socket.AF_INET6, kind)
    s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    s.bind(('::', port))
    if kind == socket.SOCK_STREAM:
        s.listen(200)
    choose.register(s, selectors.EVENT_READ, kind)
print('ready', flush=True)
def answer(peer):
    return f'{name} {peer[0].replace("::ffff:", "")}\\n'.encode()
while True:
    for key, _ in choose.select():
        s = key.fileobj
        if key.data == socket.SOCK_DGRAM:
            data, peer = s.recvfrom(2000)
            s.sendto(answer(peer), peer)
        elif key.data == socket.SOCK_STREAM:
            c, peer = s.accept()
            c.sendall(answer(peer))
            choose.register(c, selectors.EVENT_READ, 'open')
        else:
            data = s.recv(2000)
            if data:
                s.sendall(answer(s.getpeername()))
            else:
                choose.unregister(s)
                s.close()
"""
# One line for each connection: what the server said, or why there was none.
CLIENT_CODE = """
import socket, sys
protocol, address, port, count = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
source = sys.argv[5] if len(sys.argv) > 5 else ''
kind = socket.SOCK_STREAM if protocol == 'TCP' else socket.SOCK_DGRAM
for _ in range(count):
    with socket.socket(socket.AF_INET6 if ':' in address else socket.AF_INET, kind) as s:
        s.settimeout(float(sys.argv[6]) if len(sys.argv) > 6 else 1.5)
        try:
            if source:
                s.bind((source, 0))
            s.connect((address, port))
            if protocol == 'UDP':
                s.send(b'who')
            print(s.recv(200).decode().strip() or 'closed')
        except OSError as error:
            print(type(error).__name__)
"""


def service(name: str = "web", **fields: Any) -> Service:
    """A Service whose endpoints are the pods with the label app=web; port 80 leads to the port that pods name http."""
    values: dict[str, Any] = {"cluster_ips": CLUSTER_IPS, "selector": (("app", "web"),),
                              "ports": (ServicePort(80, target_port="http", name="tcp"), ServicePort(80, "UDP", "udp", target_port=8080))}
    return Service("default", name, **{**values, **fields})


def site(*services: Service, servers: int = 3, nodes: int = 1, ready: Iterable[int] | None = None) -> ClusterState:
    """A state in which pods 0…``servers``-1 of node1 serve (of which ``ready`` are ready), and one more, default/client, does not.

    Nodes beyond the first have one server each.
    """
    state = cluster_state(nodes, servers + 1)
    chosen = set(range(servers)) if ready is None else set(ready)
    pods = {}
    for pod in state.pods.values():
        node, number = (int(part) for part in pod.name.split("-")[1:])
        if number == servers:
            if node == 1:
                pods[CLIENT] = replace(pod, name="client")
        elif node == 1 or number == 0:
            port = ContainerPort(8080, "TCP", "http")
            pods[pod.key] = replace(pod, labels={"app": "web"}, ports=(port,), ready=number in chosen)
    cluster = replace(state.cluster, service_cidrs=SERVICE_CIDRS)
    return replace(state, cluster=cluster, pods=dict(sorted(pods.items())), services={one.key: one for one in sorted(services, key=lambda s: s.key)})


class ServiceNode(PodNode):
    """node1 of a state, with an eth1 of the state's transport addresses; ``outside`` is a machine beyond it."""

    def __init__(self, state: ClusterState) -> None:
        self._servers: list[subprocess.Popen[str]] = []
        self.outside = f"sluice-out-{uuid.uuid4().hex[:8]}"
        subprocess.run(["ip", "netns", "add", self.outside], check=True)
        try:
            super().__init__(state)
        except BaseException:
            subprocess.run(["ip", "netns", "delete", self.outside], check=False)
            raise
        self._netns["outside"] = self.outside
        try:
            self._make_outside(state)
            for pod in state.pods.values():
                if pod.node == "node1" and pod.labels:
                    self.serve(pod.key, pod.name)
        except BaseException:
            self.close()
            raise

    def _make_outside(self, state: ClusterState) -> None:
        self.ip(f"link add eth1 type veth peer name eth0 netns {self.outside}")
        self.ip("link set eth1 up")
        for command in ("link set lo up", "link set eth0 up", "addr add 172.16.9.9/16 dev eth0", "addr add fd77:0::9:9/64 dev eth0 nodad"):
            self.outside_ip(command)
        for address in self.node.transport.addresses:
            self.ip(f"addr add {address} dev eth1" + (" nodad" if ":" in address else ""))
            bare = address.partition("/")[0]
            self.outside_ip(f"route add default via {bare}")
        for name, value in {"net.ipv4.ip_forward": "1", "net.ipv6.conf.all.forwarding": "1", "net.ipv4.conf.all.rp_filter": "1"}.items():
            self.ovs.in_netns("sysctl", "-qw", f"{name}={value}")
        self.apply_host(state)

    def outside_ip(self, command: str) -> None:
        subprocess.run(["ip", "-n", self.outside, *command.split()], check=True)

    def apply_host(self, state: ClusterState) -> None:
        """Make the host what its program says of rules and routes."""
        host = compile_node(Fabric(state), "node1").host
        text = host["nftables"]["inet sluice"]
        subprocess.run(["ip", "netns", "exec", self.ovs.netns, "nft", "-f", "-"], text=True, check=True,
                       input=f"add table inet sluice\ndelete table inet sluice\ntable inet sluice {{\n{text}\n}}\n")
        for route in host["routes"]:
            if route["device"] == "sluice-gw0":
                version = 6 if ":" in route["destination"] else 4
                self.ip(f"-{version} route replace {route['destination']} via {route['via']} dev {route['device']} onlink src {route['source']}")

    def change(self, state: ClusterState) -> Plan:
        """The bridge and the host become what ``state`` says."""
        plan = self.apply(state)
        self.apply_host(state)
        return plan

    def serve(self, place: str, name: str, port: int = 8080) -> None:
        """A server in a namespace, which names itself ``name``."""
        server = self.start(place, sys.executable, "-c", SERVER, name, str(port))
        self._servers.append(server)
        assert server.stdout
        assert server.stdout.readline() == "ready\n"

    def ask(self, place: str, address: str, port: int = 80, protocol: str = "TCP", count: int = 1, source: str = "", wait: float = 1.5) -> list[str]:
        """What each of ``count`` connections got: ``<pod> <address of the client>``, or the name of the error."""
        done = self.run(place, sys.executable, "-c", CLIENT_CODE, protocol, address, str(port), str(count), source, str(wait), timeout=60)
        assert done.returncode == 0, done.stderr
        return done.stdout.splitlines()

    def reached(self, *arguments: Any, **options: Any) -> Counter[str]:
        """Of `ask`, how often each pod, or error."""
        return Counter(line.split()[0] for line in self.ask(*arguments, **options))

    def __enter__(self) -> ServiceNode:
        return self

    def close(self) -> None:
        for server in self._servers:
            server.kill()
            server.wait()
        super().close()
