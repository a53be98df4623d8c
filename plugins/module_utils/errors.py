# SPDX-License-Identifier: Apache-2.0
"""What Sluice says when it cannot go on: one sentence a problem, never a traceback."""
from __future__ import annotations

from typing import Iterable, NamedTuple

from .natural_order import natural
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
        self.problems = tuple(sorted(set(problems), key=lambda problem: [natural(part) for part in problem]))
        lines = [f"{len(self.problems)} problem{'s' if len(self.problems) != 1 else ''} in the input:"]
        lines += [f"  - {problem}" for problem in self.problems]
        super().__init__("\n".join(lines))
