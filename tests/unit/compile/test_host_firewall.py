# SPDX-License-Identifier: Apache-2.0
"""Which openings a node asks other firewalls for."""
from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parents[2]))
from sluice.compile.fabric import Fabric
from sluice.host.contribute import host_program
from states import cluster_state

ADDRESS = {"interface": "eth1", "address": "172.16.0.1"}


@pytest.mark.parametrize(("settings", "ports"), [
    ({"tunnel_type": "geneve"}, [{"protocol": "udp", "port": 6081, **ADDRESS}]),
    ({"tunnel_type": "vxlan"}, [{"protocol": "udp", "port": 4789, **ADDRESS}]),
    ({"tunnel_type": "gre"}, [{"protocol": "gre", **ADDRESS}]),
    ({"traffic_mode": "hybrid"}, [{"protocol": "udp", "port": 6081, **ADDRESS}]),
    ({"traffic_mode": "no_encap"}, []),
    ({"datapath": "netdev"}, []),
])
def test_tunnels_that_the_kernel_takes_need_their_port(settings: dict[str, Any], ports: list[dict[str, Any]]) -> None:
    fabric = Fabric(cluster_state(**{"nodes": 2, "pods_per_node": 1, "datapath": "system", **settings}))
    assert host_program(fabric, fabric.state.nodes["node1"])["firewall"] == {"ports": ports, "interfaces": ["sluice-gw0"]}
