# SPDX-License-Identifier: Apache-2.0
"""What a NIC cannot do, and what is no sense, is refused all at once, and nothing is touched."""
from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from recorded_nics import CONNECTX_5, E810, Card, Recorded

from sluice.errors import InputError
from sluice.node.smartnic.converge import present
from sluice.node.smartnic.profiles import GENERIC, MODE_FIRST, PROFILES, VFS_FIRST, VIRTUAL_FUNCTIONS, profile_of

OLD = Card("ens3f0", "0000:05:00.0", "8086", "10fb", "ixgbe", "10ed", "ixgbevf", 63, "", False, "")
UNKNOWN = Card("ens4f0", "0000:06:00.0", "1af4", "1041", "virtio_net", "1041", "virtio_net", 0, "", False, "")
CONNECTX_4 = CONNECTX_5._replace(device="1015", eswitch='{"mode":"legacy","inline-mode":"link","encap-mode":"none"}')


@pytest.mark.parametrize(("card", "wanted", "words"), [
    (CONNECTX_5, {"vfs": 9}, "vfs: is 9, but the NIC has at most 8; expected at most 8, or more of them enabled in the NIC's firmware"),
    (CONNECTX_5, {"inline_mode": "transport"}, "inline_mode: is 'transport', which the NIC does not take; expected one of none"),
    (E810, {"encap_mode": "basic"}, "encap_mode: the NIC has no such setting"),
    (OLD, {"mode": "switchdev", "vfs": 2}, "mode: is switchdev, but its driver has no switchdev mode; expected legacy"),
    (UNKNOWN, {"mode": "switchdev"}, "mode: is switchdev, but devlink knows no eswitch of pci/0000:06:00.0"),
    (UNKNOWN, {"vfs": 1}, "vfs: is 1, but the NIC has at most 0"),
])
def test_what_a_nic_cannot_do_is_refused_before_anything_is_touched(tmp_path: Path, card: Card, wanted: dict[str, Any], words: str) -> None:
    machine = Recorded(tmp_path, card)
    with pytest.raises(InputError) as refused:
        present([{"interface": card.interface, **wanted}], check=False, machine=machine)
    assert words in str(refused.value)
    assert machine.log == [] and not (tmp_path / "var").exists() and not (tmp_path / "etc").exists()


def test_a_connectx_4_lx_takes_an_inline_mode(tmp_path: Path) -> None:
    machine = Recorded(tmp_path, CONNECTX_4)
    present([{"interface": "ens1f0", "inline_mode": "transport"}], check=False, machine=machine)
    assert "devlink dev eswitch set pci/0000:03:00.0 inline-mode transport" in machine.log


def test_hw_tc_offload_that_is_fixed_is_refused(tmp_path: Path) -> None:
    machine = Recorded(tmp_path, CONNECTX_5)
    machine.offload["ens1f0"] = "off [fixed]"
    with pytest.raises(InputError, match="tc_offload: the NIC cannot offload tc"):
        present([{"interface": "ens1f0", "tc_offload": True}], check=False, machine=machine)


def test_everything_of_all_nics_is_told_at_once(tmp_path: Path) -> None:
    machine = Recorded(tmp_path, CONNECTX_5, OLD)
    with pytest.raises(InputError) as refused:
        present([{"interface": "ens1f0", "vfs": 99}, {"interface": "ens3f0", "mode": "switchdev"}, {"interface": "ens9"}],
                check=False, machine=machine)
    assert [problem.path for problem in refused.value.problems] == ["nics[2].interface", "nics[0].vfs", "nics[1].mode"]


@pytest.mark.parametrize(("entry", "path"), [
    ({"interface": "a b"}, "nics[0].interface"),
    ({}, "nics[0].interface"),
    ({"interface": "ens1f0", "vfs": -1}, "nics[0].vfs"),
    ({"interface": "ens1f0", "vfs": True}, "nics[0].vfs"),
    ({"interface": "ens1f0", "mode": "switch"}, "nics[0].mode"),
    ({"interface": "ens1f0", "inline_mode": "l2"}, "nics[0].inline_mode"),
    ({"interface": "ens1f0", "encap_mode": True}, "nics[0].encap_mode"),
    ({"interface": "ens1f0", "tc_offload": "on"}, "nics[0].tc_offload"),
    ({"interface": "ens1f0", "representors": "rep"}, "nics[0].representors"),
    ({"interface": "ens1f0", "vfs": 128, "representors": "enp101s0f0np0r{vf}"}, "nics[0].representors"),
    ({"interface": "ens1f0", "vf": 1}, "nics[0].vf"),
    ("ens1f0", "nics[0]"),
])
def test_what_is_no_sense_is_refused_with_its_path(tmp_path: Path, entry: Any, path: str) -> None:
    with pytest.raises(InputError) as refused:
        present([entry], check=False, machine=Recorded(tmp_path, CONNECTX_5))
    assert [problem.path for problem in refused.value.problems] == [path]


def test_a_nic_twice_and_a_vf_are_refused(tmp_path: Path) -> None:
    machine = Recorded(tmp_path, CONNECTX_5)
    with pytest.raises(InputError, match="names ens1f0 more than once"):
        present([{"interface": "ens1f0"}] * 2, check=False, machine=machine)
    present([{"interface": "ens1f0", "vfs": 1}], check=False, machine=machine)
    with pytest.raises(InputError, match="is a virtual function"):
        present([{"interface": "ens1f0v0", "vfs": 1}], check=False, machine=machine)


def test_profiles_say_which_order_a_kind_of_nic_wants() -> None:
    assert {profile_of(*key, "").order for key in PROFILES if key[0] == "15b3"} == {VFS_FIRST}
    assert {profile_of("8086", device, "ice").order for device in ("1591", "1592", "1593", "1599", "159a", "159b", "ffff")} == {MODE_FIRST}
    assert profile_of("15b3", "1021", "mlx5_core").name == "ConnectX-7"
    assert profile_of("15b3", "ffff", "mlx5_core").name == "generic mlx5"
    assert profile_of("1da8", "0000", "ionic") == GENERIC._replace(driver="ionic")
    assert not VIRTUAL_FUNCTIONS & set(PROFILES)
