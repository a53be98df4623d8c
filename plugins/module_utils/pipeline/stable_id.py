# SPDX-License-Identifier: Apache-2.0
"""Numbers for named things without a counter: adding one never renumbers another, and every machine agrees."""
from __future__ import annotations

import hashlib
from typing import Iterable

LARGEST = 0xFFFF_FEFF
"""The largest group id that OpenFlow leaves to users (OpenFlow 1.5.1 section 7.3.4.3, OFPG_MAX is 0xffffff00); conjunction ids have more room."""


def stable_id(name: str) -> int:
    """The number from 1 to LARGEST that ``name`` wants: the same always and everywhere."""
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:4], "big") % LARGEST + 1


def stable_ids(names: Iterable[str], count: int = LARGEST) -> dict[str, int]:
    """A number of its own from 1 to ``count`` for each name, of which there are no more than that.

    Where two want the same, the one that sorts later takes the next free one.
    """
    given: dict[str, int] = {}
    taken: set[int] = set()
    for name in sorted(names):
        number = stable_id(name) % count or count
        while number in taken:
            number = number % count + 1
        taken.add(number)
        given[name] = number
    return given
