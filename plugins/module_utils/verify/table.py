# SPDX-License-Identifier: Apache-2.0
"""The verdicts as a table that one can read: who reaches whom, over which IP version, and in words what does not."""
from __future__ import annotations

from typing import Dict, Iterable, List, Mapping, Sequence, Tuple

from ..node.probe import OPEN
from .checks import KINDS, MTU, TO_OUTSIDE, service_name
from .fabric import Fabric, Place
from .verdict import Verdict, failures

GOOD, BAD, NONE, SELF = "✓", "✗", "·", "—"
DENIED, PARTLY = "∅", "◐"
SERVICES, OUTSIDE = "Services", "outside"
PODS_MAX = 30
"""With more pods the matrix has a row and a column a node."""
_PROTOCOLS = ("icmp", "tcp", "udp")
_GAP = "  "

Cell = Tuple[str, str]


def render(fabric: Fabric, verdicts: Sequence[Verdict], width: int = 120) -> str:
    """Matrix, legend, counts and failures; no line of the matrix is wider than ``width`` characters."""
    matrix = _pod_matrix(fabric, verdicts, width) if len(fabric.pods) <= PODS_MAX else _node_matrix(fabric, verdicts, width)
    parts = [*matrix, "", *_counts(fabric, verdicts), ""]
    wrong = sum(bool(verdict.wrong) for verdict in verdicts)
    if wrong:
        parts += [f"{wrong} of {len(verdicts)} probes are not as expected:", *(f"  {BAD} {line}" for line in failures(verdicts))]
    else:
        denied = sum(_is_denied(verdict) for verdict in verdicts)
        parts.append(f"All {len(verdicts)} probes are as expected: {len(verdicts) - denied} pass, {denied} are denied.")
    return "\n".join(parts) + "\n"


def _is_denied(verdict: Verdict) -> bool:
    return verdict.check.kind != MTU and verdict.answer.outcome != OPEN


def _pod_matrix(fabric: Fabric, verdicts: Sequence[Verdict], width: int) -> List[str]:
    families = fabric.families()
    sources = [place for place in fabric.places if place.kind != "host_pod"]
    found: Dict[Tuple[str, str, int], List[Verdict]] = {}
    for verdict in verdicts:
        if verdict.check.kind != MTU:
            found.setdefault((verdict.check.source, verdict.check.probe.destination, verdict.family), []).append(verdict)
    marks = {key: _mark(some) for key, some in found.items()}
    titles = {place.name: str(number) for number, place in enumerate(fabric.places, 1)}
    labels = {source.name: f"{titles[source.name]:>3} {source.name}" for source in sources}
    services = {service_name(service): f"S{number}" for number, service in enumerate(fabric.services, 1)}
    # Services' ports may be none of those that were asked for.
    titles.update({name: title for name, title in services.items() if any(name == destination for _source, destination, _family in found)})
    if any(verdict.check.kind == TO_OUTSIDE for verdict in verdicts):
        titles["outside"] = "out"
    cells = {(source.name, column): _cell(source.name, column, families, marks) for source in sources for column in titles}
    head = [f"Each cell: {', '.join(f'IPv{family}' for family in families)}. Columns have the numbers of the rows.",
            f"As expected: {GOOD} open  {DENIED} denied  {PARTLY} some ports or endpoints open, others denied.  {BAD} not as expected  {NONE} not probed"]
    lines = _grid(_rows_by_node(fabric, sources), labels, list(titles), titles, cells, width)
    others = [f"{titles[pod.name]:>3} {pod.name} (on the network of {pod.node})" for pod in fabric.pods if pod.kind == "host_pod"]
    others += [f"{title:>3} {name}" for name, title in services.items() if name in titles]
    return head + lines + (["", *others] if others else [])


def _mark(verdicts: Sequence[Verdict]) -> str:
    """What is to be seen of all probes from one place to another over one IP version: its ports, where it has any, or else ICMP."""
    if any(verdict.wrong for verdict in verdicts):
        return BAD
    asked = [verdict for verdict in verdicts if verdict.check.probe.port] or verdicts
    # Which of a Service's endpoints was asked is chance, so where they differ, what it answered does not matter.
    denied = {_is_denied(verdict) for verdict in asked}
    several = len(denied) == 2 or any(len(verdict.expected.outcomes) > 1 for verdict in asked)
    return PARTLY if several else DENIED if True in denied else GOOD


def _cell(source: str, destination: str, families: Iterable[int], marks: Mapping[Tuple[str, str, int], str]) -> str:
    return SELF if source == destination else "".join(marks.get((source, destination, family), NONE) for family in families)


def _node_matrix(fabric: Fabric, verdicts: Sequence[Verdict], width: int) -> List[str]:
    node_of = {place.name: place.node for place in fabric.places}
    names = [node.name for node in fabric.nodes]
    good: Dict[Cell, int] = {}
    total: Dict[Cell, int] = {}
    for verdict in verdicts:
        cell = (verdict.check.node, node_of.get(verdict.check.probe.destination, OUTSIDE if verdict.check.kind == TO_OUTSIDE else SERVICES))
        total[cell] = total.get(cell, 0) + 1
        good[cell] = good.get(cell, 0) + (not verdict.wrong)
    columns = names + [column for column in (SERVICES, OUTSIDE) if any(column == other for _row, other in total)]
    cells = {(row, column): _fraction(good.get((row, column), 0), total.get((row, column), 0)) for row in names for column in columns}
    head = [f"{len(fabric.pods)} pods, summed up by node. Each cell: probes as expected, of all; {BAD} where they differ."]
    return head + _grid([("", names)], {name: name for name in names}, columns, {column: column for column in columns}, cells, width)


def _rows_by_node(fabric: Fabric, sources: Sequence[Place]) -> List[Tuple[str, List[str]]]:
    groups = [(f"on {node.name}", [place.name for place in sources if place.node == node.name and place.kind == "pod"])
              for node in fabric.nodes]
    return [(title, rows) for title, rows in groups if rows] + [("nodes", [node.name for node in fabric.nodes])]


def _grid(groups: Sequence[Tuple[str, Sequence[str]]], labels: Mapping[str, str], columns: Sequence[str], titles: Mapping[str, str],
          cells: Mapping[Cell, str], width: int) -> List[str]:
    """Rows in groups; as many columns beside each other as fit, the others below."""
    label_width = max(len(text) for text in [*labels.values(), *(title for title, _rows in groups)])
    cell_width = max(len(text) for text in [*cells.values(), *(titles[column] for column in columns)])
    fitting = max(1, (width - label_width) // (cell_width + len(_GAP)))
    lines: List[str] = []
    for start in range(0, len(columns), fitting):
        block = columns[start:start + fitting]
        lines += ["", _line(" " * label_width, [titles[column] for column in block], cell_width)]
        for title, rows in groups:
            lines += [title] if title else []
            lines += [_line(labels[row].ljust(label_width), [cells[row, column] for column in block], cell_width) for row in rows]
    return lines


def _line(label: str, texts: Iterable[str], cell_width: int) -> str:
    return (label + "".join(_GAP + text.rjust(cell_width) for text in texts)).rstrip()


def _counts(fabric: Fabric, verdicts: Sequence[Verdict]) -> List[str]:
    columns = [(family, protocol) for family in fabric.families() for protocol in _PROTOCOLS]
    good: Dict[Tuple[str, int, str], int] = {}
    total: Dict[Tuple[str, int, str], int] = {}
    for verdict in verdicts:
        key = (verdict.check.kind, verdict.family, verdict.check.probe.protocol)
        total[key] = total.get(key, 0) + 1
        good[key] = good.get(key, 0) + (not verdict.wrong)
    rows = [(kind, [_fraction(good.get((kind, *column), 0), total.get((kind, *column), 0)) for column in columns])
            for kind in KINDS if any(key[0] == kind for key in total)]
    titles = [f"IPv{family} {protocol}" for family, protocol in columns]
    label_width = max(len(label) for label in ["Probes", *(kind for kind, _texts in rows)])
    cell_width = max(map(len, [*titles, *(text for _kind, texts in rows for text in texts)]))
    return [_line(label.ljust(label_width), texts, cell_width) for label, texts in [("Probes", titles), *rows]]


def _fraction(good: int, total: int) -> str:
    if not total:
        return NONE
    return f"{GOOD} {good}/{total}" if good == total else f"{BAD} {good}/{total}"
