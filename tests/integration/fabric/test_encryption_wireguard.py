# SPDX-License-Identifier: Apache-2.0
"""WireGuard between nodes: turned on in a cluster that runs, searched for what is in clear, rebooted, and taken away again. The tests are in an order,
on a lab of containers, where wireguard-go stands in for the kernel's, and on one of virtual machines."""
from __future__ import annotations

from collections.abc import Iterator

import pytest
from fabric.encrypted_lab import MARKER, NODES, Pings, captured, encrypt, encrypted_lab, pair, passes, turn_off
from fabric.fabric_lab import VIRTUAL, FabricLab

MTU = 1440


@pytest.fixture(scope="module", params=["container", pytest.param("vm", marks=pytest.mark.vm)])
def fabric(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[FabricLab]:
    packages, variables = (["wireguard-tools"], VIRTUAL) if request.param == "vm" else (["wireguard-tools", "wireguard-go"], {})
    with encrypted_lab(tmp_path_factory.mktemp("fabric"), packages, sluice_mtu=MTU, **variables) as lab:
        yield lab


def test_in_clear_the_marker_is_seen(fabric: FabricLab) -> None:
    """So that not finding it later means something. The pods have the MTU that is left later, so that they need not be made again then."""
    fabric.succeed("site")
    text = captured(fabric)
    assert MARKER in text and ".6081: Geneve" in text


def test_turned_on_and_nothing_is_left_in_clear(fabric: FabricLab) -> None:
    with Pings(fabric) as pings:
        encrypt(fabric, "wireguard", NODES[0])
        run = fabric.succeed("site")
    assert {task for _host, task in run.changed} >= {"Have keys", "Put the host's settings"}
    assert pings.sent > 0 and passes(fabric) and MARKER in captured(fabric)
    print("\nturned on on one node:", pings)
    with Pings(fabric) as pings:
        encrypt(fabric, "wireguard", *NODES)
        fabric.succeed("site")
    print("and on the other:", pings)
    assert pings.received > 0
    fabric.verify()
    text = captured(fabric)
    assert ".51820: UDP" in text and MARKER not in text and "Geneve" not in text
    # What is left by itself is what was asked for.
    fabric.set_variables(sluice_mtu=None)
    assert fabric.succeed("site").changed == []


def test_packets_of_the_promised_size_pass_and_larger_ones_do_not(fabric: FabricLab) -> None:
    source, _destination, _address = pair(fabric)
    assert f"mtu {MTU} " in fabric.on(source["node"], fabric.pod_command(source, "ip link show eth0"))
    assert passes(fabric, size=MTU - 28)
    assert not passes(fabric, size=MTU - 27)


def test_no_private_key_leaves_its_node(fabric: FabricLab) -> None:
    keys = [fabric.on(node, "cat /etc/sluice/wireguard.key").strip() for node in NODES]
    assert len(set(keys)) == len(NODES) and all(len(key) == 44 for key in keys)
    assert fabric.on("node1", "stat -c %a /etc/sluice/wireguard.key").strip() == "600"
    # A difference to show: the device as it is, and as it is to be.
    fabric.on("node1", "wg set sluice-wg0 listen-port 51821")
    run = fabric.succeed("site", "-vvv", "--diff")
    assert ("node1", "Put the host's settings") in [(host, task.rpartition(" : ")[2]) for host, task in run.changed]
    written = "".join(path.read_text(errors="replace") for path in fabric.inventory.rglob("*") if path.is_file())
    kept = "".join(fabric.on(node, "cat /var/lib/sluice/*.json /etc/sluice/*.json") for node in NODES)
    for key in keys:
        assert key not in run.output and key not in written and key not in kept


def test_a_peer_with_another_key_is_not_reached_and_verify_says_why(fabric: FabricLab) -> None:
    fabric.on("node1", "cp -p /etc/sluice/wireguard.key /root/kept; wg genkey > /root/other; wg set sluice-wg0 private-key /root/other")
    assert not passes(fabric)
    run = fabric.run("verify")
    assert run.code != 0 and "Nothing can be exchanged encrypted" in run.output and "wireguard: " in run.output
    fabric.succeed("site")
    assert passes(fabric, count=10)


def test_a_reboot_brings_it_back(fabric: FabricLab) -> None:
    fabric.reboot("node1")
    fabric.wait_until_back("node1")
    assert "peer:" in fabric.on("node1", "wg show sluice-wg0")
    fabric.verify()


def test_turned_off_and_uninstalled_nothing_is_left(fabric: FabricLab) -> None:
    pings = turn_off(fabric, "wireguard")
    print("\nturned off node by node:", pings)
    assert pings.received > 0
    assert "sluice-wg0" not in fabric.on("node1", "ip link")
    fabric.verify()
    fabric.set_variables(sluice_encryption="wireguard")
    fabric.succeed("site")
    fabric.succeed("uninstall")
    for node in NODES:
        left = fabric.on(node, "ip link; ip route; ps ax; ls /etc/sluice /etc/ipsec.d 2>&1", check=False)
        assert "sluice-wg0" not in left and "wireguard" not in left
