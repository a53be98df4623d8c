# SPDX-License-Identifier: Apache-2.0
"""Sets of addresses that rules are about, and the matches for them."""
from __future__ import annotations

from functools import cached_property, lru_cache
from typing import Sequence

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
        self._matches_by_node: dict[tuple[str, tuple[int, ...]], dict[str, list[Match]]] = {}

    def __eq__(self, other: object) -> bool:
        return self is other or (isinstance(other, AddressSet) and self.pods == other.pods and self.blocks == other.blocks)

    __hash__ = None  # type: ignore[assignment]

    @cached_property
    def versions(self) -> frozenset[int]:
        """The IP versions of which there is an address."""
        return frozenset({family(address).version for pod in self.pods for address in pod.ips} | {family(block).version for block in self.blocks})

    def matches(self, end: str, versions: tuple[int, ...]) -> tuple[Match, ...]:
        """One match for each address of these IP versions, as the packet's ``end``. The same tuple each time."""
        key = end, versions
        found = self._matches.get(key)
        if found is None:
            pods = [match for pod in self.pods for match in pod_matches(pod, end, versions)]
            blocks = [_block_match(block, end) for block in self.blocks if family(block).version in versions]
            found = self._matches[key] = tuple(dict.fromkeys([*pods, *blocks]))
        return found

    def matches_by_node(self, end: str, versions: tuple[int, ...]) -> dict[str, list[Match]]:
        """Like `matches`, of its pods alone, by the node that they are on."""
        key = end, versions
        found = self._matches_by_node.get(key)
        if found is None:
            found = self._matches_by_node[key] = {}
            for pod in self.pods:
                found.setdefault(pod.node, []).extend(pod_matches(pod, end, versions))
        return found


def pod_matches(pod: Pod, end: str, versions: tuple[int, ...]) -> list[Match]:
    """One match for each address of a pod."""
    return [_address_match(address, end) for address in pod.ips if family(address).version in versions]


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
