# SPDX-License-Identifier: Apache-2.0
"""What Sluice says when it cannot go on: one sentence a problem, never a traceback."""
from __future__ import annotations

import re
from typing import Iterable, NamedTuple

from .sluice_error import SluiceError

__all__ = ["InputError", "Problem", "SluiceError"]


class Problem(NamedTuple):
    """One thing that is wrong in the input, and what would be right."""

    file: str
    object: str
    path: str
    message: str
    expected: str = ""

    def __str__(self) -> str:
        place = ": ".join(part for part in (self.file, self.object, self.path) if part)
        text = f"{place}: {self.message}" if place else self.message
        return f"{text}; expected {self.expected}" if self.expected else text


class InputError(SluiceError):
    """The input was refused; ``problems`` has every reason, sorted."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(sorted(set(problems), key=_natural))
        lines = [f"{len(self.problems)} problem{'s' if len(self.problems) != 1 else ''} in the input:"]
        lines += [f"  - {problem}" for problem in self.problems]
        super().__init__("\n".join(lines))


def _natural(problem: Problem) -> list[list[str | int]]:
    """Numbers in order of their value, so that line 6 comes before line 15."""
    # Splitting by a group gives text and digits in turn, so like is always compared with like.
    return [[int(part) if index % 2 else part for index, part in enumerate(re.split(r"(\d+)", text))] for text in problem]
