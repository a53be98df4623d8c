# SPDX-License-Identifier: Apache-2.0
"""Cookies: the top 16 bits say who owns a flow, the rest which object it is for, derived from the object's name."""
from __future__ import annotations

import hashlib
from functools import lru_cache

OWNER_PROGRAM = 0x51C3
"""Flows of the NodeProgram, put by Ansible or by ``restore``."""
OWNER_DYNAMIC = 0x51CD
"""Flows of pods that only the CNI plugin knows."""
OWNER_LEARNED = 0x51CE
"""Flows that packets taught the switch: no run compares or removes them."""
OWNER_MASK = 0xFFFF000000000000


# An object has several flows, mostly made one after the other.
@lru_cache(maxsize=4096)
def cookie(owner: int, name: str) -> int:
    """The cookie of the flows that ``owner`` holds for the object ``name`` (``pod/default/web``, ``node/node2``, ``gateway``)."""
    digest = hashlib.sha256(name.encode()).digest()
    return owner << 48 | int.from_bytes(digest[:6], "big")
