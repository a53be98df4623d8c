# SPDX-License-Identifier: Apache-2.0
"""Address blocks with exceptions, as the blocks that are left: a switch matches prefixes, and has no word for "but not"."""
from __future__ import annotations

import ipaddress
from functools import lru_cache
from typing import Sequence, Union

Network = Union[ipaddress.IPv4Network, ipaddress.IPv6Network]


@lru_cache(maxsize=4096)
def difference(cidr: str, excepts: tuple[str, ...]) -> tuple[str, ...]:
    """The fewest CIDRs that together hold the addresses of ``cidr`` that are in none of ``excepts``, in the order of addresses."""
    left: list[Network] = []
    _collect(ipaddress.ip_network(cidr), [ipaddress.ip_network(text) for text in excepts], left)
    return tuple(map(str, left))


def _collect(block: Network, excepts: Sequence[Network], left: list[Network]) -> None:
    """Halve the block until each part is wholly inside or outside of the exceptions."""
    inside = [one for one in excepts if one.version == block.version and one.overlaps(block)]
    if not inside:
        left.append(block)
    elif not any(one.prefixlen <= block.prefixlen for one in inside):
        for half in block.subnets():
            _collect(half, inside, left)
