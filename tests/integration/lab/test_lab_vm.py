# SPDX-License-Identifier: Apache-2.0
"""A node that is a virtual machine: what only it can show. One is booted twice, which is what takes the time."""
from __future__ import annotations

import time

import pytest
from lab.lab_host import BOOT_SECONDS, DIRECTORY, LabHost

from sluice.lab.vm import guest_runs

pytestmark = pytest.mark.vm


def test_a_guest_that_runs_is_told_from_one_that_does_not() -> None:
    assert guest_runs("tcg") and not guest_runs("none")


def test_it_is_a_debian_machine_with_a_kernel_of_its_own(machine: LabHost) -> None:
    assert machine.ssh(1, "hostname; uname -r").startswith("n1\n") and "-cloud-" in machine.ssh(1, "uname -r")
    machine.ssh(1, "modprobe openvswitch && modprobe geneve && modprobe esp4 && modprobe cls_flower")
    assert machine.ssh(1, "cat /sys/class/net/eth1/mtu") == "1500"
    assert not machine.up(1, machine="vm")["changed"]


@pytest.mark.parametrize("address", ["203.0.113.10", "2001:db8:113::10"])
def test_ping_with_full_packets(machine: LabHost, address: str) -> None:
    machine.ssh(1, f"ping -c 2 -i 0.2 -W 5 -M do -s {1500 - (48 if ':' in address else 28)} {address}")


def test_packages_install_without_internet(machine: LabHost) -> None:
    machine.ssh(1, "DEBIAN_FRONTEND=noninteractive apt-get install -y -q ethtool && ethtool -i eth1 | grep virtio_net")


def test_reboot_and_power_off(machine: LabHost) -> None:
    boot = machine.ssh(1, "echo kept > /root/kept; echo own > /etc/hosts; cat /proc/sys/kernel/random/boot_id")
    machine.ssh(1, "systemctl reboot", check=False)
    deadline = time.monotonic() + BOOT_SECONDS
    while time.monotonic() < deadline and machine.ssh(1, "cat /proc/sys/kernel/random/boot_id", check=False) in ("", boot):
        time.sleep(1)
    # What the node made of its files is the node's.
    assert machine.ssh(1, "cat /root/kept /etc/hosts") == "kept\nown"
    machine.ssh(1, "systemctl is-system-running --wait; systemctl poweroff", check=False)
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and not machine.up(1, machine="vm", check=True)["steps"]:
        time.sleep(1)
    assert machine.up(1, machine="vm", check=True)["steps"] == ["start n1"]


def test_down_leaves_nothing(machine: LabHost) -> None:
    assert "Power down" in (DIRECTORY / machine.name / "nodes/n1/console.log").read_text(errors="replace")
    assert machine.down()["changed"]
    assert machine.traces() == set()
