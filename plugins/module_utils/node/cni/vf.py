# SPDX-License-Identifier: Apache-2.0
"""A pod's interface that is a virtual function (VF) of a NIC, with its representor for a port of the bridge, instead of a veth pair."""
from __future__ import annotations

import os
from contextlib import suppress
from typing import NamedTuple

from ..netns import inside
from ..smartnic import sysfs
from .attachment import Attachment
from .links import Netns, PodLink, exists
from .netlink import Netlink
from .request import IO_FAILURE, CniError

ROOT = "/"
"""Where sys is."""


class Device(NamedTuple):
    """A VF that is free for a pod."""

    address: str
    """On the PCI bus."""
    netdev: str
    representor: str


def address_of(interface: str, number: int) -> str:
    """The PCI address of a VF by its NIC's interface and its number. Raises CniError."""
    device = sysfs.device_of(ROOT, interface)
    found = sysfs.virtual_functions(device) if device else {}
    if number not in found:
        raise CniError(IO_FAILURE, f"{interface} has no VF {number}, which the inventory gives this pod; run the site playbook, and see "
                                   "`systemctl status sluice-smartnic`")
    return os.path.basename(found[number])


def find(address: str) -> Device:
    """The VF with its interface and its representor. Raises CniError if it is none, is in use, or has no representor."""
    path = os.path.realpath(os.path.join(ROOT, "sys/bus/pci/devices", address))
    physical = os.path.realpath(os.path.join(path, "physfn"))
    if not os.path.isdir(path):
        raise CniError(IO_FAILURE, f"this node has no device {address}")
    number = next((number for number, vf in sysfs.virtual_functions(physical).items() if vf == path), None)
    if number is None:
        raise CniError(IO_FAILURE, f"{address} is not a virtual function of a NIC")
    netdev = _netdev(address)
    if not netdev:
        raise CniError(IO_FAILURE, f"{address} has no interface in the host's network namespace: another pod has it, or it is not bound to "
                                   "its driver")
    representor = next((end.netdev for end in sysfs.representors(ROOT, physical) if end.vf == number), "")
    if not representor:
        raise CniError(IO_FAILURE, f"{address} (VF {number}) has no representor; put its NIC into switchdev mode (role smartnic)")
    return Device(address, netdev, representor)


def remembering(attachment: Attachment, device: Device) -> Attachment:
    """The attachment with what is needed to give the VF back as it was."""
    netlink = Netlink()
    try:
        link = netlink.link(device.netdev)
    finally:
        netlink.close()
    return attachment._replace(device=device.address, vf=device.netdev, vf_mac=link.mac, vf_mtu=link.mtu, representor=device.representor)


def give(attachment: Attachment, link: PodLink, netns: int) -> None:
    """Moves the VF into the pod's namespace under the pod's name, and gives its representor the port's. Raises OSError."""
    netlink = Netlink()
    try:
        # A link that is up is not renamed before Linux 6.2.
        netlink.change(attachment.representor, up=False)
        netlink.change(attachment.representor, name=link.interface, mtu=link.mtu)
        netlink.change(attachment.vf, up=False)
        netlink.change(attachment.vf, mac=link.mac, mtu=link.mtu)
        netlink.change(attachment.vf, name=link.ifname, netns=netns)
    finally:
        netlink.close()


def take_back(attachment: Attachment) -> None:
    """The VF and its representor under their own names on the host, whatever of :func:`give` was done. Raises OSError."""
    if not _netdev(attachment.device):
        # Without its namespace the kernel has given the VF back already.
        with suppress(FileNotFoundError), Netns(attachment.netns) as netns:
            _move_out(attachment, netns)
    netlink = Netlink()
    try:
        name = _netdev(attachment.device)
        if name:
            netlink.change(name, up=False)
            netlink.change(name, name=attachment.vf, mac=attachment.vf_mac, mtu=attachment.vf_mtu)
        if exists(attachment.interface):
            netlink.change(attachment.interface, up=False)
            netlink.change(attachment.interface, name=attachment.representor)
    finally:
        netlink.close()


def is_given(attachment: Attachment) -> bool:
    """Whether a pod still has it: when a pod's namespace ends, the kernel puts the VF into the host's."""
    return not _netdev(attachment.device)


def _move_out(attachment: Attachment, netns: int) -> None:
    own = os.open("/proc/self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    try:
        with inside(netns):
            netlink = Netlink()
        try:
            netlink.change(attachment.ifname, up=False)
            netlink.change(attachment.ifname, name=attachment.vf, netns=own)
        finally:
            netlink.close()
    finally:
        os.close(own)


def _netdev(address: str) -> str:
    """The VF's interface in the host's network namespace, whatever it is called; empty if it is not there."""
    found = sysfs.netdevs(ROOT, os.path.realpath(os.path.join(ROOT, "sys/bus/pci/devices", address)))
    return found[0] if found else ""
