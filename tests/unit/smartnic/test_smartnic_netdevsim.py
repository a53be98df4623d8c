# SPDX-License-Identifier: Apache-2.0
"""A simulated NIC as a kernel shows it, and what the machines that are only told of have in common with it.

``netdevsim.json`` was recorded by us: sysfs, the answers of `devlink`, `ethtool` (of its features the one that is read) and `ip`, and what became of
each step, of netdevsim in Linux 6.1.192 (Debian's source, built with CONFIG_NETDEVSIM) on a virtual machine.
"""
from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Optional

import pytest
from recorded_nics import CONNECTX_5, Recorded

from sluice.errors import SluiceError
from sluice.node.smartnic.model import Eswitch, Nic, Representor
from sluice.node.smartnic.read import all_names, read

RECORD: dict[str, Any] = json.loads(Path(__file__).with_name("netdevsim.json").read_text())
SWITCH = "be237b987615f2278617ce98ae0de3029de5b66ffe6df7c75137e5c58f136f45"
LEGACY = Nic(interface="eth0", bus="netdevsim", address="netdevsim1", vendor="", device="", driver="netdevsim", total_vfs=None, has_vfs=True, vfs=(),
             vf_count=0, eswitch=Eswitch("legacy"), switch_id=SWITCH, representors=(), up=False, tc_offload=False)
SWITCHDEV = LEGACY._replace(vf_count=2, eswitch=Eswitch("switchdev"), representors=(Representor("eth1", 0, False), Representor("eth2", 1, False)))


class Simulated:
    """A machine that shows one recorded state."""

    def __init__(self, root: Path, state: str) -> None:
        self.root = root
        self.answers: dict[str, str] = RECORD["states"][state]["answers"]
        for path, text in RECORD["states"][state]["files"].items():
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).write_text(text)
        for path, target in RECORD["states"][state]["links"].items():
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).symlink_to(target)

    def query(self, *command: str) -> Optional[str]:
        return self.answers.get(" ".join(command))

    def run(self, *command: str) -> None:
        raise AssertionError(command)

    def write(self, path: str, value: str) -> None:
        raise AssertionError((path, value))


@pytest.mark.parametrize(("state", "expected"), [("legacy", LEGACY), ("switchdev", SWITCHDEV)])
@pytest.mark.parametrize("name", ["eth0", "netdevsim1"])
def test_read(tmp_path: Path, state: str, expected: Nic, name: str) -> None:
    machine = Simulated(tmp_path, state)
    assert read(machine, [name])[name] == expected
    assert all_names(machine) == ["eth0"]


def _shape(root: Path, interface: str) -> tuple[set[str], bool]:
    """The names that an interface has in sysfs, and whether it is below its device."""
    place = (root / "sys/class/net" / interface).resolve()
    return {path.name for path in place.iterdir()}, (place / "device").resolve() == place.parent.parent


def test_told_interfaces_look_like_real_ones(tmp_path: Path) -> None:
    real, told = Simulated(tmp_path / "real", "switchdev"), Recorded(tmp_path / "told", CONNECTX_5)
    told.write("/sys/bus/pci/devices/0000:03:00.0/sriov_numvfs", "2")
    for vf in ("0000:03:00.1", "0000:03:00.2"):
        told.write("/sys/bus/pci/drivers/mlx5_core/unbind", vf)
    told.run("devlink", "dev", "eswitch", "set", "pci/0000:03:00.0", "mode", "switchdev")
    for ours, theirs in (("ens1f0", "eth0"), ("ens1f0_eth1", "eth2")):
        assert _shape(told.root, ours) == _shape(real.root, theirs)
    assert (told.root / "sys/class/net/ens1f0_eth1/phys_port_name").read_text() == (real.root / "sys/class/net/eth2/phys_port_name").read_text()
    show = ("devlink", "-j", "dev", "eswitch", "show")
    answers = [json.loads(machine.query(*show, handle) or "")["dev"][handle]["mode"]
               for machine, handle in ((told, "pci/0000:03:00.0"), (real, "netdevsim/netdevsim1"))]
    assert answers == ["switchdev", "switchdev"]


def test_told_numbers_of_vfs_go_as_real_ones(tmp_path: Path) -> None:
    """Another number goes through 0 and the same is no mistake; how many there can be at most is each driver's own."""
    told = Recorded(tmp_path, CONNECTX_5)
    steps = [(line.split()[1], answer) for line, answer in RECORD["steps"] if line.startswith("echo") and "100" not in line]
    assert ("3", "Device or resource busy") in steps
    assert [_answer(told, number) for number, _then in steps] == [answer for _number, answer in steps]


def _answer(machine: Recorded, vfs: str) -> str:
    try:
        machine.write("/sys/bus/pci/devices/0000:03:00.0/sriov_numvfs", vfs)
    except SluiceError as refused:
        return str(refused)
    return "ok"
