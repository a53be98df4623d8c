# SPDX-License-Identifier: Apache-2.0
"""The parts of a host that Sluice manages, as plain data: the same shapes say what is wanted, what is there, and what was there before."""
from __future__ import annotations

import ipaddress
from dataclasses import dataclass, field
from typing import Mapping, Optional

PROTOCOL = 83
"""rtm_protocol of Sluice's routes and neighbours: whatever carries it is Sluice's, and nothing else is."""
PROTOCOL_KERNEL = 2
PROTOCOL_RA = 9

SYSCTL_FILE = "/etc/sysctl.d/90-sluice.conf"
RECORD_FILE = "/var/lib/sluice/host-before.json"
FIREWALLD_ZONE = "/etc/firewalld/zones/sluice.xml"
FIREWALLD_POLICIES = {way: f"/etc/firewalld/policies/sluice-{way}.xml" for way in ("in", "out", "tunnel")}
FIREWALLD_FILES = frozenset({FIREWALLD_ZONE, *FIREWALLD_POLICIES.values()})


@dataclass(frozen=True)
class Link:
    """One network interface. None means: not managed."""

    mac: Optional[str] = None
    mtu: Optional[int] = None
    addresses: Optional[tuple[str, ...]] = None
    """Global-scope addresses with prefix length, sorted; link-local IPv6 addresses are the kernel's."""
    up: Optional[bool] = None


@dataclass(frozen=True, order=True)
class Route:
    """A unicast route with one next hop in the main table, in the kernel's canonical form (default is 0.0.0.0/0 or ::/0)."""

    destination: str
    device: str
    via: str = ""
    source: str = ""
    metric: int = 0
    mtu: int = 0
    onlink: bool = False
    protocol: int = PROTOCOL

    @property
    def key(self) -> tuple[str, int]:
        """What the kernel lets only one route have (with no TOS): `ip route replace` replaces the route of the same key."""
        return self.destination, self.metric


@dataclass(frozen=True, order=True)
class Neighbour:
    """A permanent ARP or ND entry."""

    address: str
    device: str
    mac: str
    protocol: int = PROTOCOL

    @property
    def key(self) -> tuple[str, str]:
        return self.device, self.address


@dataclass(frozen=True)
class File:
    """A regular file; content that is not UTF-8 is held with surrogate escapes."""

    content: str
    mode: int = 0o644
    owner: tuple[int, int] = (0, 0)


@dataclass(frozen=True)
class Unit:
    """A systemd unit. None means: not managed."""

    enabled: Optional[bool] = None
    started: Optional[bool] = None


@dataclass(frozen=True, order=True)
class WireGuardPeer:
    public_key: str
    endpoint: str
    """``address:port``, an IPv6 address in brackets."""
    allowed_ips: tuple[str, ...]
    """Sorted."""
    persistent_keepalive: int = 0


@dataclass(frozen=True)
class WireGuard:
    """What makes a link one of WireGuard."""

    port: int
    peers: tuple[WireGuardPeer, ...]
    """Sorted."""
    public_key: str = ""
    """Its own; empty in a dry run that comes before the key is made."""
    private_key_file: str = field(default="", compare=False)
    """Only ever wanted: the kernel knows a key, and no file."""


@dataclass(frozen=True)
class Port:
    """Packets to one of the host's addresses that come in by one interface."""

    protocol: str
    """udp | tcp | gre | esp"""
    interface: str
    address: str
    port: int = 0
    """0: the protocol has none."""


@dataclass(frozen=True)
class Openings:
    """What firewalls have to let pass."""

    ports: tuple[Port, ...] = ()
    interfaces: tuple[str, ...] = ()
    """All that comes in or goes out by them, the host's own or forwarded."""


@dataclass(frozen=True)
class Host:
    """A host's state. What is read has None for a name that is not there; what is wanted has None for a name that has to go.

    ``routes`` and ``neighbours`` are None where they are not managed at all; otherwise those with :data:`PROTOCOL` are exactly these,
    and those of others that are listed exist too.
    """

    sysctl: Mapping[str, Optional[str]] = field(default_factory=dict)
    links: Mapping[str, Optional[Link]] = field(default_factory=dict)
    wireguard: Mapping[str, Optional[WireGuard]] = field(default_factory=dict)
    """By link; a part of the section links."""
    routes: Optional[tuple[Route, ...]] = None
    neighbours: Optional[tuple[Neighbour, ...]] = None
    nftables: Mapping[str, Optional[str]] = field(default_factory=dict)
    """``<family> <name>`` of a table: its text without the wrapper."""
    files: Mapping[str, Optional[File]] = field(default_factory=dict)
    units: Mapping[str, Optional[Unit]] = field(default_factory=dict)
    openings: Optional[Openings] = None
    """Only ever wanted; what they mean on this host is in ``firewall`` and ``files`` (:mod:`.firewall`)."""
    firewall: Mapping[str, bool] = field(default_factory=dict)
    """``<manager> <statement>``: whether it is so."""

    @property
    def stripped(self) -> frozenset[str]:
        """Links that must have no address: they carry no routes either (the transport interface, once it is a port of a bridge)."""
        return frozenset(name for name, link in self.links.items() if link is not None and link.addresses == ())


def version(text: str) -> int:
    """4 or 6, of an address or CIDR."""
    return 6 if ":" in text else 4


def canonical_interface(text: str) -> str:
    """``address/length`` as the kernel prints it."""
    return str(ipaddress.ip_interface(text))


def default_metric(destination: str) -> int:
    """What the kernel takes where no metric is given (ip-route(8))."""
    return 1024 if version(destination) == 6 else 0
