# SPDX-License-Identifier: Apache-2.0
"""The veth pair of a pod: one end on the host, for the bridge, the other in the container's network namespace, addressed."""
from __future__ import annotations

import array
import errno
import fcntl
import os
import socket
import struct
from contextlib import suppress
from typing import NamedTuple, Sequence

from ..netns import inside
from .netlink import IFF_UP, Netlink

_SIOCETHTOOL, _ETHTOOL_STXCSUM = 0x8946, 0x17


class PodLink(NamedTuple):
    """What a pod's interface is to be."""

    interface: str
    """The host's end."""
    ifname: str
    """The container's end."""
    mac: str
    mtu: int
    addresses: Sequence[str]
    """With the node CIDR's prefix length."""
    gateways: Sequence[str]
    tx_checksum: bool
    """False for the userspace datapath, which reads packets by AF_PACKET, where a checksum left to the device is missing."""


class Netns:
    """A network namespace by the path of its file, held open as a context manager. Raises OSError if there is none."""

    def __init__(self, path: str) -> None:
        self.descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)

    def __enter__(self) -> int:
        return self.descriptor

    def __exit__(self, *_: object) -> None:
        os.close(self.descriptor)

    @property
    def is_own(self) -> bool:
        own, other = os.stat("/proc/self/ns/net"), os.fstat(self.descriptor)
        return (own.st_dev, own.st_ino) == (other.st_dev, other.st_ino)


def exists(interface: str) -> bool:
    """Whether the host has it. A veth's ends die with either's namespace, so this also tells whether the pod still lives."""
    try:
        socket.if_nametoindex(interface)
    except OSError:
        return False
    return True


def create(link: PodLink, netns: int) -> None:
    """Make the pair, both ends down. Raises OSError: EEXIST if either name is taken."""
    netlink = Netlink()
    try:
        netlink.add_veth(link.interface, link.ifname, link.mac, link.mtu, netns)
    finally:
        netlink.close()


def configure(link: PodLink, netns: int) -> str:
    """Address both ends and raise them; gives the host end's MAC. Raises OSError."""
    host = Netlink()
    try:
        # The host's end is a port of the bridge and nothing else: no address, no router solicitation to the pod.
        _sysctl(f"net/ipv6/conf/{link.interface}/disable_ipv6", "1")
        if not link.tx_checksum:
            _tx_checksum_off(link.interface)
        host.set_flags(link.interface, IFF_UP)
        with inside(netns):
            _configure_pod_end(link)
        return host.link(link.interface).mac
    finally:
        host.close()


def delete(interface: str) -> None:
    """Remove the host's end, and the container's with it; nothing if there is none."""
    netlink = Netlink()
    try:
        netlink.delete_link(interface)
    except OSError as error:
        if error.errno != errno.ENODEV:
            raise
    finally:
        netlink.close()


def differences(link: PodLink, netns: int) -> list[str]:
    """In words, what of a pod's interface is not as :func:`configure` left it; empty if all is."""
    with inside(netns):
        netlink = Netlink()
    try:
        try:
            found = netlink.link(link.ifname)
        except OSError:
            return [f"the container has no interface {link.ifname}"]
        addresses = {address.address for address in netlink.addresses() if address.ifindex == found.ifindex}
        routes = [route for route in netlink.routes() if route.ifindex == found.ifindex]
        gateways = {route.gateway for route in routes if route.destination in ("0.0.0.0/0", "::/0")}
    finally:
        netlink.close()
    wrong = [] if exists(link.interface) else [f"the host has no interface {link.interface}"]
    wrong += [] if found.up else [f"{link.ifname} is down"]
    wrong += [] if found.mac == link.mac else [f"{link.ifname} has MAC {found.mac} instead of {link.mac}"]
    wrong += [] if found.mtu == link.mtu else [f"{link.ifname} has MTU {found.mtu} instead of {link.mtu}"]
    wrong += [f"{link.ifname} lacks the address {address}" for address in link.addresses if address not in addresses]
    wrong += [f"{link.ifname} lacks the default route via {gateway}" for gateway in link.gateways if gateway not in gateways]
    return wrong


def _configure_pod_end(link: PodLink) -> None:
    """To be called inside the container's namespace."""
    netlink = Netlink()
    try:
        if any(":" in address for address in link.addresses):
            # Some runtimes turn IPv6 off in new namespaces.
            _sysctl(f"net/ipv6/conf/{link.ifname}/disable_ipv6", "0")
        _sysctl(f"net/ipv6/conf/{link.ifname}/accept_ra", "0")
        if not link.tx_checksum:
            _tx_checksum_off(link.ifname)
        # containerd's ctr runs no loopback plugin.
        netlink.set_flags("lo", IFF_UP)
        netlink.set_flags(link.ifname, IFF_UP)
        index = netlink.link(link.ifname).ifindex
        for address in link.addresses:
            netlink.add_address(index, address)
        for gateway in link.gateways:
            netlink.add_default_route(index, gateway)
    finally:
        netlink.close()


def _sysctl(path: str, value: str) -> None:
    # A kernel without IPv6 has nothing to set there.
    with suppress(FileNotFoundError), open(f"/proc/sys/{path}", "w", encoding="ascii") as file:
        file.write(value)


def _tx_checksum_off(interface: str) -> None:
    """`ethtool -K <interface> tx off`, in the namespace of the caller."""
    value = array.array("I", [_ETHTOOL_STXCSUM, 0])
    request = struct.pack("16sP", interface.encode(), value.buffer_info()[0]).ljust(40, b"\0")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        fcntl.ioctl(control.fileno(), _SIOCETHTOOL, request)
