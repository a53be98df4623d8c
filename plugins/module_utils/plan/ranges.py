# SPDX-License-Identifier: Apache-2.0
"""The nodes' shares of the cluster's pod CIDRs, in integers: address objects are too slow for tens of thousands of pods."""
from __future__ import annotations

import socket
from typing import Mapping, Optional, Sequence

from .addresses import network, planned_slots

_BITS = {4: 32, 6: 128}
_FAMILY = {4: socket.AF_INET, 6: socket.AF_INET6}

FIRST_SLOT = 2
"""Distance of slot 0 from the network's address: the gateway is between."""


def to_text(version: int, number: int) -> str:
    """The canonical text of an address (RFC 5952)."""
    return socket.inet_ntop(_FAMILY[version], number.to_bytes(_BITS[version] // 8, "big"))


def to_number(version: int, text: str) -> Optional[int]:
    """The inverse of :func:`to_text`; None if ``text`` is no address of that version."""
    try:
        return int.from_bytes(socket.inet_pton(_FAMILY[version], text), "big")
    except OSError:
        return None


class Range:
    """One node's share of each pod CIDR, in the cluster's order. A slot is the same place in all of them."""

    __slots__ = ("bases", "cidrs", "planned", "versions")

    def __init__(self, cidrs: Sequence[str]) -> None:
        self.cidrs = tuple(cidrs)
        self.versions = tuple(network(cidr).version for cidr in cidrs)
        self.bases = tuple(int(network(cidr).network_address) + FIRST_SLOT for cidr in cidrs)
        self.planned = min(planned_slots(cidr) for cidr in cidrs)
        """How many slots there are for pods of the inventory."""

    def addresses(self, slot: int) -> tuple[str, ...]:
        return tuple(to_text(version, base + slot) for version, base in zip(self.versions, self.bases))

    def offset(self, position: int, address: str) -> int:
        """The slot of one address, as far as there is one; negative for the network's own address and the gateway."""
        number = to_number(self.versions[position], address)
        return -1 if number is None else number - self.bases[position]

    def slot(self, addresses: Sequence[str]) -> Optional[int]:
        """The slot that has exactly these addresses, in this order; None if there is none for a planned pod."""
        if len(addresses) != len(self.bases):
            return None
        slots = {self.offset(position, address) for position, address in enumerate(addresses)}
        slot = slots.pop()
        return slot if not slots and 0 <= slot < self.planned else None


class Shares:
    """How one of the cluster's pod CIDRs is cut into node CIDRs, which are numbered from 0."""

    def __init__(self, cidr: str, prefix_length: int) -> None:
        whole = network(cidr)
        self.cidr = cidr
        self.version = whole.version
        self.prefix_length = prefix_length
        self.count = 1 << (prefix_length - whole.prefixlen)
        self._base = int(whole.network_address)
        self._shift = _BITS[whole.version] - prefix_length

    def share(self, index: int) -> str:
        return f"{to_text(self.version, self._base + (index << self._shift))}/{self.prefix_length}"

    def index(self, address: str) -> Optional[int]:
        """The number of the share that an address is in; None outside of the CIDR."""
        number = to_number(self.version, address)
        if number is None or number < self._base:
            return None
        index = (number - self._base) >> self._shift
        return index if index < self.count else None

    def index_of_share(self, cidr: str) -> Optional[int]:
        """The inverse of :meth:`share`; None if it is none of this CIDR's."""
        index = self.index(cidr.partition("/")[0])
        return index if index is not None and self.share(index) == cidr else None


class NodeRanges:
    """Every node's range, and which node has an address."""

    def __init__(self, shares: Sequence[Shares], cidrs: Mapping[str, tuple[str, ...]]) -> None:
        self.shares = tuple(shares)
        self.of = {name: Range(own) for name, own in cidrs.items()}
        self._nodes = {(place, cidr): name for name, own in cidrs.items() for place, cidr in enumerate(own)}

    def position(self, version: int) -> Optional[int]:
        """Which of the cluster's pod CIDRs is of that IP version."""
        return next((place for place, shares in enumerate(self.shares) if shares.version == version), None)

    def node(self, position: int, address: str) -> Optional[str]:
        """The node whose range has the address; None if no node's has."""
        index = self.shares[position].index(address)
        return None if index is None else self._nodes.get((position, self.shares[position].share(index)))
