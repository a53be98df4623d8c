# SPDX-License-Identifier: Apache-2.0
"""A NIC's state, from sysfs, `devlink -j` and `ethtool -k`."""
from __future__ import annotations

import json
from pathlib import Path
from typing import Dict, Iterable, List, Optional

from . import sysfs
from .machine import Machine
from .model import Eswitch, Nic, Representor, Vf
from .profiles import profile_of

_IFF_UP = 0x1


def read(machine: Machine, names: Iterable[str]) -> Dict[str, Optional[Nic]]:
    """The NICs with these names or addresses; None for one that the host has not."""
    return {name: _read(machine, name) for name in names}


def all_names(machine: Machine) -> List[str]:
    """Interfaces of physical functions: those with a device that has SR-IOV or an eswitch, and that represent nothing."""
    root = str(machine.root)
    found = []
    for name in sysfs.names(f"{root}/sys/class/net"):
        device = sysfs.device_of(root, name)
        if device and sysfs.vf_of(root, name) is None and Path(device, "sriov_numvfs").exists():
            found.append(name)
    return found


def facts(root: str = "/") -> Dict[str, Dict[str, str]]:
    """By interface, what pools of VFs select by, of every NIC that has SR-IOV: the VFs' numbers and driver, whether or not there are any."""
    found = {}
    for name in sysfs.names(f"{root}/sys/class/net"):
        device = sysfs.device_of(root, name)
        # In hexadecimal without 0x (Documentation/ABI/testing/sysfs-bus-pci, sriov_vf_device).
        vf_device = sysfs.text(f"{device}/sriov_vf_device") if device else ""
        if vf_device and sysfs.vf_of(root, name) is None:
            vendor, driver = _hex(device, "vendor"), sysfs.link_name(f"{device}/driver")
            profile = profile_of(vendor, _hex(device, "device"), driver)
            found[name] = {"interface": name, "address": Path(device).name, "vendor": vendor, "vf_device": vf_device.rjust(4, "0"),
                           "vf_driver": profile.vf_driver}
    return found


def _read(machine: Machine, name: str) -> Optional[Nic]:
    root = str(machine.root)
    device = sysfs.device_of(root, name) or _by_address(root, name)
    if not device:
        return None
    interface = sysfs.uplink(root, device) or (name if sysfs.device_of(root, name) else "")
    if not interface:
        return None
    bus, address = sysfs.link_name(f"{device}/subsystem") or "pci", Path(device).name
    vfs = tuple(_vf(root, index, path) for index, path in sysfs.virtual_functions(device).items())
    count = sysfs.number(f"{device}/sriov_numvfs")
    return Nic(
        interface=interface, bus=bus, address=address, vendor=_hex(device, "vendor"), device=_hex(device, "device"),
        driver=sysfs.link_name(f"{device}/driver"), total_vfs=sysfs.number(f"{device}/sriov_totalvfs"),
        has_vfs=count is not None, vfs=vfs, vf_count=count or 0, eswitch=_eswitch(machine, f"{bus}/{address}"),
        switch_id=sysfs.switch_id(root, interface),
        representors=tuple(Representor(end.netdev, end.vf, tc_offload(machine, end.netdev)) for end in sysfs.representors(root, device)),
        up=_is_up(root, interface), tc_offload=tc_offload(machine, interface), addresses=_addresses(machine, interface))


def _by_address(root: str, address: str) -> str:
    """The device's path; addresses of different buses do not look alike."""
    found = sorted(Path(root, "sys/bus").glob(f"*/devices/{address}")) if "/" not in address else []
    return str(found[0].resolve()) if found else ""


def _hex(device: str, name: str) -> str:
    """Without 0x, as lspci and the SR-IOV device plugin write it."""
    return sysfs.text(f"{device}/{name}").lower().replace("0x", "", 1)


def _vf(root: str, index: int, path: str) -> Vf:
    own = sysfs.netdevs(root, path)
    return Vf(index, Path(path).name, sysfs.link_name(f"{path}/driver"), own[0] if own else "")


def _is_up(root: str, interface: str) -> bool:
    flags = sysfs.text(f"{root}/sys/class/net/{interface}/flags")
    return bool(int(flags or "0", 16) & _IFF_UP)


def _eswitch(machine: Machine, handle: str) -> Optional[Eswitch]:
    """None where devlink does not know the device, or its driver has no eswitch."""
    answer = machine.query("devlink", "-j", "dev", "eswitch", "show", handle)
    try:
        told = json.loads(answer or "{}").get("dev", {}).get(handle)
    except ValueError:
        return None
    if not isinstance(told, dict) or "mode" not in told:
        return None
    # encap-mode was "encap" with the value enable or disable in iproute2 before 5.3.
    encap = str(told.get("encap-mode", {"enable": "basic", "disable": "none"}.get(str(told.get("encap", "")), "")))
    return Eswitch(str(told["mode"]), str(told.get("inline-mode", "")), encap)


def tc_offload(machine: Machine, interface: str) -> Optional[bool]:
    """Whether hw-tc-offload is on; None if it is fixed or not known."""
    for line in (machine.query("ethtool", "-k", interface) or "").splitlines():
        name, _colon, value = line.strip().partition(": ")
        if name == "hw-tc-offload":
            # [requested on]: it will be, once something else is; it is not.
            return None if "[fixed]" in value and not value.startswith("on") else value.startswith("on")
    return None


def _addresses(machine: Machine, interface: str) -> tuple[str, ...]:
    """Global addresses, which a driver that makes the interface anew would lose."""
    answer = machine.query("ip", "-json", "addr", "show", "dev", interface)
    try:
        links = json.loads(answer or "[]")
    except ValueError:
        return ()
    return tuple(f"{one['local']}/{one['prefixlen']}" for link in links for one in link.get("addr_info", ()) if one.get("scope") == "global")
