# SPDX-License-Identifier: Apache-2.0
"""Ranges of ports as values with masks, which is how a switch matches them."""
from __future__ import annotations

from functools import lru_cache

WHOLE = 0xFFFF


@lru_cache(maxsize=4096)
def port_masks(first: int, last: int) -> tuple[str, ...]:
    """The fewest ``value`` or ``value/mask`` that together match the ports from ``first`` to ``last``; empty text for all ports.

    >>> port_masks(80, 80), port_masks(8080, 8083)
    (('80',), ('0x1f90/0xfffc',))
    """
    found = []
    while first <= last:
        # The largest aligned block that begins here and does not go beyond the end.
        size = first & -first or WHOLE + 1
        while first + size - 1 > last:
            size //= 2
        mask = WHOLE & ~(size - 1)
        found.append("" if not mask else str(first) if size == 1 else f"{first:#x}/{mask:#x}")
        first += size
    return tuple(found)
