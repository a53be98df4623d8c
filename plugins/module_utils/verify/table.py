# SPDX-License-Identifier: Apache-2.0
"""The verdicts as a table that one can read: who reaches whom, over which IP version, and in words what does not."""
from __future__ import annotations

from typing import Dict, Iterable, List, Mapping, Sequence, Tuple

from .checks import KINDS, MTU, TO_OUTSIDE
from .fabric import Fabric, Place
from .verdict import Verdict, failures

GOOD, BAD, NONE, SELF = "✓", "✗", "·", "—"
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
        parts.append(f"All {len(verdicts)} probes are as expected.")
    return "\n".join(parts) + "\n"


def _pod_matrix(fabric: Fabric, verdicts: Sequence[Verdict], width: int) -> List[str]:
    families = fabric.families()
    sources = [place for place in fabric.places if place.kind != "host_pod"]
    wrong: Dict[Tuple[str, str, int], bool] = {}
    for verdict in verdicts:
        if verdict.check.kind != MTU:
            key = (verdict.check.source, verdict.check.probe.destination, verdict.family)
            wrong[key] = wrong.get(key, False) or bool(verdict.wrong)
    columns = [place.name for place in fabric.places]
    if any(verdict.check.kind == TO_OUTSIDE for verdict in verdicts):
        columns.append("outside")
    numbers = {place.name: str(number) for number, place in enumerate(fabric.places, 1)}
    cells = {(source.name, column): _marks(source.name, column, families, wrong) for source in sources for column in columns}
    labels = {source.name: f"{numbers[source.name]:>3} {source.name}" for source in sources}
    head = [f"Each cell: {', '.join(f'IPv{family}' for family in families)}. "
            f"{GOOD} as expected  {BAD} not as expected  {NONE} not probed. Columns have the numbers of the rows."]
    lines = _grid(_rows_by_node(fabric, sources), labels, columns, {**numbers, "outside": "out"}, cells, width)
    hosts = [f"{numbers[pod.name]:>3} {pod.name} (on the network of {pod.node})" for pod in fabric.pods if pod.kind == "host_pod"]
    return head + lines + (["", *hosts] if hosts else [])


def _marks(source: str, destination: str, families: Iterable[int], wrong: Mapping[Tuple[str, str, int], bool]) -> str:
    if source == destination:
        return SELF
    marks = [wrong.get((source, destination, family)) for family in families]
    return "".join(NONE if mark is None else BAD if mark else GOOD for mark in marks)


def _node_matrix(fabric: Fabric, verdicts: Sequence[Verdict], width: int) -> List[str]:
    node_of = {place.name: place.node for place in fabric.places}
    names = [node.name for node in fabric.nodes]
    good: Dict[Cell, int] = {}
    total: Dict[Cell, int] = {}
    for verdict in verdicts:
        cell = (verdict.check.node, node_of.get(verdict.check.probe.destination, "outside"))
        total[cell] = total.get(cell, 0) + 1
        good[cell] = good.get(cell, 0) + (not verdict.wrong)
    columns = names + (["outside"] if any(column == "outside" for _row, column in total) else [])
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
