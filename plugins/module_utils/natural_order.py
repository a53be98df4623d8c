# SPDX-License-Identifier: Apache-2.0
"""The order in which people expect names with numbers in them."""
from __future__ import annotations

import re

_DIGITS = re.compile(r"([0-9]+)")


def natural(text: str) -> list[str | int]:
    """A sort key by which node2 comes before node10, and line 6 before line 15."""
    # Splitting by a group gives text and digits in turn, so like is always compared with like.
    return [int(part) if index % 2 else part for index, part in enumerate(_DIGITS.split(text))]
