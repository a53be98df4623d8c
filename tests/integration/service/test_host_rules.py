# SPDX-License-Identifier: Apache-2.0
"""What a host has for Services, put there by the host's engine: the kernel takes it, it stays as it is, and it goes without a trace."""
from __future__ import annotations

from pathlib import Path

from host_node import Node, done
from service.service_node import service, site

from sluice.compile.fabric import Fabric
from sluice.host.contribute import host_program
from sluice.intent.kinds.service import ServicePort

PORTS = (ServicePort(80, "TCP", "tcp", node_port=30080), ServicePort(80, "UDP", "udp", node_port=30080), ServicePort(80, "SCTP", "sctp", node_port=30080))


def test_the_host_stays_as_it_was_made(tmp_path: Path) -> None:
    state = site(service(type="NodePort", ports=PORTS, external_ips=("172.16.0.1", "198.51.100.9", "2001:db8::9")))
    host = host_program(Fabric(state), state.nodes["node1"])
    config = {"routes": [route for route in host["routes"] if route["device"] == "sluice-gw0"],
              "nftables": {"inet sluice": host["nftables"]["inet sluice"]}}
    node = Node(tmp_path)
    try:
        node.ip("link add eth1 type bridge", "link add sluice-gw0 type bridge", "link set sluice-gw0 up", "addr add 10.0.0.1/24 dev sluice-gw0",
                "addr add fd10::1/64 dev sluice-gw0 nodad")
        before = node.state()
        assert done(node.engine(config))["changed"]
        assert not done(node.engine(config))["changed"]
        routes = node.state()["routes"]
        for destination in ("10.96.0.0/16", "fd96::/112", "198.51.100.9", "2001:db8::9", "169.254.83.2", "fd51:1ce::83:2"):
            assert any(line.startswith(f"{destination} via ") for line in routes), destination
        node.run("nft", "delete", "element", "inet", "sluice", "node_ports_4", "{ tcp . 30080 }")
        assert done(node.engine(config))["changed"], "a port that somebody took out is missed"
        done(node.engine(config, "absent"))
        assert node.state()["routes"] == before["routes"]
        assert node.state()["nftables"] == ""
    finally:
        node.close()
