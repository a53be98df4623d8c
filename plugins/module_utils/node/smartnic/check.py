# SPDX-License-Identifier: Apache-2.0
"""What a NIC can do of what it is to be: everything that it cannot is found before anything is touched. No I/O."""
from __future__ import annotations

from typing import Iterable, List, Mapping, Optional, Sequence, Tuple

from ...errors import InputError, Problem
from .model import Nic, Pair, Wanted
from .plan import changes_count, changes_mode
from .profiles import VIRTUAL_FUNCTIONS, profile_of


def pair(wanted: Sequence[Wanted], nics: Mapping[str, Optional[Nic]]) -> List[Pair]:
    """Each wanted NIC with the one that there is (``nics`` by the names in ``wanted``).

    Raises InputError with everything that a NIC cannot do, of all of them.
    """
    problems: List[Problem] = []
    pairs = []
    for number, want in enumerate(wanted):
        nic = nics.get(want.interface)
        path = f"nics[{number}]"
        if nic is None:
            problems.append(Problem("config", "", f"{path}.interface", f"this host has no NIC {want.interface}", "the name or PCI address of one"))
            continue
        one = Pair(nic, want, profile_of(nic.vendor, nic.device, nic.driver))
        problems += [Problem("config", f"{nic.interface} ({one.profile.name})", f"{path}.{key}", message, expected)
                     for key, message, expected in _impossible(one)]
        pairs.append(one)
    if problems:
        raise InputError(problems)
    return pairs


def _impossible(one: Pair) -> Iterable[Tuple[str, str, str]]:
    nic, want, profile = one
    if (nic.vendor, nic.device) in VIRTUAL_FUNCTIONS:
        yield "interface", "is a virtual function", "its physical function"
        return
    if want.vfs:
        if not nic.has_vfs:
            yield "vfs", "the NIC shows no SR-IOV", "0, or SR-IOV enabled in the NIC's firmware and in the BIOS"
        elif nic.total_vfs is not None and want.vfs > nic.total_vfs:
            yield ("vfs", f"is {want.vfs}, but the NIC has at most {nic.total_vfs}",
                   f"at most {nic.total_vfs}, or more of them enabled in the NIC's firmware")
    if want.mode == "switchdev":
        if profile.refused:
            yield "mode", f"is switchdev, but {profile.refused}", "legacy"
        elif nic.eswitch is None:
            yield "mode", f"is switchdev, but devlink knows no eswitch of {nic.handle} (driver {nic.driver or 'none'})", \
                "legacy, or SR-IOV enabled in the NIC's firmware and a kernel whose driver has switchdev"
    for key, value, modes, told in (
            ("inline_mode", want.inline_mode, profile.inline_modes, nic.eswitch.inline_mode if nic.eswitch else ""),
            ("encap_mode", want.encap_mode, profile.encap_modes, nic.eswitch.encap_mode if nic.eswitch else "")):
        if value is not None and value != told:
            if not modes or not told:
                yield key, "the NIC has no such setting", f"no {key}"
            elif value not in modes:
                yield key, f"is {value!r}, which the NIC does not take", f"one of {', '.join(modes)}"
    if want.tc_offload and nic.tc_offload is None:
        yield "tc_offload", "the NIC cannot offload tc (hw-tc-offload is fixed or missing)", "false, or none"
    # What a pod or a virtual machine has must not be pulled away under it.
    if changes_count(one) or changes_mode(one):
        used = [vf for vf in nic.vfs if vf.is_in_use]
        if used:
            what = ", ".join(f"{vf.number} ({vf.address}, {vf.driver})" for vf in used)
            yield "vfs" if want.vfs is not None and want.vfs != nic.vf_count else "mode", \
                f"would take away VFs that pods or virtual machines use: {what}", "these stopped first"
