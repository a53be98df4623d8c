# SPDX-License-Identifier: Apache-2.0
"""The nodes of a lab are machines: they boot, talk, install packages, run containers and reboot."""
from __future__ import annotations

import subprocess
import time
from pathlib import Path

import pytest
from lab.lab_host import LabHost

_ASK = """python3 -c '
import socket, sys
kind = socket.SOCK_STREAM if sys.argv[1] == "tcp" else socket.SOCK_DGRAM
s = socket.socket(socket.AF_INET6 if ":" in sys.argv[2] else socket.AF_INET, kind)
s.settimeout(3); s.connect((sys.argv[2], 7777)); s.send(b"?"); print(s.recv(99).decode())' """


def test_second_run_changes_nothing(pair: LabHost) -> None:
    assert not pair.up(1, 2, check=True)["changed"]
    again = pair.up(1, 2)
    assert (again["changed"], again["steps"]) == (False, [])
    assert again["diff"]["before"] == again["diff"]["after"]


def test_nodes_are_booted_debian_machines(pair: LabHost) -> None:
    assert pair.ssh(1, "hostname") == "n1"
    assert pair.ssh(2, ". /etc/os-release; echo $ID $VERSION_CODENAME") == "debian bookworm"
    assert pair.ssh(1, "systemctl is-system-running") == "running"
    assert pair.ssh(1, "cat /etc/machine-id") != pair.ssh(2, "cat /etc/machine-id")


def test_nothing_of_sluice_is_installed_beforehand(pair: LabHost) -> None:
    assert pair.ssh(2, "command -v ovs-vsctl containerd nft", check=False) == ""


@pytest.mark.parametrize("address", ["192.168.77.12", "fd77::12", "192.168.77.1", "fd77::1", "203.0.113.10", "2001:db8:113::10"])
def test_ping_with_full_packets(pair: LabHost, address: str) -> None:
    size = 1500 - (48 if ":" in address else 28)
    pair.ssh(1, f"ping -c 2 -i 0.2 -W 2 -M do -s {size} {address}")


@pytest.mark.parametrize("protocol", ["tcp", "udp"])
@pytest.mark.parametrize(("server", "client"), [("203.0.113.10", "192.168.77.11"), ("2001:db8:113::10", "fd77::11")])
def test_outside_tells_the_client_its_address(pair: LabHost, protocol: str, server: str, client: str) -> None:
    assert pair.ssh(1, f"{_ASK} {protocol} {server}") == client


def test_outside_has_no_way_back_to_an_address_that_is_not_translated(pair: LabHost) -> None:
    pair.ssh(2, "ip address add 10.10.0.5/32 dev lo && ip -6 address add fd10::5/128 dev lo")
    assert "100% packet loss" in pair.ssh(2, "ping -c 1 -W 1 -I 10.10.0.5 203.0.113.10", check=False)
    assert "100% packet loss" in pair.ssh(2, "ping -c 1 -W 1 -I fd10::5 2001:db8:113::10", check=False)


def test_default_route_is_the_underlay_only(pair: LabHost) -> None:
    assert pair.ssh(1, "ip -o route show default").startswith("default via 192.168.77.1 dev eth1")
    assert pair.ssh(1, "ip -o -6 route show default").startswith("default via fd77::1 dev eth1")
    assert pair.ssh(1, "ip -o route show default; ip -o -6 route show default").count("\n") == 1


def test_underlay_sends_whole_checksums(pair: LabHost) -> None:
    for namespace, device in (("-n1", "eth1"), ("", "n1.u"), ("-outside", "uplink")):
        ethtool = ["ip", "netns", "exec", f"sluice-{pair.name}{namespace}", "ethtool", "-k", device]
        assert "\ntx-checksumming: off" in subprocess.run(ethtool, capture_output=True, text=True, check=True).stdout


def test_node_sets_its_own_network_sysctls_but_not_the_host_s(pair: LabHost) -> None:
    host = Path("/proc/sys/kernel/panic").read_text()
    assert pair.ssh(1, "sysctl net.ipv4.ip_forward") == "net.ipv4.ip_forward = 0"
    pair.ssh(1, "sysctl -w net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1")
    assert pair.ssh(1, "sysctl -w kernel.panic=7 || echo refused", check=False).endswith("refused")
    assert Path("/proc/sys/kernel/panic").read_text() == host


def test_packages_install_without_internet_and_run(pair: LabHost) -> None:
    pair.ssh(1, "DEBIAN_FRONTEND=noninteractive apt-get install -y -q openvswitch-switch containerd runc nftables iperf3")
    pair.ssh(1, "ovs-vsctl add-br br0 -- set bridge br0 datapath_type=netdev && ip link show br0")
    assert pair.ssh(1, "systemctl is-active containerd") == "active"
    pair.ssh(1, "nft add table inet probe && nft list table inet probe")
    pair.ssh(1, "mkdir -p /srv/root && cd /srv/root && mkdir usr proc sys dev tmp etc && ln -s usr/bin usr/lib usr/lib64 .")
    run = "ctr run --rm --rootfs --mount type=bind,src=/usr,dst=/usr,options=rbind:ro /srv/root probe /bin/echo hello"
    assert pair.ssh(1, run) == "hello"


@pytest.mark.parametrize("command", ["systemctl reboot", "reboot -ff"])
def test_reboot_leaves_files_and_nothing_else(pair: LabHost, command: str) -> None:
    before, neighbour = pair.boot_id(1), pair.boot_id(2)
    pair.ssh(1, "echo kept > /root/kept; sysctl -w net.ipv4.ip_forward=1")
    pair.ssh(1, "ip address add 198.51.100.1/32 dev eth1; ip link add gone type bridge")
    pair.ssh(1, command, check=False)
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and pair.ssh(1, "cut -d' ' -f22 /proc/1/stat", check=False) in ("", before):
        time.sleep(0.5)
    assert pair.boot_id(1) != before
    pair.ssh(1, "systemctl is-system-running --wait", check=False)
    assert pair.ssh(1, "cat /root/kept") == "kept"
    assert "198.51.100.1" not in pair.ssh(1, "ip address")
    assert pair.ssh(1, "ip link show gone", check=False) == ""
    assert pair.ssh(1, "sysctl -n net.ipv4.ip_forward") == "0"
    pair.ssh(1, "ping -c 1 -W 2 fd77::12 && ping -c 1 -W 2 203.0.113.10")
    assert pair.boot_id(2) == neighbour
    assert not pair.up(1, 2)["changed"]
