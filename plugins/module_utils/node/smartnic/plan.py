# SPDX-License-Identifier: Apache-2.0
"""The steps from a NIC as it is to one as it is to be, in the order that its kind wants. No I/O."""
from __future__ import annotations

from typing import List, NamedTuple

from .model import Nic, Pair
from .profiles import MODE_FIRST

SET_VFS = "set_vfs"
SET_UP = "set_up"
UNBIND = "unbind"
SET_ESWITCH = "set_eswitch"
BIND = "bind"
TC_OFFLOAD = "tc_offload"
RENAME = "rename"


class Step(NamedTuple):
    """One step of one NIC; what it means for each VF is found when it is taken, because VFs come and go between steps."""

    kind: str
    nic: str
    """The NIC's address on its bus: its name may change with the mode."""
    value: str = ""
    words: str = ""
    """As a line that a person would type, or says in words where it is one for each VF."""


def changes_count(one: Pair) -> bool:
    return one.wanted.vfs is not None and one.wanted.vfs != one.nic.vf_count


def changes_mode(one: Pair) -> bool:
    """Whether anything of the eswitch is to be another."""
    return bool(_eswitch_settings(one))


def _eswitch_settings(one: Pair) -> List[str]:
    """What `devlink dev eswitch set` has to be told."""
    have, want = one.nic.eswitch, one.wanted
    if have is None:
        return []
    settings = []
    for name, value, now in (("inline-mode", want.inline_mode, have.inline_mode), ("encap-mode", want.encap_mode, have.encap_mode),
                             ("mode", want.mode, have.mode)):
        if value is not None and value != now:
            settings += [name, value]
    return settings


def steps(one: Pair) -> List[Step]:
    """What is to be done with one NIC; nothing if it is as wanted.

    The number of VFs goes to 0 before it becomes another (Documentation/ABI/testing/sysfs-bus-pci, sriov_numvfs: a driver answers EBUSY
    otherwise). Inline and encap modes are set while there are no VFs: mlx5 refuses the first, and the second makes its tables anew.
    """
    nic, want = one.nic, one.wanted
    count = nic.vf_count if want.vfs is None else want.vfs
    settings = _eswitch_settings(one)
    early = settings if one.profile.order == MODE_FIRST else [item for item in settings if item not in ("mode", want.mode)]
    late = [] if one.profile.order == MODE_FIRST else [item for item in settings if item not in early]
    remade = nic.vf_count != count or (bool(early) and nic.vf_count > 0)
    found: List[Step] = []
    if remade and nic.vf_count:
        found.append(_set_vfs(nic, 0))
    if early:
        found.append(_set_eswitch(nic, early))
    if remade and count:
        found.append(_set_vfs(nic, count))
    if count and not nic.up and (late or remade):
        found.append(Step(SET_UP, nic.address, words=f"ip link set {nic.interface} up"))
    if late and count:
        found.append(Step(UNBIND, nic.address, words=f"unbind the {count} VFs of {nic.interface} from their driver"))
    if late:
        found.append(_set_eswitch(nic, late))
    found += _offload(one, settings != [] or remade)
    # Also without a change of mode: a run that died between the two left them unbound.
    if (late and count) or any(not vf.driver for vf in nic.vfs):
        found.append(Step(BIND, nic.address, one.profile.vf_driver, words=f"bind the VFs of {nic.interface} to their driver again"))
    return found + _names(one, remade or settings != [])


def _set_vfs(nic: Nic, count: int) -> Step:
    return Step(SET_VFS, nic.address, str(count), f"echo {count} > /sys/bus/{nic.bus}/devices/{nic.address}/sriov_numvfs")


def _set_eswitch(nic: Nic, settings: List[str]) -> Step:
    value = " ".join(settings)
    return Step(SET_ESWITCH, nic.address, value, f"devlink dev eswitch set {nic.handle} {value}")


def _offload(one: Pair, renewed: bool) -> List[Step]:
    """hw-tc-offload of the NIC and of its representors, some of which may be new."""
    nic, want = one.nic, one.wanted.tc_offload
    if want is None:
        return []
    word = "on" if want else "off"
    differs = nic.tc_offload not in (None, want) or any(end.tc_offload not in (None, want) for end in nic.representors)
    # A driver that makes the interface anew with the mode forgets it.
    if not differs and not renewed:
        return []
    return [Step(TC_OFFLOAD, nic.address, word, f"ethtool -K {nic.interface} hw-tc-offload {word} (and its representors)")]


def _names(one: Pair, renewed: bool) -> List[Step]:
    """Representors that are there already are renamed here; those that come are named by udev, but not everywhere is udev."""
    if not one.wanted.representors:
        return []
    # A representor whose VF a pod has carries the name of the pod's interface.
    used = {vf.number for vf in one.nic.vfs if vf.is_in_use}
    wrong = [end for end in one.nic.representors if end.vf not in used and end.netdev != one.wanted.representor_name(end.vf)]
    if not wrong and not (renewed and one.wanted.mode == "switchdev"):
        return []
    pattern = one.wanted.representors
    return [Step(RENAME, one.nic.address, pattern, f"name the representors of {one.nic.interface} {pattern}")]
