# SPDX-License-Identifier: Apache-2.0
"""Reading a mapping that a user wrote: each field with its type, default and check; what is wrong is collected, not raised."""
from __future__ import annotations

import difflib
from typing import Collection, Iterator, Mapping, Optional, Sequence, Union

from ..errors import Problem
from .syntax import Check, is_address, is_cidr, label_key, label_value, port_name

PORT = (1, 65535)


def describe(value: object) -> str:
    """What a value is, in the words of YAML."""
    if value is None:
        return "is null"
    if isinstance(value, bool):
        return f"is a boolean ({str(value).lower()})"
    if isinstance(value, (int, float)):
        return f"is a number ({value})"
    if isinstance(value, str):
        return f"is a string ({value!r})"
    if isinstance(value, Mapping):
        return "is a mapping"
    if isinstance(value, (list, tuple)):
        return "is a list"
    return f"is a {type(value).__name__}"


def nearest(name: str, known: Collection[str]) -> str:
    """Advice for a name that is not among the known ones."""
    close = difflib.get_close_matches(name, known, n=1, cutoff=0.6)
    return close[0] if close else "one of " + ", ".join(sorted(known))


def one_of(choices: Sequence[str]) -> str:
    return choices[0] if len(choices) == 1 else "one of " + ", ".join(choices)


class Source:
    """Where a value comes from, and the list that takes its problems."""

    __slots__ = ("file", "not_built", "object", "problems")

    def __init__(self, file: str, object: str, problems: list[Problem]) -> None:
        self.file = file
        self.object = object
        self.problems = problems
        self.not_built: list[Problem] = []
        """What is right but not built yet: no mistake, so that the reader of the whole object decides what becomes of it."""

    @property
    def findings(self) -> int:
        """How much there is to say by now, to see later whether a part of the value was the reason for more."""
        return len(self.problems) + len(self.not_built)

    def problem(self, path: str, message: str, expected: str = "") -> None:
        self.problems.append(Problem(self.file, self.object, path, message, expected))


class Fields:
    """The fields of one mapping. A null field is an absent field, as in the Kubernetes API."""

    __slots__ = ("_seen", "_value", "path", "source")

    def __init__(self, source: Source, value: Mapping[str, object], path: str = "") -> None:
        self.source = source
        self.path = path
        self._value = value
        self._seen: set[str] = set()

    def where(self, name: str) -> str:
        return f"{self.path}.{name}" if self.path else name

    def problem(self, name: str, message: str, expected: str = "") -> None:
        self.source.problem(self.where(name) if name else self.path, message, expected)

    def not_built(self, name: str, what: str) -> None:
        """This field asks for something that Sluice cannot do yet."""
        self._seen.add(name)
        expected = "none, or sluice_unsupported: warn, which leaves out the whole object"
        self.source.not_built.append(Problem(self.source.file, self.source.object, self.where(name), f"{what} is not built yet", expected))

    @property
    def plain(self) -> Mapping[str, object]:
        """The mapping as it was written."""
        return self._value

    def raw(self, name: str) -> object:
        self._seen.add(name)
        return self._value.get(name)

    def has(self, name: str) -> bool:
        return self._value.get(name) is not None

    def ignore(self, *names: str) -> None:
        """These fields may be there; Sluice has no use for them."""
        self._seen.update(names)

    def no_others(self) -> None:
        """Every field that was not read by now is a problem."""
        for name in self._value:
            if name not in self._seen:
                self.problem(str(name), "is not a known field", nearest(str(name), self._seen))

    def required(self, name: str, expected: str) -> None:
        if not self.has(name):
            self.problem(name, "is missing", expected)

    def string(self, name: str, default: str = "", check: Optional[Check] = None, choices: Sequence[str] = ()) -> str:
        value = self.raw(name)
        if value is None:
            return default
        if not isinstance(value, str):
            self.problem(name, describe(value), one_of(choices) if choices else "a string")
            return default
        if choices and value not in choices:
            self.problem(name, f"is {value!r}", one_of(choices))
            return default
        expected = check(value) if check else ""
        if expected:
            self.problem(name, f"is {value!r}", expected)
            return default
        return value

    def integer(self, name: str, default: int, low: int, high: int) -> int:
        value = self.raw(name)
        if value is None:
            return default
        if not isinstance(value, int) or isinstance(value, bool):
            self.problem(name, describe(value), f"a number from {low} to {high}")
            return default
        if not low <= value <= high:
            self.problem(name, f"is {value}", f"a number from {low} to {high}")
            return default
        return value

    def number(self, name: str, default: float, low: float, high: float) -> float:
        value = self.raw(name)
        if value is None:
            return default
        if not isinstance(value, (int, float)) or isinstance(value, bool):
            self.problem(name, describe(value), f"a number from {low} to {high}")
            return default
        if not low <= value <= high:
            self.problem(name, f"is {value}", f"a number from {low} to {high}")
            return default
        return float(value)

    def boolean(self, name: str, default: bool = False) -> bool:
        value = self.raw(name)
        if value is None:
            return default
        if not isinstance(value, bool):
            self.problem(name, describe(value), "true or false")
            return default
        return value

    def port(self, name: str) -> Union[int, str, None]:
        """A port's number, or the name of a container port; None where absent."""
        value = self.raw(name)
        if isinstance(value, str):
            return self.string(name, check=port_name) or None
        return self.integer(name, 0, *PORT) or None

    def mapping(self, name: str) -> Optional[Fields]:
        """The fields of a mapping inside; None where absent (which for a selector is not the same as empty)."""
        value = self.raw(name)
        if value is None:
            return None
        if not isinstance(value, Mapping):
            self.problem(name, describe(value), "a mapping")
            return None
        return Fields(self.source, value, self.where(name))

    def inside(self, name: str) -> Fields:
        """The fields of a mapping inside, which where absent has none."""
        return self.mapping(name) or Fields(self.source, {}, self.where(name))

    def names(self) -> tuple[str, ...]:
        """The names of all fields, for a mapping whose keys are data."""
        return tuple(map(str, self._value))

    def children(self) -> Iterator[tuple[str, Fields]]:
        """All fields of a mapping of mappings, with their names."""
        for name in self.names():
            child = self.mapping(name)
            if child:
                yield name, child

    def list(self, name: str) -> Sequence[object]:
        value = self.raw(name)
        if value is None:
            return ()
        if not isinstance(value, (list, tuple)):
            self.problem(name, describe(value), "a list")
            return ()
        return value

    def items(self, name: str) -> Iterator[Fields]:
        """The mappings of a list of mappings."""
        for index, value in enumerate(self.list(name)):
            if isinstance(value, Mapping):
                yield Fields(self.source, value, f"{self.where(name)}[{index}]")
            else:
                self.problem(f"{name}[{index}]", describe(value), "a mapping")

    def strings(self, name: str, check: Optional[Check] = None, choices: Sequence[str] = ()) -> tuple[str, ...]:
        """The good values of a list of strings."""
        good = []
        for index, value in enumerate(self.list(name)):
            if not isinstance(value, str):
                self.problem(f"{name}[{index}]", describe(value), "a string")
                continue
            expected = check(value) if check else ""
            if choices and value not in choices:
                expected = one_of(choices)
            if expected:
                self.problem(f"{name}[{index}]", f"is {value!r}", expected)
                continue
            good.append(value)
        return tuple(good)

    def addresses(self, name: str) -> tuple[str, ...]:
        return self.strings(name, is_address)

    def cidrs(self, name: str) -> tuple[str, ...]:
        return self.strings(name, is_cidr)

    def labels(self, name: str) -> dict[str, str]:
        """A mapping of label keys to label values."""
        return self._string_map(name, label_key, label_value)

    def annotations(self, name: str) -> dict[str, str]:
        return self._string_map(name, label_key, None)

    def _string_map(self, name: str, key_check: Check, value_check: Optional[Check]) -> dict[str, str]:
        value = self.raw(name)
        if value is None:
            return {}
        if not isinstance(value, Mapping):
            self.problem(name, describe(value), "a mapping")
            return {}
        good = {}
        for key, text in value.items():
            if not isinstance(key, str) or not isinstance(text, str):
                wrong = f"has the key {key!r}, which {describe(key)}" if not isinstance(key, str) else f"{key}: {describe(text)}"
                self.problem(name, wrong, "a string (in quotes)")
                continue
            if key_check(key):
                self.problem(name, f"has the key {key!r}", key_check(key))
            elif value_check and value_check(text):
                self.problem(name, f"has {key}: {text!r}", value_check(text))
            else:
                good[key] = text
        return good
