# SPDX-License-Identifier: Apache-2.0
"""The command line of the copied engine (engine_copy.py): `guard FOLDER` and `make FOLDER`."""
from __future__ import annotations

from pathlib import Path
from typing import Sequence

from .guardian import guard, make_change


def main(arguments: Sequence[str]) -> int:
    """The exit status."""
    role, folder = arguments
    if role == "make":
        return make_change(Path(folder))
    guard(Path(folder))
    return 0
