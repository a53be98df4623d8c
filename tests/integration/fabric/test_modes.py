# SPDX-License-Identifier: Apache-2.0
"""Every traffic mode and tunnel, on a live cluster that goes from one to the next: all pairs, and packets of exactly the MTU that is promised."""
from __future__ import annotations

import subprocess
from typing import Any

import pytest
import yaml
from fabric.fabric_lab import FabricLab

MODES: dict[str, tuple[dict[str, Any], int]] = {
    "vxlan": ({"sluice_tunnel_type": "vxlan"}, 1450),
    "gre": ({"sluice_tunnel_type": "gre"}, 1462),
    "no_encap": ({"sluice_traffic_mode": "no_encap"}, 1500),
    "geneve with an MTU asked for": ({"sluice_mtu": 1400}, 1400),
    "geneve, IPv4 only": ({"sluice_pod_cidrs": ["10.20.0.0/16"], "sluice_service_cidrs": ["10.96.0.0/16"]}, 1450),
    "geneve, IPv6 only": ({"sluice_pod_cidrs": ["fd20::/48"], "sluice_service_cidrs": ["fd10:96::/112"]}, 1450),
}
ALL = ("sluice_tunnel_type", "sluice_traffic_mode", "sluice_mtu", "sluice_pod_cidrs", "sluice_service_cidrs")


def switch_to(fabric: FabricLab, **variables: Any) -> None:
    fabric.set_variables(**dict.fromkeys(ALL))
    fabric.set_variables(**variables)
    if "sluice_pod_cidrs" in variables:
        # Other addresses for all pods: said by removing what was given out.
        (fabric.inventory / "allocations.yml").unlink(missing_ok=True)


@pytest.mark.parametrize("mode", MODES)
def test_mode(fabric: FabricLab, mode: str) -> None:
    variables, mtu = MODES[mode]
    switch_to(fabric, **variables)
    fabric.succeed("site")
    pod = fabric.pod("api")
    assert f"mtu {mtu} " in fabric.on(pod["node"], fabric.pod_command(pod, "ip link show eth0"))
    fabric.verify()
    assert fabric.succeed("site").changed == []


def test_over_the_interface_that_is_moved(fabric: FabricLab) -> None:
    """Ansible works over the very address that goes from eth1 to the transport bridge, and is not cut off."""
    fabric.succeed("uninstall")
    switch_to(fabric)
    (fabric.inventory / "allocations.yml").unlink(missing_ok=True)
    connection = fabric.inventory.parent / "connection.yml"
    connection.write_text(yaml.safe_dump({
        "ansible_host": "{{ sluice_lab_node.underlay[0] }}",
        "ansible_ssh_common_args": f"-o ProxyCommand='ip netns exec sluice-{fabric.name}-outside nc %h %p'"
                                   " -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null"}))
    run = fabric.succeed("site", "-e", f"@{connection}")
    assert {host for host, task in run.changed if task == "Put the host's settings"} == {"node1", "node2", "node3"}
    assert "192.168.77.11" in fabric.on("node1", "ip -4 addr show br-transport")
    fabric.verify()


def test_hybrid(fabric: FabricLab) -> None:
    """node3 stands behind a router: a tunnel leads there, and to a node of the same subnet none does."""
    (fabric.inventory / "allocations.yml").unlink(missing_ok=True)
    fabric.succeed("uninstall")
    outside = f"sluice-{fabric.name}-outside"
    shown = subprocess.run(["ip", "-n", outside, "-o", "-4", "addr", "show", "to", "192.168.77.0/24"], capture_output=True, text=True, check=True)
    device = shown.stdout.split()[1]
    for address in ("192.168.78.1/24", "fd78::1/64"):
        subprocess.run(["ip", "-n", outside, "addr", "add", address, "dev", device], check=True)
    for setting in ("net.ipv4.ip_forward", "net.ipv6.conf.all.forwarding"):
        subprocess.run(["ip", "netns", "exec", outside, "sysctl", "-q", "-w", f"{setting}=1"], check=True)
    fabric.on("node3", "ip addr flush dev eth1 scope global; ip addr add 192.168.78.13/24 dev eth1; ip addr add fd78::13/64 dev eth1 nodad;"
                       "ip route replace default via 192.168.78.1 dev eth1; ip -6 route replace default via fd78::1 dev eth1")
    switch_to(fabric, sluice_traffic_mode="hybrid")
    fabric.succeed("site")
    fabric.verify()
    flows = fabric.on("node1", "ovs-ofctl -O OpenFlow15 dump-flows br-sluice")
    assert "192.168.78.13->tun_dst" in flows
    assert "192.168.77.12->tun_dst" not in flows
    assert "via 192.168.77.12 dev br-transport" in fabric.on("node1", "ip route")
    assert fabric.succeed("site").changed == []
