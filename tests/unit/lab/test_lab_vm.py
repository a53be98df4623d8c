# SPDX-License-Identifier: Apache-2.0
"""What a virtual machine is started with."""
from __future__ import annotations

import io
import tarfile
from pathlib import Path

import pytest

from sluice.lab.image import Material
from sluice.lab.network import mac, tap_commands
from sluice.lab.spec import Lab, load_lab
from sluice.lab.vm import initrd, qemu, runs_guests

MATERIAL = Material(Path("/cache/vm-1"), Path("/cache/apt-1"), "key")


def _lab() -> Lab:
    node = {"name": "node1", "machine": "vm", "management": ["192.0.2.11"], "underlay": ["198.51.100.11"]}
    return load_lab("demo", "/var/lib/sluice-lab", {"ipv4": "192.0.2.0/24"}, {"ipv4": "198.51.100.0/24", "mtu": 9000}, [], [node])


@pytest.mark.parametrize(("flag", "runs"), [("vmx", True), ("svm", True), ("vmmcall", False)])
def test_kvm_is_for_processors_that_run_guests_themselves(flag: str, runs: bool) -> None:
    assert runs_guests(f"processor\t: 0\nflags\t\t: fpu {flag} nx\nvmx flags\t: vnmi\n") == runs


def test_interfaces_have_the_taps_the_macs_and_the_mtu_of_the_lab() -> None:
    lab = _lab()
    node = lab.nodes[0]
    command = qemu(lab, node, MATERIAL, "tcg")
    netdevs = [command[at + 1] for at, word in enumerate(command) if word == "-netdev"]
    devices = [command[at + 1] for at, word in enumerate(command) if word == "-device" and command[at + 1].startswith("virtio-net")]
    taps = [each[each.index("dev") + 1] for each in tap_commands(lab, node) if "tuntap" in each]
    assert [netdev.split(",")[2] for netdev in netdevs] == [f"ifname={tap}" for tap in taps] == ["ifname=node1.m", "ifname=node1.u"]
    assert [device.split(",")[2:4] for device in devices] == [
        [f"mac={mac(lab, node.management[0])}", "host_mtu=1500"], [f"mac={mac(lab, node.underlay[0])}", "host_mtu=9000"]]
    assert [each[each.index("mtu") + 1] for each in tap_commands(lab, node) if "mtu" in each] == ["1500", "9000"]


def test_ram_disk_has_the_own_files_with_their_modes(tmp_path: Path) -> None:
    own = tmp_path / "own"
    (own / "root/.ssh").mkdir(parents=True)
    (own / "root/.ssh").chmod(0o700)
    (own / "root/.ssh/authorized_keys").write_text("key\n")
    first = initrd(own)
    assert initrd(own) == first
    # Where the first member's header begins; that the kernel reads what is around it, only a boot shows.
    with tarfile.open(fileobj=io.BytesIO(first[first.index(b"root/\0"):])) as tar:
        assert {member.name: oct(member.mode) for member in tar if member.name != "root"} == {
            "root/.ssh": "0o700", "root/.ssh/authorized_keys": "0o644"}
    (own / "root/.ssh/authorized_keys").write_text("another\n")
    assert initrd(own)[-200:] != first[-200:], "the hash is the same"
