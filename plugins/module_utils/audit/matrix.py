# SPDX-License-Identifier: Apache-2.0
"""Who reaches whom on what, for all pairs, as a structure and as a table for people."""
from __future__ import annotations

from typing import Mapping, NamedTuple, Optional, Sequence

from ..errors import SluiceError
from ..intent.state import ClusterState
from .reachability import Reachability
from .verdict import Verdict

MARKS = {"allow": "✓", "drop": "✗", "reject": "!", "mixed": "~"}
SELF = "—"
_GAP = "  "


class Port(NamedTuple):
    protocol: str
    number: int

    def __str__(self) -> str:
        return f"{self.protocol}/{self.number}" if self.number else self.protocol


class Matrix(NamedTuple):
    sources: tuple[str, ...]
    destinations: Mapping[str, tuple[Port, ...]]
    """The ports that are asked for at each destination; those without one are left out."""
    verdicts: Mapping[tuple[str, str, Port], Verdict]
    """By source, destination and port; none of a source on itself."""


def declared_ports(state: ClusterState, destination: str) -> tuple[Port, ...]:
    """The ports of a pod's containers or of a Service; of anything else, and of a pod without ports, none."""
    kind, colon, rest = destination.partition(":")
    if colon:
        service = state.services.get(rest) if kind in ("svc", "nodeport") else None
        return tuple(Port(port.protocol, port.port) for port in service.ports) if service else ()
    pod = state.pods.get(destination)
    return tuple(dict.fromkeys(Port(port.protocol, port.port) for port in pod.ports)) if pod else ()


def matrix(state: ClusterState, sources: Optional[Sequence[str]] = None, destinations: Optional[Sequence[str]] = None,
           ports: Optional[Sequence[Port]] = None, version: int = 4) -> Matrix:
    """The verdict of every source on every port of every destination.

    ``sources`` and ``destinations`` are by default all pods, and are named as in :meth:`Reachability.verdict`; ``ports`` are by default
    those that each destination declares.
    :raises SluiceError: As there.
    """
    engine = Reachability(state)
    rows = tuple(state.pods if sources is None else sources)
    asked = {name: declared_ports(state, name) if ports is None else tuple(ports) for name in (state.pods if destinations is None else destinations)}
    columns = {name: own for name, own in asked.items() if own}
    return Matrix(rows, columns, {
        (source, destination, port): engine.verdict(source, destination, port.number, port.protocol, version=version)
        for source in rows for destination, own in columns.items() if destination != source for port in own})


def render(found: Matrix, width: int = 120) -> str:
    """Rows are who asks, columns who is asked; a cell has one mark for each port of its column, in the order that the list below gives.

    As many columns as fit into ``width`` characters stand beside each other, the others below.
    :raises SluiceError: There is nothing to show.
    """
    if not found.sources or not found.destinations:
        raise SluiceError("There is nothing to show: no source, or no destination with a port. Say which, and which ports to ask for.")
    numbers = {destination: str(number) for number, destination in enumerate(found.destinations, 1)}
    lines = [f"Rows: from. Columns: to, by number. {MARKS['allow']} allowed  {MARKS['drop']} dropped  {MARKS['reject']} refused  "
             f"{MARKS['mixed']} depends on the endpoint  {SELF} itself"]
    label_width = max(map(len, found.sources))
    cell_width = max(max(len(numbers[destination]), len(own)) for destination, own in found.destinations.items())
    fitting = max(1, (width - label_width) // (cell_width + len(_GAP)))
    columns = list(found.destinations)
    for start in range(0, len(columns), fitting):
        block = columns[start:start + fitting]
        lines += ["", _line("", label_width, [numbers[destination] for destination in block], cell_width)]
        lines += [_line(source, label_width, [_marks(found, source, destination) for destination in block], cell_width) for source in found.sources]
    lines += ["", *(f"{numbers[destination]:>4} {destination}: {', '.join(map(str, own))}" for destination, own in found.destinations.items())]
    return "\n".join(lines) + "\n"


def _marks(found: Matrix, source: str, destination: str) -> str:
    if source == destination:
        return SELF
    return "".join(MARKS[found.verdicts[source, destination, port].action] for port in found.destinations[destination])


def _line(label: str, label_width: int, texts: Sequence[str], cell_width: int) -> str:
    return (label.ljust(label_width) + "".join(_GAP + text.rjust(cell_width) for text in texts)).rstrip()
