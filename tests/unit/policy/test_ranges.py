# SPDX-License-Identifier: Apache-2.0
"""Port ranges as masks, blocks with exceptions as blocks: the same ports and addresses, and no more of them than it takes."""
from __future__ import annotations

import ipaddress

from hypothesis import example, given
from hypothesis import strategies as st

from sluice.policy.cidrs import difference
from sluice.policy.port_masks import port_masks

PORTS = st.integers(0, 65535)
BASE = 0x0A000000


def _matched(text: str) -> range:
    if not text:
        return range(65536)
    value, _slash, mask = text.partition("/")
    return range(int(value, 0), int(value, 0) + (65536 - int(mask, 0) if mask else 1))


@given(PORTS, PORTS)
@example(0, 65535)
@example(1, 65535)
@example(1, 65534)
def test_the_masks_match_the_range_and_nothing_else(one: int, other: int) -> None:
    first, last = sorted((one, other))
    masks = port_masks(first, last)
    assert [port for text in masks for port in _matched(text)] == list(range(first, last + 1))
    assert len(masks) <= 30
    for before, after in zip(masks, masks[1:], strict=False):
        together = [*_matched(before), *_matched(after)]
        assert len(_matched(before)) != len(_matched(after)) or together[0] % len(together), "two blocks that are one"


@given(st.integers(20, 32), st.lists(st.tuples(st.integers(0, 4095), st.integers(20, 32)), max_size=4))
@example(24, [(0, 20)])
def test_the_blocks_left_are_those_outside_of_the_exceptions(length: int, excepts: list[tuple[int, int]]) -> None:
    whole = ipaddress.IPv4Network((BASE, length))
    parts = [ipaddress.IPv4Network((BASE + offset, size), strict=False) for offset, size in excepts]
    left = [ipaddress.IPv4Network(text) for text in difference(str(whole), tuple(map(str, parts)))]
    assert [address for block in left for address in block] == [address for address in whole if not any(address in part for part in parts)]
    assert list(ipaddress.collapse_addresses(left)) == left


def test_blocks_of_ipv6() -> None:
    assert difference("2001:db8::/32", ()) == ("2001:db8::/32",)
    assert difference("2001:db8::/46", ("2001:db8:1::/48",)) == ("2001:db8::/48", "2001:db8:2::/47")
