# SPDX-License-Identifier: Apache-2.0
"""A network namespace of the test's own with an underlay interface, and the engine in it."""
from __future__ import annotations

from pathlib import Path
from typing import Any, Iterator

import pytest
from host_node import Node


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Node]:
    root = tmp_path / "root"
    root.mkdir()
    node = Node(root)
    try:
        node.run("sysctl", "-qw", "net.ipv6.conf.default.accept_dad=0")
        node.ip(
            "link set lo up",
            "link add eth1 type veth peer name peer", "link add br-transport type bridge", "link add sluice-gw0 type bridge",
            "link set peer up", "link set eth1 up",
            "addr add 192.168.77.11/24 dev eth1 broadcast +", "addr add fd77::11/64 dev eth1 nodad",
            "route add default via 192.168.77.1 dev eth1", "route add ::/0 via fd77::1 dev eth1",
            "route add 172.16.0.0/12 via 192.168.77.2 dev eth1 metric 50 proto static",
        )
        yield node
    finally:
        node.close()


@pytest.fixture
def config() -> dict[str, Any]:
    """A node in the userspace datapath: eth1's addresses move to br-transport, pods are behind sluice-gw0."""
    return {
        "sysctl": {"net.ipv4.ip_forward": "1", "net.ipv6.conf.all.forwarding": 1, "net.ipv4.conf.eth1.rp_filter": "2"},
        "links": [
            {"name": "sluice-gw0", "mac": "0a:00:00:00:00:01", "mtu": 1450, "addresses": ["10.10.0.1/24", "fd10:0::1/64"], "up": True},
            {"name": "eth1", "addresses": []},
            {"name": "br-transport", "addresses": ["192.168.77.11/24", "fd77::11/64"]},
        ],
        "routes": [
            {"destination": "10.10.0.0/16", "via": "169.254.0.1", "device": "sluice-gw0", "onlink": True,
             "source": "10.10.0.1", "mtu": 1400},
            {"destination": "fd10::/48", "via": "fd00:ffff::1", "device": "sluice-gw0", "onlink": True, "source": "fd10::1"},
            {"destination": "default", "via": "192.168.77.1", "device": "br-transport"},
            {"destination": "::/0", "via": "fd77::1", "device": "br-transport"},
        ],
        "neighbours": [
            {"address": "169.254.0.1", "mac": "aa:bb:cc:dd:ee:ff", "device": "sluice-gw0"},
            {"address": "fd00:ffff::1", "mac": "aa:bb:cc:dd:ee:ff", "device": "sluice-gw0"},
        ],
        "nftables": {"sluice": (
            "# who leaves the pod network does so as the node\n"
            "chain postrouting { type nat hook postrouting priority srcnat; policy accept;\n"
            "  ip saddr 10.10.0.0/16 ip daddr != 10.10.0.0/16 counter masquerade\n"
            "}\n"
            "chain forward {\n  type filter hook forward priority 0; policy drop;\n"
            '  iifname "sluice-gw0" accept\n  ct state established,related accept\n}\n'
        ), "netdev sluice": 'chain transport {\n  type filter hook ingress device "eth1" priority -500; policy drop;\n}\n'},
        "files": {
            "/etc/sluice/flows.txt": {"content": "table=0 actions=drop\n"},
            "/etc/cni/net.d/10-sluice.conflist": {"content": "{}\n", "mode": "0600"},
        },
    }
