# SPDX-License-Identifier: Apache-2.0
"""Like packets become one event, and no flood makes more than a bounded number of events."""
from __future__ import annotations

from typing import Generic, Hashable, TypeVar

WINDOW = 1.0
"""Seconds for which an event waits for more packets like its first."""
LIMIT = 100
"""Events that wait at once, and so, as each waits for WINDOW, lines a second."""

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Event(Generic[K, V]):
    """``packets`` packets that are alike in ``key``, the first at ``start``, the last ``seconds`` later; ``first`` is about the first one."""

    def __init__(self, key: K, first: V, start: float, wall: float) -> None:
        self.key, self.first, self.start, self.wall = key, first, start, wall
        self.packets = 1
        self.seconds = 0.0


class Events(Generic[K, V]):
    """The events of the last WINDOW seconds. Times are of a monotonic clock, ``wall`` is the date of an event's first packet."""

    def __init__(self) -> None:
        # In the order of their start, so the first is the first to be due.
        self._waiting: dict[K, Event[K, V]] = {}
        self._left_out = 0

    def add(self, key: K, first: V, now: float, wall: float) -> None:
        """One packet."""
        event = self._waiting.get(key)
        if event:
            event.packets += 1
            event.seconds = now - event.start
        elif len(self._waiting) < LIMIT:
            self._waiting[key] = Event(key, first, now, wall)
        else:
            self._left_out += 1

    def take_due(self, now: float) -> list[Event[K, V]]:
        """The events that have waited long enough; with ``now`` infinite, all. They are forgotten."""
        due = []
        for event in self._waiting.values():
            if event.start + WINDOW > now:
                break
            due.append(event)
        for event in due:
            del self._waiting[event.key]
        return due

    def take_left_out(self) -> int:
        """How many packets were not recorded since this was asked last."""
        count, self._left_out = self._left_out, 0
        return count
