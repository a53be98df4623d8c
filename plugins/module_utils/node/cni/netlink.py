# SPDX-License-Identifier: Apache-2.0
"""As much of rtnetlink (RFC 3549, rtnetlink(7)) as a pod's interface needs: links, addresses, routes.

Starting `ip` costs more than all the rest of a CNI ADD, and its answers would have to be parsed as well.
"""
from __future__ import annotations

import os
import socket
import struct
from typing import Iterator, NamedTuple, Optional

_NLMSG_ERROR, _NLMSG_DONE = 2, 3
_RTM_NEWLINK, _RTM_DELLINK, _RTM_GETLINK = 16, 17, 18
_RTM_NEWADDR, _RTM_GETADDR = 20, 22
_RTM_NEWROUTE, _RTM_GETROUTE = 24, 26
_NLM_F_REQUEST, _NLM_F_ACK, _NLM_F_DUMP, _NLM_F_EXCL, _NLM_F_CREATE = 0x1, 0x4, 0x300, 0x200, 0x400

_IFLA_ADDRESS, _IFLA_IFNAME, _IFLA_MTU, _IFLA_LINKINFO, _IFLA_NET_NS_FD = 1, 3, 4, 18, 28
_IFLA_INFO_KIND, _IFLA_INFO_DATA, _VETH_INFO_PEER = 1, 2, 1
_IFA_ADDRESS, _IFA_LOCAL, _IFA_FLAGS, _IFA_F_NODAD = 1, 2, 8, 0x02
_RTA_DST, _RTA_OIF, _RTA_GATEWAY = 1, 4, 5
_RT_TABLE_MAIN, _RTPROT_STATIC, _RT_SCOPE_UNIVERSE, _RTN_UNICAST = 254, 4, 0, 1

IFF_UP = 0x1

_HEADER = struct.Struct("=IHHII")
_IFINFO = struct.Struct("=BxHiII")
_IFADDR = struct.Struct("=BBBBI")
_RTMSG = struct.Struct("=BBBBBBBBI")


class Link(NamedTuple):
    ifindex: int
    name: str
    mac: str
    mtu: int
    up: bool


class Address(NamedTuple):
    ifindex: int
    """Of the link that has it."""
    address: str
    """With prefix length."""


class Route(NamedTuple):
    ifindex: int
    """Of the link it leads over."""
    destination: str
    """With prefix length; 0.0.0.0/0 and ::/0 are the default routes."""
    gateway: str


def _align(length: int) -> int:
    return (length + 3) & ~3


def _attribute(kind: int, value: bytes) -> bytes:
    length = 4 + len(value)
    return struct.pack("=HH", length, kind) + value + b"\0" * (_align(length) - length)


def _text(kind: int, value: str) -> bytes:
    return _attribute(kind, value.encode() + b"\0")


def _number(kind: int, value: int) -> bytes:
    return _attribute(kind, struct.pack("=I", value))


def _attributes(data: bytes) -> dict[int, bytes]:
    found = {}
    while len(data) >= 4:
        length, kind = struct.unpack_from("=HH", data)
        found[kind & 0x3fff] = data[4:length]
        data = data[_align(length):]
    return found


def _family(address: str) -> int:
    return socket.AF_INET6 if ":" in address else socket.AF_INET


class Netlink:
    """An rtnetlink socket; it speaks about the network namespace in which it was opened, for good.

    Every method raises OSError with the kernel's errno.
    """

    def __init__(self) -> None:
        self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, socket.NETLINK_ROUTE)
        self._socket.bind((0, 0))
        self._sequence = 0

    def close(self) -> None:
        self._socket.close()

    def _request(self, kind: int, flags: int, body: bytes) -> Iterator[tuple[int, bytes]]:
        self._sequence += 1
        self._socket.send(_HEADER.pack(_HEADER.size + len(body), kind, flags | _NLM_F_REQUEST, self._sequence, 0) + body)
        while True:
            data = self._socket.recv(1 << 16)
            while len(data) >= _HEADER.size:
                length, answer, _flags, sequence, _port = _HEADER.unpack_from(data)
                payload, data = data[_HEADER.size:length], data[_align(length):]
                if sequence != self._sequence:
                    continue
                if answer == _NLMSG_ERROR:
                    code = -struct.unpack_from("=i", payload)[0]
                    if code:
                        raise OSError(code, os.strerror(code))
                    return
                if answer == _NLMSG_DONE:
                    return
                yield answer, payload

    def _do(self, kind: int, flags: int, body: bytes) -> None:
        for _reply in self._request(kind, flags | _NLM_F_ACK, body):
            pass

    def add_veth(self, name: str, peer: str, peer_mac: str, mtu: int, peer_netns: int) -> None:
        """Make a veth pair, one end here and the other in the namespace of descriptor ``peer_netns``, both down."""
        peer_end = (_IFINFO.pack(0, 0, 0, 0, 0) + _text(_IFLA_IFNAME, peer) + _number(_IFLA_MTU, mtu)
                    + _attribute(_IFLA_ADDRESS, bytes.fromhex(peer_mac.replace(":", ""))) + _number(_IFLA_NET_NS_FD, peer_netns))
        kind = _text(_IFLA_INFO_KIND, "veth") + _attribute(_IFLA_INFO_DATA, _attribute(_VETH_INFO_PEER, peer_end))
        body = _IFINFO.pack(0, 0, 0, 0, 0) + _text(_IFLA_IFNAME, name) + _number(_IFLA_MTU, mtu) + _attribute(_IFLA_LINKINFO, kind)
        self._do(_RTM_NEWLINK, _NLM_F_CREATE | _NLM_F_EXCL, body)

    def delete_link(self, name: str) -> None:
        self._do(_RTM_DELLINK, 0, _IFINFO.pack(0, 0, 0, 0, 0) + _text(_IFLA_IFNAME, name))

    def set_flags(self, name: str, flags: int) -> None:
        """Raise IFF_* flags of a link; the others stay as they are."""
        self._do(_RTM_NEWLINK, 0, _IFINFO.pack(0, 0, 0, flags, flags) + _text(_IFLA_IFNAME, name))

    def change(self, link: str, *, name: str = "", mac: str = "", mtu: int = 0, up: Optional[bool] = None, netns: Optional[int] = None) -> None:
        """Change what is given of ``link``; with ``netns``, a descriptor, it goes into that namespace, where it is down."""
        index = self.link(link).ifindex
        flags, mask = (IFF_UP if up else 0), (0 if up is None else IFF_UP)
        # The names of both namespaces count, so by number.
        body = _IFINFO.pack(0, 0, index, flags, mask)
        if netns is not None:
            body += _number(_IFLA_NET_NS_FD, netns)
        if mac:
            body += _attribute(_IFLA_ADDRESS, bytes.fromhex(mac.replace(":", "")))
        if mtu:
            body += _number(_IFLA_MTU, mtu)
        if name and name != link:
            body += _text(_IFLA_IFNAME, name)
        self._do(_RTM_NEWLINK, 0, body)

    def link(self, name: str) -> Link:
        for _kind, payload in self._request(_RTM_GETLINK, _NLM_F_ACK, _IFINFO.pack(0, 0, 0, 0, 0) + _text(_IFLA_IFNAME, name)):
            _family, _type, index, flags, _change = _IFINFO.unpack_from(payload)
            found = _attributes(payload[_IFINFO.size:])
            return Link(index, name, found[_IFLA_ADDRESS].hex(":"), struct.unpack("=I", found[_IFLA_MTU])[0], bool(flags & IFF_UP))
        raise OSError(19, f"no link {name}")

    def add_address(self, index: int, address: str) -> None:
        """Add ``address`` with its prefix length; duplicate address detection is skipped: Sluice gives no address twice."""
        bare, prefix = address.split("/")
        family = _family(bare)
        raw = socket.inet_pton(family, bare)
        body = _IFADDR.pack(family, int(prefix), _IFA_F_NODAD, 0, index) + _attribute(_IFA_LOCAL, raw) + _attribute(_IFA_ADDRESS, raw)
        self._do(_RTM_NEWADDR, _NLM_F_CREATE | _NLM_F_EXCL, body)

    def addresses(self) -> list[Address]:
        found = []
        for _kind, payload in self._request(_RTM_GETADDR, _NLM_F_DUMP, _IFADDR.pack(0, 0, 0, 0, 0)):
            family, prefix, _flags, _scope, index = _IFADDR.unpack_from(payload)
            values = _attributes(payload[_IFADDR.size:])
            found.append(Address(index, f"{socket.inet_ntop(family, values.get(_IFA_LOCAL, values[_IFA_ADDRESS]))}/{prefix}"))
        return found

    def add_default_route(self, index: int, gateway: str) -> None:
        family = _family(gateway)
        body = (_RTMSG.pack(family, 0, 0, 0, _RT_TABLE_MAIN, _RTPROT_STATIC, _RT_SCOPE_UNIVERSE, _RTN_UNICAST, 0)
                + _attribute(_RTA_GATEWAY, socket.inet_pton(family, gateway)) + _number(_RTA_OIF, index))
        self._do(_RTM_NEWROUTE, _NLM_F_CREATE | _NLM_F_EXCL, body)

    def routes(self) -> list[Route]:
        """The unicast routes of the main table that lead over one link."""
        found = []
        for _kind, payload in self._request(_RTM_GETROUTE, _NLM_F_DUMP, _RTMSG.pack(0, 0, 0, 0, 0, 0, 0, 0, 0)):
            family, prefix, _source, _tos, table, _protocol, _scope, kind, _flags = _RTMSG.unpack_from(payload)
            values = _attributes(payload[_RTMSG.size:])
            if table != _RT_TABLE_MAIN or kind != _RTN_UNICAST or _RTA_OIF not in values:
                continue
            none = bytes(16 if family == socket.AF_INET6 else 4)
            gateway = values.get(_RTA_GATEWAY)
            found.append(Route(struct.unpack("=i", values[_RTA_OIF])[0],
                               f"{socket.inet_ntop(family, values.get(_RTA_DST, none))}/{prefix}",
                               socket.inet_ntop(family, gateway) if gateway else ""))
        return found
