# SPDX-License-Identifier: Apache-2.0
"""What differs between two ClusterStates."""
from __future__ import annotations

from typing import Iterator, Mapping, Optional, TypeVar

_T = TypeVar("_T")


def changes(before: Mapping[str, _T], after: Mapping[str, _T]) -> Iterator[tuple[str, Optional[_T], Optional[_T]]]:
    """The key of each object that is another one afterwards, with what it was and what it is; None where there is none."""
    for key in {**before, **after}:
        old, new = before.get(key), after.get(key)
        # Mostly it is the very same object, which is found out faster.
        if old is not new and old != new:
            yield key, old, new
