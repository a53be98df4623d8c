# SPDX-License-Identifier: Apache-2.0
"""Who reaches whom on what, for all pairs, as a structure and as a table for people."""
from __future__ import annotations

from typing import NamedTuple, Optional, Sequence

from ..errors import SluiceError
from ..intent.state import ClusterState
from .reachability import Reachability
from .verdict import Verdict

MARKS = {"allow": "✓", "drop": "✗", "reject": "!", "mixed": "~"}
NONE, SELF = "·", "—"
_GAP = "  "


class Port(NamedTuple):
    protocol: str
    number: int

    def __str__(self) -> str:
        return f"{self.protocol}/{self.number}" if self.number else self.protocol


class Cell(NamedTuple):
    source: str
    destination: str
    port: Port
    verdict: Verdict


def declared_ports(state: ClusterState, destination: str) -> tuple[Port, ...]:
    """The ports of a pod's containers or of a Service; of anything else, and of a pod without ports, none."""
    kind, colon, rest = destination.partition(":")
    if colon:
        service = state.services.get(rest) if kind in ("svc", "nodeport") else None
        return tuple(Port(port.protocol, port.port) for port in service.ports) if service else ()
    pod = state.pods.get(destination)
    return tuple(dict.fromkeys(Port(port.protocol, port.port) for port in pod.ports)) if pod else ()


def matrix(state: ClusterState, sources: Optional[Sequence[str]] = None, destinations: Optional[Sequence[str]] = None,
           ports: Optional[Sequence[Port]] = None, version: int = 4) -> list[Cell]:
    """The verdict of every source on every port of every destination, itself left out.

    ``sources`` and ``destinations`` are by default all pods, and are named as in :meth:`Reachability.verdict`; ``ports`` are by default
    those that each destination declares.
    :raises SluiceError: As there.
    """
    engine = Reachability(state)
    return [
        Cell(source, destination, port, engine.verdict(source, destination, port.number, port.protocol, version=version))
        for source in (state.pods if sources is None else sources)
        for destination in (state.pods if destinations is None else destinations) if destination != source
        for port in (declared_ports(state, destination) if ports is None else ports)
    ]


def render(cells: Sequence[Cell], width: int = 120) -> str:
    """Rows are who asks, columns who is asked; a cell has one mark for each port of its column, in the order that the list below gives.

    As many columns as fit into ``width`` characters stand beside each other, the others below.
    :raises SluiceError: ``cells`` is empty.
    """
    if not cells:
        raise SluiceError("There is nothing to show: no destination has a port. Say which ports to ask for.")
    sources = list(dict.fromkeys(cell.source for cell in cells))
    ports: dict[str, list[Port]] = {}
    for cell in cells:
        if cell.port not in ports.setdefault(cell.destination, []):
            ports[cell.destination].append(cell.port)
    marks = {(cell.source, cell.destination, cell.port): MARKS[cell.verdict.action] for cell in cells}
    numbers = {destination: str(number) for number, destination in enumerate(ports, 1)}
    lines = [f"Rows: from. Columns: to, by number. {MARKS['allow']} allowed  {MARKS['drop']} dropped  {MARKS['reject']} refused  "
             f"{MARKS['mixed']} depends on the endpoint  {NONE} not asked  {SELF} itself"]
    label_width = max(map(len, sources))
    cell_width = max(max(len(numbers[destination]), len(own)) for destination, own in ports.items())
    fitting = max(1, (width - label_width) // (cell_width + len(_GAP)))
    columns = list(ports)
    for start in range(0, len(columns), fitting):
        block = columns[start:start + fitting]
        lines += ["", _line("", label_width, [numbers[destination] for destination in block], cell_width)]
        for source in sources:
            texts = [SELF if source == destination else "".join(marks.get((source, destination, port), NONE) for port in ports[destination])
                     for destination in block]
            lines.append(_line(source, label_width, texts, cell_width))
    lines += ["", *(f"{numbers[destination]:>4} {destination}: {', '.join(map(str, own))}" for destination, own in ports.items())]
    return "\n".join(lines) + "\n"


def _line(label: str, label_width: int, texts: Sequence[str], cell_width: int) -> str:
    return (label.ljust(label_width) + "".join(_GAP + text.rjust(cell_width) for text in texts)).rstrip()
