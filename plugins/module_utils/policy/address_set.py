# SPDX-License-Identifier: Apache-2.0
"""Sets of addresses that rules are about, and the matches for them."""
from __future__ import annotations

from typing import Sequence

from ..intent.state import Pod
from ..pipeline.build import V4, V6, family
from .traffic import Match


class AddressSet:
    """The addresses of some pods, and blocks (CIDRs or bare addresses). Compared by identity: equal selectors give the same object."""

    def __init__(self, pods: Sequence[Pod], blocks: Sequence[str] = ()) -> None:
        self.pods = tuple(pods)
        self.blocks = tuple(blocks)
        self._matches: dict[tuple[str, tuple[int, ...]], tuple[Match, ...]] = {}
        self._by_node: dict[str, AddressSet] = {}
        addresses = [*(ip for pod in self.pods for ip in pod.ips), *self.blocks]
        self.versions = frozenset(family(address).version for address in addresses)
        """The IP versions of which there is an address."""

    def matches(self, end: str, versions: tuple[int, ...]) -> tuple[Match, ...]:
        """One match for each address of these IP versions, as the packet's ``end``: source or destination."""
        key = end, versions
        if key not in self._matches:
            self._matches[key] = self._make_matches(end, versions)
        return self._matches[key]

    def _make_matches(self, end: str, versions: tuple[int, ...]) -> tuple[Match, ...]:
        found: dict[Match, None] = {}
        for ip in (V4, V6):
            if ip.version in versions:
                field = ip.source if end == "source" else ip.destination
                found.update(dict.fromkeys((ip.ip, f"{field}={address}") for pod in self.pods for address in pod.ips if (":" in address) == (ip is V6)))
                found.update(dict.fromkeys(_block_match(ip.ip, field, block) for block in self.blocks if (":" in block) == (ip is V6)))
        return tuple(found)

    @property
    def by_node(self) -> dict[str, AddressSet]:
        """The part of it that is on each node that has a pod of it, without the blocks."""
        if not self._by_node:
            pods: dict[str, list[Pod]] = {}
            for pod in self.pods:
                pods.setdefault(pod.node, []).append(pod)
            self._by_node = {node: AddressSet(of_node) for node, of_node in pods.items()}
        return self._by_node


def _block_match(ip: str, field: str, block: str) -> Match:
    address, _slash, length = block.partition("/")
    if length == "0":
        return (ip,)
    return (ip, f"{field}={address if length == ('128' if ':' in block else '32') else block}")
