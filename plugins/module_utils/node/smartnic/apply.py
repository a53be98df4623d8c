# SPDX-License-Identifier: Apache-2.0
"""Takes the steps of a plan; each finds the VFs and representors that there are by then."""
from __future__ import annotations

import time
from typing import Iterable, List

from ...errors import SluiceError
from .machine import Machine
from .model import Nic, Representor
from .plan import BIND, RENAME, SET_ESWITCH, SET_UP, SET_VFS, TC_OFFLOAD, UNBIND, Step
from .read import read

_APPEAR_SECONDS = 15.0
"""What a driver may take to make interfaces after it answered; firmware of a ConnectX takes it seconds for many VFs."""
_POLL_SECONDS = 0.1


def apply(machine: Machine, steps: Iterable[Step]) -> None:
    """Raises SluiceError, which names the step that failed; the steps before it stay taken, so that another run goes on from there."""
    for step in steps:
        nic = _nic(machine, step.nic)
        if step.kind == SET_VFS:
            machine.write(f"{_bus(nic)}/devices/{nic.address}/sriov_numvfs", step.value)
        elif step.kind == SET_UP:
            machine.run("ip", "link", "set", "dev", nic.interface, "up")
        elif step.kind == UNBIND:
            for vf in nic.vfs:
                if vf.driver:
                    machine.write(f"{_bus(nic)}/drivers/{vf.driver}/unbind", vf.address)
        elif step.kind == SET_ESWITCH:
            machine.run("devlink", "dev", "eswitch", "set", nic.handle, *step.value.split())
        elif step.kind == BIND:
            for vf in nic.vfs:
                if not vf.driver:
                    # Without a driver's name the kernel looks for one (Documentation/ABI/testing/sysfs-bus-pci, drivers_probe).
                    machine.write(f"{_bus(nic)}/drivers/{step.value}/bind" if step.value else f"{_bus(nic)}/drivers_probe", vf.address)
        elif step.kind == TC_OFFLOAD:
            _tc_offload(machine, nic, step.value)
        elif step.kind == RENAME:
            _rename(machine, nic, step.value)


def _bus(nic: Nic) -> str:
    return f"/sys/bus/{nic.bus}"


def _nic(machine: Machine, address: str) -> Nic:
    """The NIC by its address. Its interface may be away for a moment after a change of mode. Raises SluiceError."""
    end = time.monotonic() + _APPEAR_SECONDS
    while True:
        nic = read(machine, [address])[address]
        if nic is not None:
            return nic
        if time.monotonic() > end:
            raise SluiceError(f"the NIC {address} has had no interface for {_APPEAR_SECONDS:.0f} s; `dmesg` may say why")
        time.sleep(_POLL_SECONDS)


def _tc_offload(machine: Machine, nic: Nic, word: str) -> None:
    """udev may give a representor its name between the look at it and the command: then it is looked for again."""
    want = word == "on"
    end = time.monotonic() + _APPEAR_SECONDS
    while True:
        states = {nic.interface: nic.tc_offload, **{one.netdev: one.tc_offload for one in nic.representors}}
        try:
            for name in (name for name, state in states.items() if state not in (None, want)):
                machine.run("ethtool", "-K", name, "hw-tc-offload", word)
            return
        except SluiceError:
            nic = _nic(machine, nic.address)
            if states.keys() == {nic.interface, *(one.netdev for one in nic.representors)} or time.monotonic() > end:
                raise


def _rename(machine: Machine, nic: Nic, pattern: str) -> None:
    """Representors appear one by one; udev may be at work on the same names, which then are right."""
    used = {vf.number for vf in nic.vfs if vf.is_in_use}
    for end in _all_representors(machine, nic):
        name = pattern.replace("{vf}", str(end.vf))
        if end.netdev == name or end.vf in used:
            continue
        try:
            machine.run("ip", "link", "set", "dev", end.netdev, "down")
            machine.run("ip", "link", "set", "dev", end.netdev, "name", name)
        except SluiceError:
            now = {one.vf: one.netdev for one in _nic(machine, nic.address).representors}
            if now.get(end.vf) != name:
                raise


def _all_representors(machine: Machine, nic: Nic) -> List[Representor]:
    """Those of all VFs, waiting for the last; as many as there are after a time, which the read-back then tells."""
    end = time.monotonic() + _APPEAR_SECONDS
    while nic.eswitch and nic.eswitch.mode == "switchdev" and len(nic.representors) < nic.vf_count and time.monotonic() < end:
        time.sleep(_POLL_SECONDS)
        nic = _nic(machine, nic.address)
    return list(nic.representors)
