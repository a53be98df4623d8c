# SPDX-License-Identifier: Apache-2.0
"""What sysfs says of network devices (Documentation/ABI/testing/sysfs-class-net, sysfs-bus-pci), below a root.

Read on the path of the CNI plugin, so it imports next to nothing.
"""
from __future__ import annotations

import os
import re
from typing import Dict, List, NamedTuple, Optional, Tuple

# Linux names a VF's end "pf<number of the PF>vf<number>", with "c<number>" before it on a DPU's own cores
# (Documentation/networking/devlink/devlink-port.rst; net/core/devlink.c, __devlink_port_phys_port_name_get).
_VF_PORT = re.compile(r"(?:c\d+)?pf\d+vf(\d+)")


class End(NamedTuple):
    """An interface that represents a VF."""

    netdev: str
    vf: int


def text(path: str) -> str:
    """A file's line; empty if there is none or the driver does not answer (EOPNOTSUPP)."""
    try:
        with open(path, encoding="ascii", errors="replace") as file:
            return file.read().strip()
    except OSError:
        return ""


def number(path: str) -> Optional[int]:
    found = text(path)
    return int(found) if found.isdigit() else None


def link_name(path: str) -> str:
    """The last part of where a symbolic link leads; empty if there is none."""
    try:
        return os.path.basename(os.readlink(path))
    except OSError:
        return ""


def names(path: str) -> List[str]:
    try:
        return sorted(os.listdir(path))
    except OSError:
        return []


def device_of(root: str, interface: str) -> str:
    """The path of the device behind an interface; empty for one without (a bridge, a veth)."""
    path = os.path.join(root, "sys/class/net", interface, "device")
    return os.path.realpath(path) if os.path.exists(path) else ""


def virtual_functions(device: str) -> Dict[int, str]:
    """Index to path of each VF that the device shows."""
    found = {}
    for name in names(device):
        index = name[len("virtfn"):]
        if name.startswith("virtfn") and index.isdigit():
            found[int(index)] = os.path.realpath(os.path.join(device, name))
    return dict(sorted(found.items()))


def netdevs(root: str, device: str) -> List[str]:
    """The interfaces of a device in the network namespace of sysfs, its representors among them."""
    found = names(os.path.join(device, "net"))
    if found:
        return found
    # Of a device on another bus than PCI, they are below it by their own links only.
    return [name for name in names(os.path.join(root, "sys/class/net")) if device and device_of(root, name) == device]


def switch_id(root: str, interface: str) -> str:
    return text(os.path.join(root, "sys/class/net", interface, "phys_switch_id"))


def vf_of(root: str, interface: str) -> Optional[int]:
    """The number of the VF that the interface represents; None if it represents none."""
    found = _VF_PORT.fullmatch(text(os.path.join(root, "sys/class/net", interface, "phys_port_name")))
    return int(found.group(1)) if found else None


def uplink(root: str, device: str) -> str:
    """The interface of the physical function itself."""
    own = [name for name in netdevs(root, device) if vf_of(root, name) is None]
    return own[0] if own else ""


def representors(root: str, device: str) -> List[End]:
    """Of all VFs of the device, by their index.

    They have the device for a parent, as the PF's interface has; so PFs that share one switch id are not mixed up.
    """
    found: List[Tuple[int, str]] = []
    for name in netdevs(root, device):
        vf = vf_of(root, name)
        if vf is not None and switch_id(root, name):
            found.append((vf, name))
    return [End(name, vf) for vf, name in sorted(found)]
