# SPDX-License-Identifier: Apache-2.0
"""Select groups, which choose an endpoint for each new connection, as lines in the syntax of ovs-ofctl (ovs-ofctl(8), "Group Syntax").

Two ways in which Open vSwitch chooses: ``dp_hash`` looks a hash that the datapath makes up in a table of at most 256 places, so that one
datapath flow serves many connections; ``hash`` weighs each bucket with the packet's fields, so that a bucket which goes moves no other
bucket's packets, but each connection needs a datapath flow of its own. Without a word, Open vSwitch takes the former with few places,
so that of ten endpoints six would get twice as much as the other four, and with a hash that leaves out UDP's ports.
"""
from __future__ import annotations

from typing import NamedTuple, Sequence

WEIGHT = 100
DP_HASH_PLACES = 256
"""Open vSwitch makes no more of them (MAX_SELECT_GROUP_HASH_VALUES in ofproto/ofproto-dpif.c)."""
DP_HASH_ENDPOINTS = 64
"""With more endpoints, so many places are too few to share them out evenly."""
PART_SIZE = 500
"""Buckets that one group may have: a group has to fit in an OpenFlow message of 65535 bytes, and a bucket with IPv6 has 96."""


class Bucket(NamedTuple):
    """One endpoint in a group; ids are never 0 and no two of a group the same."""

    bucket_id: int
    actions: str


def group_parts(count: int) -> int:
    """How many groups that many endpoints are spread over, apart from the group over them; 0 if one group holds them all."""
    return -(-count // PART_SIZE) if count > PART_SIZE else 0


def select_group(group_id: int, buckets: Sequence[Bucket], part_ids: Sequence[int], client: str, affine: bool) -> list[str]:
    """The groups that choose one of ``buckets`` (in order of id) for a new connection, each as often as any other.

    ``client``: the field with the client's address. ``affine``: the switch learns the choice, so each connection needs a datapath flow of its
    own until it has: one that several share would still choose anew for a moment.
    ``part_ids``: as many ids as `group_parts` asks for.
    """
    fields = f"{client},tcp_src,udp_src,sctp_src"
    if not part_ids:
        by_hash = affine or len(buckets) > DP_HASH_ENDPOINTS
        return [_one_group(group_id, buckets, fields if by_hash else "")]
    # Parts of the same size: by the method `hash` a bucket's share is not in proportion to its weight. What a part's own buckets get does
    # not hang on which part was chosen, because the choice is made with the buckets' ids.
    size, more = divmod(len(buckets), len(part_ids))
    lines, parts, start = [], [], 0
    for index, part_id in enumerate(part_ids):
        end = start + size + (index < more)
        lines.append(_one_group(part_id, buckets[start:end], fields))
        parts.append(Bucket(part_id, f"group:{part_id}"))
        start = end
    return [*lines, _one_group(group_id, parts, fields)]


def _one_group(group_id: int, buckets: Sequence[Bucket], fields: str) -> str:
    """``fields``: those to hash; empty: by dp_hash."""
    if len(buckets) == 1:
        return f"group_id={group_id},type=indirect,bucket=actions={buckets[0].actions}"
    weighed = [f"bucket=bucket_id:{bucket.bucket_id},weight:{WEIGHT},actions={bucket.actions}" for bucket in buckets]
    method = f"selection_method=hash,fields({fields})" if fields else "selection_method=dp_hash"
    if not fields and len(buckets) & len(buckets) - 1:
        # Open vSwitch makes as many places as the smallest weight needs. One small bucket makes that sixteen or more an endpoint.
        places = min(DP_HASH_PLACES, 1 << (16 * len(buckets) - 1).bit_length())
        small = -(-WEIGHT * len(buckets) // (places - 1))
        weighed.append(f"bucket=bucket_id:0,weight:{small},actions={buckets[0].actions}")
    return f"group_id={group_id},type=select,{method},{','.join(weighed)}"
