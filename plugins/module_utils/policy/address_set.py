# SPDX-License-Identifier: Apache-2.0
"""Sets of addresses that rules are about, and the matches for them."""
from __future__ import annotations

from functools import cached_property, lru_cache
from typing import Iterable, Sequence

from ..intent.state import Pod
from ..pipeline.build import V4, Family, family
from .traffic import Match

SOURCE, DESTINATION = "source", "destination"
"""The ends of a packet, when the connection's opener is its source."""


class AddressSet:
    """The addresses of some pods, and blocks (CIDRs or bare addresses)."""

    def __init__(self, pods: Sequence[Pod], blocks: Sequence[str] = ()) -> None:
        self.pods = tuple(pods)
        self.blocks = tuple(blocks)
        self._matches: dict[tuple[str, tuple[int, ...]], tuple[Match, ...]] = {}
        self._local_matches: dict[tuple[str, str, tuple[int, ...]], tuple[Match, ...]] = {}

    def __eq__(self, other: object) -> bool:
        return self is other or (isinstance(other, AddressSet) and self.pods == other.pods and self.blocks == other.blocks)

    __hash__ = None  # type: ignore[assignment]

    @cached_property
    def versions(self) -> frozenset[int]:
        """The IP versions of which there is an address."""
        return frozenset({family(address).version for pod in self.pods for address in pod.ips} | {family(block).version for block in self.blocks})

    @cached_property
    def pods_by_node(self) -> dict[str, list[Pod]]:
        """Its pods on each node that has one."""
        pods: dict[str, list[Pod]] = {}
        for pod in self.pods:
            pods.setdefault(pod.node, []).append(pod)
        return pods

    def matches(self, end: str, versions: tuple[int, ...]) -> tuple[Match, ...]:
        """One match for each address of these IP versions, as the packet's ``end``. The same tuple each time."""
        key = end, versions
        found = self._matches.get(key)
        if found is None:
            blocks = [_block_match(block, end) for block in self.blocks if family(block).version in versions]
            found = self._matches[key] = tuple(dict.fromkeys([*pod_matches(self.pods, end, versions), *blocks]))
        return found

    def local_matches(self, node: str, end: str, versions: tuple[int, ...]) -> tuple[Match, ...]:
        """Like `matches`, of the pods on ``node`` alone."""
        key = node, end, versions
        found = self._local_matches.get(key)
        if found is None:
            found = self._local_matches[key] = tuple(pod_matches(self.pods_by_node[node], end, versions))
        return found


def pod_matches(pods: Iterable[Pod], end: str, versions: tuple[int, ...]) -> list[Match]:
    """One match for each address of some pods."""
    return [_address_match(address, end) for pod in pods for address in pod.ips if family(address).version in versions]


@lru_cache(maxsize=65536)
def _address_match(address: str, end: str) -> Match:
    ip = family(address)
    return (ip.ip, f"{_field(ip, end)}={address}")


def _field(ip: Family, end: str) -> str:
    return ip.source if end == SOURCE else ip.destination


def _block_match(block: str, end: str) -> Match:
    ip = family(block)
    address, _slash, length = block.partition("/")
    if length == "0":
        return (ip.ip,)
    whole = length == ("32" if ip is V4 else "128")
    return (ip.ip, f"{_field(ip, end)}={address if whole else block}")
