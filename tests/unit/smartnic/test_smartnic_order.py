# SPDX-License-Identifier: Apache-2.0
"""What is done to a NIC and in which order is what its maker documents, once, and not again."""
from __future__ import annotations

from pathlib import Path
from typing import Optional

import pytest
from recorded_nics import CONNECTX_5, E810, Recorded

from sluice.errors import InputError, SluiceError
from sluice.node.smartnic import converge
from sluice.node.smartnic.converge import RECORD_FILE, absent, at_boot, present
from sluice.node.smartnic.read import all_names, read
from sluice.node.smartnic.udev import RULES_FILE
from sluice.node.smartnic.unit import CONFIG_FILE, UNIT_FILE

SYS = "/sys/bus/pci"
CX5 = {"interface": "ens1f0", "vfs": 4, "mode": "switchdev", "tc_offload": True, "representors": "ens1f0r{vf}"}
ICE = {"interface": "ens2f0", "vfs": 2, "mode": "switchdev", "tc_offload": True}


def hardware(machine: Recorded) -> list[str]:
    """What was done to NICs, without renaming and systemd."""
    return [line for line in machine.log if not line.startswith("systemctl") and " name " not in line and not line.endswith(" down")]


def test_connectx_5_gets_its_vfs_first_and_has_them_unbound_while_the_mode_changes(tmp_path: Path) -> None:
    """The order of NVIDIA's guide and of Antrea's docs/ovs-offload.md."""
    machine = Recorded(tmp_path, CONNECTX_5)
    result = present([CX5], check=False, machine=machine)
    assert hardware(machine)[:12] == [
        f"echo 4 > {SYS}/devices/0000:03:00.0/sriov_numvfs",
        "ip link set dev ens1f0 up",
        f"echo 0000:03:00.1 > {SYS}/drivers/mlx5_core/unbind",
        f"echo 0000:03:00.2 > {SYS}/drivers/mlx5_core/unbind",
        f"echo 0000:03:00.3 > {SYS}/drivers/mlx5_core/unbind",
        f"echo 0000:03:00.4 > {SYS}/drivers/mlx5_core/unbind",
        "devlink dev eswitch set pci/0000:03:00.0 mode switchdev",
        "ethtool -K ens1f0 hw-tc-offload on",
        "ethtool -K ens1f0_eth0 hw-tc-offload on",
        "ethtool -K ens1f0_eth1 hw-tc-offload on",
        "ethtool -K ens1f0_eth2 hw-tc-offload on",
        "ethtool -K ens1f0_eth3 hw-tc-offload on",
    ]
    assert hardware(machine)[12:] == [f"echo 0000:03:00.{number} > {SYS}/drivers/mlx5_core/bind" for number in (1, 2, 3, 4)]
    nic = read(machine, ["ens1f0"])["ens1f0"]
    assert nic and [(end.netdev, end.vf, end.tc_offload) for end in nic.representors] == [(f"ens1f0r{vf}", vf, True) for vf in range(4)]
    assert result.changed


def test_an_e810_gets_its_mode_while_it_has_no_vfs(tmp_path: Path) -> None:
    """ice refuses another mode once there are VFs."""
    machine = Recorded(tmp_path, E810)
    present([ICE], check=False, machine=machine)
    assert hardware(machine) == [
        "devlink dev eswitch set pci/0000:17:00.0 mode switchdev",
        f"echo 2 > {SYS}/devices/0000:17:00.0/sriov_numvfs",
        "ip link set dev ens2f0 up",
        "ethtool -K ens2f0 hw-tc-offload on",
        "ethtool -K ens2f0_eth0 hw-tc-offload on",
        "ethtool -K ens2f0_eth1 hw-tc-offload on",
    ]


@pytest.mark.parametrize("nic", [CX5, ICE])
def test_a_second_run_does_nothing(tmp_path: Path, nic: dict[str, object]) -> None:
    machine = Recorded(tmp_path, CONNECTX_5, E810)
    present([nic], check=False, machine=machine)
    machine.log.clear()
    again = present([nic], check=False, machine=machine)
    assert (machine.log, again.actions, again.diff["before"] == again.diff["after"]) == ([], [], True)


@pytest.mark.parametrize("nic", [CX5, ICE])
def test_check_mode_says_what_a_run_does_and_does_nothing(tmp_path: Path, nic: dict[str, object]) -> None:
    machine = Recorded(tmp_path, CONNECTX_5, E810)
    predicted = present([nic], check=True, machine=machine)
    assert machine.log == [] and not (tmp_path / "etc").exists() and not (tmp_path / "var").exists()
    assert present([nic], check=False, machine=machine).actions == predicted.actions


def test_another_number_of_vfs_goes_through_zero(tmp_path: Path) -> None:
    machine = Recorded(tmp_path, CONNECTX_5)
    present([{"interface": "ens1f0", "vfs": 2}], check=False, machine=machine)
    machine.log.clear()
    present([{"interface": "ens1f0", "vfs": 6}], check=False, machine=machine)
    assert hardware(machine) == [f"echo {count} > {SYS}/devices/0000:03:00.0/sriov_numvfs" for count in (0, 6)]


def test_an_e810_that_has_vfs_loses_them_before_its_mode_changes(tmp_path: Path) -> None:
    machine = Recorded(tmp_path, E810)
    present([{"interface": "ens2f0", "vfs": 3}], check=False, machine=machine)
    machine.log.clear()
    present([{"interface": "ens2f0", "mode": "switchdev"}], check=False, machine=machine)
    assert hardware(machine)[:3] == [
        f"echo 0 > {SYS}/devices/0000:17:00.0/sriov_numvfs",
        "devlink dev eswitch set pci/0000:17:00.0 mode switchdev",
        f"echo 3 > {SYS}/devices/0000:17:00.0/sriov_numvfs",
    ]


def test_the_encap_mode_is_set_while_there_are_no_vfs(tmp_path: Path) -> None:
    machine = Recorded(tmp_path, CONNECTX_5)
    present([{"interface": "ens1f0", "vfs": 1}], check=False, machine=machine)
    machine.log.clear()
    present([{"interface": "ens1f0", "vfs": 1, "encap_mode": "none", "mode": "switchdev"}], check=False, machine=machine)
    assert [line for line in machine.log if "numvfs" in line or "devlink" in line] == [
        f"echo 0 > {SYS}/devices/0000:03:00.0/sriov_numvfs",
        "devlink dev eswitch set pci/0000:03:00.0 encap-mode none",
        f"echo 1 > {SYS}/devices/0000:03:00.0/sriov_numvfs",
        "devlink dev eswitch set pci/0000:03:00.0 mode switchdev",
    ]


def test_a_nic_is_named_by_its_address_too(tmp_path: Path) -> None:
    machine = Recorded(tmp_path, CONNECTX_5)
    present([{**CX5, "interface": "0000:03:00.0"}], check=False, machine=machine)
    nic = read(machine, ["0000:03:00.0"])["0000:03:00.0"]
    assert nic and (nic.interface, nic.vf_count, nic.eswitch and nic.eswitch.mode) == ("ens1f0", 4, "switchdev")


def test_a_run_that_died_with_vfs_unbound_is_finished_by_the_next(tmp_path: Path) -> None:
    machine = Recorded(tmp_path, CONNECTX_5)
    machine.fail = lambda line: "No such device" if "00.3 > " in line and line.endswith("/bind") else None
    with pytest.raises(SluiceError, match=r"0000:03:00.3 > .*bind` failed: No such device"):
        present([CX5], check=False, machine=machine)
    machine.fail = lambda line: None
    machine.log.clear()
    present([CX5], check=False, machine=machine)
    assert [line for line in hardware(machine) if "ethtool" not in line] == [
        f"echo 0000:03:00.{number} > {SYS}/drivers/mlx5_core/bind" for number in (3, 4)]
    assert present([CX5], check=False, machine=machine).actions == []


def test_a_driver_that_takes_a_step_without_effect_is_told_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    machine = Recorded(tmp_path, CONNECTX_5)
    monkeypatch.setattr(machine, "_set_eswitch", lambda handle, settings: None)
    monkeypatch.setattr("sluice.node.smartnic.apply._APPEAR_SECONDS", 0.0)
    with pytest.raises(SluiceError, match=r"still to be done: .*mode switchdev"):
        present([CX5], check=False, machine=machine)


def test_the_boot_unit_makes_the_same_again(tmp_path: Path) -> None:
    machine = Recorded(tmp_path, CONNECTX_5)
    present([CX5], check=False, machine=machine)
    first = hardware(machine)
    # A boot: sysfs as new, the disk as it was.
    rebooted = Recorded(tmp_path / "boot", CONNECTX_5)
    for path in (CONFIG_FILE, RULES_FILE, UNIT_FILE, RECORD_FILE):
        place = rebooted.root / path.lstrip("/")
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text((tmp_path / path.lstrip("/")).read_text())
    assert at_boot(rebooted, wait=0).changed
    assert hardware(rebooted) == first
    assert present([CX5], check=False, machine=rebooted).actions == []


def test_a_nic_that_is_gone_at_boot_does_not_keep_the_others_waiting(tmp_path: Path) -> None:
    machine = Recorded(tmp_path, CONNECTX_5, E810)
    present([CX5, ICE], check=False, machine=machine)
    rebooted = Recorded(tmp_path / "boot", E810)
    place = rebooted.root / CONFIG_FILE.lstrip("/")
    place.parent.mkdir(parents=True)
    place.write_text((tmp_path / CONFIG_FILE.lstrip("/")).read_text())
    with pytest.raises(SluiceError, match="this host has no NIC ens1f0"):
        at_boot(rebooted, wait=0)
    nic = read(rebooted, ["ens2f0"])["ens2f0"]
    assert nic and nic.vf_count == 2


def test_absent_on_a_host_that_never_had_any_leaves_no_folder(tmp_path: Path) -> None:
    assert absent(check=False, machine=Recorded(tmp_path, E810)).actions == []
    assert not (tmp_path / "var").exists() and not (tmp_path / "etc").exists()


def test_boot_without_a_file_is_nothing(tmp_path: Path) -> None:
    assert not at_boot(Recorded(tmp_path), wait=0).changed


def test_absent_puts_back_what_was_before_the_first_run(tmp_path: Path) -> None:
    machine = Recorded(tmp_path, CONNECTX_5, E810)
    machine.write(f"{SYS}/devices/0000:17:00.0/sriov_numvfs", "1")
    before = {name: read(machine, [name])[name] for name in all_names(machine)}
    present([CX5, ICE], check=False, machine=machine)
    present([{**CX5, "vfs": 6}, ICE], check=False, machine=machine)
    assert absent(check=False, machine=machine).changed
    after = {name: read(machine, [name])[name] for name in all_names(machine)}
    assert {name: nic and nic._replace(up=False) for name, nic in after.items()} == before
    for path in (CONFIG_FILE, RULES_FILE, UNIT_FILE, RECORD_FILE):
        assert not (tmp_path / path.lstrip("/")).exists()
    assert machine.log[-2:] == ["systemctl disable sluice-smartnic.service", "systemctl daemon-reload"]
    assert absent(check=False, machine=machine).actions == []


def test_a_nic_that_is_no_longer_named_goes_back(tmp_path: Path) -> None:
    machine = Recorded(tmp_path, CONNECTX_5, E810)
    present([CX5, ICE], check=False, machine=machine)
    present([CX5], check=False, machine=machine)
    nic = read(machine, ["ens2f0"])["ens2f0"]
    assert nic and (nic.vf_count, nic.eswitch and nic.eswitch.mode) == (0, "legacy")


def test_names_of_representors_are_given_by_udev_before_they_appear(tmp_path: Path) -> None:
    machine = Recorded(tmp_path, CONNECTX_5)
    machine.fail = lambda line: "it failed" if "sriov_numvfs" in line else None
    with pytest.raises(SluiceError):
        present([CX5], check=False, machine=machine)
    lines = (tmp_path / RULES_FILE.lstrip("/")).read_text().splitlines()[1:]
    assert lines[3] == ('SUBSYSTEM=="net", ACTION=="add", KERNELS=="0000:03:00.0", ATTR{phys_switch_id}!="", '
                        'ATTR{phys_port_name}=="pf*vf3", NAME="ens1f0r3"')
    assert len(lines) == 4
    assert (tmp_path / RECORD_FILE.lstrip("/")).exists() and not (tmp_path / UNIT_FILE.lstrip("/")).exists()


def test_vfs_that_pods_have_stay_and_so_do_the_names_of_their_representors(tmp_path: Path) -> None:
    machine = Recorded(tmp_path, CONNECTX_5)
    present([CX5], check=False, machine=machine)
    machine.set_vfs_in_use(2)
    machine.run("ip", "link", "set", "dev", "ens1f0r2", "name", "sp-web-1")
    assert present([CX5], check=False, machine=machine).actions == []
    machine.log.clear()
    with pytest.raises(InputError, match=r"would take away VFs that pods or virtual machines use: 2 \(0000:03:00.3, mlx5_core\)"):
        present([{**CX5, "vfs": 8}], check=False, machine=machine)
    assert machine.log == []


def test_addresses_on_a_nic_whose_mode_changes_are_warned_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    machine = Recorded(tmp_path, CONNECTX_5)
    monkeypatch.setattr("sluice.node.smartnic.read._addresses", lambda machine, interface: ("192.0.2.1/24",))
    assert "ens1f0 has the addresses 192.0.2.1/24" in present([CX5], check=True, machine=machine).warnings[0]
    assert converge.present([{"interface": "ens1f0", "vfs": 1}], check=True, machine=machine).warnings == []


def test_a_representor_that_udev_renames_in_between_gets_its_offload(tmp_path: Path) -> None:
    """As it was with netdevsim on Ubuntu 24.04: `ethtool -K eth3` came after udev had named it otherwise."""
    machine = Recorded(tmp_path, CONNECTX_5)

    def renamed(line: str) -> Optional[str]:
        if not line.startswith("ethtool -K ens1f0_eth1 "):
            return None
        machine.rename("ens1f0_eth1", "ens1f0r1")
        return "netlink error: No such device"

    machine.fail = renamed
    present([CX5], check=False, machine=machine)
    nic = read(machine, ["ens1f0"])["ens1f0"]
    assert nic and [(end.netdev, end.tc_offload) for end in nic.representors] == [(f"ens1f0r{vf}", True) for vf in range(4)]


def test_an_interface_that_takes_no_offload_fails_the_run(tmp_path: Path) -> None:
    machine = Recorded(tmp_path, CONNECTX_5)
    machine.fail = lambda line: "Operation not supported" if line.startswith("ethtool -K ens1f0_eth1 ") else None
    with pytest.raises(SluiceError, match="Operation not supported"):
        present([CX5], check=False, machine=machine)
