# SPDX-License-Identifier: Apache-2.0
"""WireGuard between nodes: turned on in a cluster that runs, searched for what is in clear, rebooted, and taken away again."""
from __future__ import annotations

import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from fabric.fabric_lab import FabricLab

PACKAGES = ["wireguard-tools", "wireguard-go"]
MARKER = "sluice-payload-marker"


@pytest.fixture(scope="module")
def fabric(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FabricLab]:
    lab = FabricLab("e" + uuid.uuid4().hex[:6], tmp_path_factory.mktemp("fabric"))
    try:
        lab.set_nodes(1, 2)
        lab.set_variables(sluice_lab_extra_packages=PACKAGES, ansible_timeout=60)
        lab.succeed("lab_up")
        yield lab
    finally:
        lab.run("lab_down")


def pods(fabric: FabricLab) -> tuple[dict[str, Any], dict[str, Any]]:
    """Two pods on different nodes."""
    first = fabric.pod("api")
    return first, next(pod for pod in fabric.pods() if pod["node"] != first["node"] and pod["ips"])


def captured(fabric: FabricLab) -> str:
    """What travels between the nodes while one pod sends the marker to another, as text."""
    source, destination = pods(fabric)
    address = destination["ips"][0].partition("/")[0]
    fabric.on(source["node"], "rm -f /tmp/clear.txt; nohup tcpdump -i eth1 -n -A -U -s 0 >/tmp/clear.txt 2>/dev/null & sleep 2")
    pattern = MARKER.encode().hex()[:32]
    fabric.on(source["node"], fabric.pod_command(source, f"ping -c 5 -i 0.2 -p {pattern} {address}"))
    return fabric.on(source["node"], "sleep 1; pkill -x tcpdump; cat /tmp/clear.txt")


def test_in_clear_the_marker_is_seen(fabric: FabricLab) -> None:
    """So that not finding it later means something."""
    fabric.succeed("site")
    text = captured(fabric)
    assert MARKER[:16] in text.replace("\n", "") and ".6081 >" in text


def test_turned_on_node_by_node_and_nothing_is_left_in_clear(fabric: FabricLab) -> None:
    source, destination = pods(fabric)
    address = destination["ips"][0].partition("/")[0]
    fabric.on(source["node"], f"nohup {fabric.pod_command(source, f'ping -D -i 0.1 {address}')} >/tmp/loss.txt 2>&1 &")
    fabric.set_variables(sluice_encryption="wireguard")
    run = fabric.succeed("site")
    lines = fabric.on(source["node"], "pkill -INT -x ping; sleep 1; cat /tmp/loss.txt")
    print("\nturned on while a ping every 0.1 s ran:", [line for line in lines.splitlines() if "packet loss" in line])
    assert {task for _host, task in run.changed} >= {"Have keys", "Put the host's settings"}
    assert "latest handshake" in fabric.on("node1", "wg show sluice-wg0")
    fabric.verify()
    text = captured(fabric)
    assert ".51820 >" in text
    assert MARKER[:16] not in text.replace("\n", "") and ".6081 >" not in text
    assert fabric.succeed("site").changed == []


def test_packets_of_the_promised_size_pass_and_larger_ones_do_not(fabric: FabricLab) -> None:
    source, destination = pods(fabric)
    address = destination["ips"][0].partition("/")[0]
    assert "mtu 1440 " in fabric.on(source["node"], fabric.pod_command(source, "ip link show eth0"))
    fabric.on(source["node"], fabric.pod_command(source, f"ping -c 1 -W 5 -M do -s {1440 - 28} {address}"))
    longer = fabric.on(source["node"], fabric.pod_command(source, f"ping -c 1 -W 2 -M do -s {1441 - 28} {address}"), check=False)
    assert " 0% packet loss" not in longer


def test_no_private_key_leaves_its_node(fabric: FabricLab) -> None:
    keys = [fabric.on(node, "cat /etc/sluice/wireguard.key").strip() for node in ("node1", "node2")]
    assert len(set(keys)) == 2 and all(len(key) == 44 for key in keys)
    assert fabric.on("node1", "stat -c %a /etc/sluice/wireguard.key").strip() == "600"
    run = fabric.succeed("site", "-vvv", "--diff")
    written = "".join(path.read_text(errors="replace") for path in fabric.inventory.rglob("*") if path.is_file())
    kept = "".join(fabric.on(node, "cat /var/lib/sluice/*.json /etc/sluice/*.json") for node in ("node1", "node2"))
    for key in keys:
        assert key not in run.output and key not in written and key not in kept


def test_a_reboot_brings_it_back(fabric: FabricLab) -> None:
    fabric.on("node1", "systemctl reboot", check=False)
    fabric.succeed("site")
    assert "peer:" in fabric.on("node1", "wg show sluice-wg0")
    fabric.verify()


def test_turned_off_and_uninstalled_nothing_is_left(fabric: FabricLab) -> None:
    fabric.set_variables(sluice_encryption=None)
    fabric.succeed("site")
    assert "sluice-wg0" not in fabric.on("node1", "ip link")
    fabric.verify()
    fabric.set_variables(sluice_encryption="wireguard")
    fabric.succeed("site")
    fabric.succeed("uninstall")
    for node in ("node1", "node2"):
        left = fabric.on(node, "ip link; ip route; systemctl list-units --all 'sluice*'; ls /etc/sluice /etc/ipsec.d 2>&1", check=False)
        assert "sluice-wg0" not in left and "wireguard.key" not in left
