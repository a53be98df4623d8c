# SPDX-License-Identifier: Apache-2.0
"""Tables (``<family> <name>``), each replaced whole in one nftables transaction.

Whether a table is still what was asked for cannot be told from its text: nft prints rules in its own normal form, which changes from
version to version. So the table itself carries what it was made from, as the name of an empty chain: a hash of the text that was asked
for, and one of what the kernel listed for it just after. A table that lacks it, or lists otherwise, was changed by somebody.
(A chain's name and not a comment: comments on tables and chains need nft 0.9.8 and Linux 5.10.)
"""
from __future__ import annotations

import hashlib
import re
from subprocess import CompletedProcess
from typing import Optional

from ..errors import SluiceError
from . import process

MARKER_PREFIX = "sluice_made_"
_MARKER = re.compile(r"^\s*chain " + MARKER_PREFIX + r"([0-9a-f]{16})_([0-9a-f]{16}) \{\s*\}\n?", re.MULTILINE)


def _nft(*arguments: str, text: str = "") -> CompletedProcess[str]:
    return process.run(["nft", *arguments], text, remedy="install the package nftables")


def normal(text: str) -> str:
    """The text with comments and blank lines gone and indented by nesting: for people, and to hash."""
    lines, depth = [], 0
    for line in (line.strip() for line in text.splitlines()):
        if not line or line.startswith("#"):
            continue
        depth -= line.startswith("}")
        lines.append("\t" * max(depth, 0) + line)
        depth += line.endswith("{")
    return "".join(f"{line}\n" for line in lines)


def _hash(text: str) -> str:
    return hashlib.sha256(normal(text).encode()).hexdigest()[:16]


def unmarked(body: str) -> str:
    """The body of a listed table without Sluice's marker."""
    return _MARKER.sub("", body)


def is_current(body: Optional[str], wanted: str) -> bool:
    """Whether the listed ``body`` is what loading ``wanted`` gave, and nobody has touched it since.

    ``wanted`` may itself be a listed body, with the marker (when an earlier state is put back) or without.
    """
    if body is None:
        return False
    if _MARKER.search(wanted):
        return normal(body) == normal(wanted)
    listing = _hash(unmarked(body))
    return any(made == listing and _hash(wanted) in (source, made) for source, made in _MARKER.findall(body)[:1])


def body(table: str) -> Optional[str]:
    """What ``table`` holds, stateless; None if there is no such table, or no nft."""
    try:
        result = _nft("-s", "list", "table", *table.split())
    except SluiceError:
        return None
    if result.returncode:
        if "No such file or directory" in result.stderr:
            return None
        raise SluiceError(f"nft could not list table {table}: {result.stderr.strip()}")
    return normal(result.stdout.partition("{\n")[2].rpartition("}")[0])


def _transaction(table: str, text: Optional[str]) -> str:
    # `add` first: `delete` of a table that is not there fails, and `destroy` needs nft 1.0.7.
    lines = f"add table {table}\ndelete table {table}\n"
    return lines if text is None else f"{lines}table {table} {{\n{text}\n}}\n"


def _load(table: str, text: str, *, check: bool = False) -> None:
    result = _nft(*(["-c"] if check else []), "-f", "-", text=text)
    if result.returncode:
        raise SluiceError(f"nft refused table {table}, nothing of it was changed: {result.stderr.strip()}")


def check(table: str, text: str) -> None:
    """:raises SluiceError: nft would refuse the table"""
    _load(table, _transaction(table, text), check=True)


def replace(table: str, text: str) -> None:
    """Makes the table so in one transaction: packets meet the old rules or the new ones, never none."""
    _load(table, _transaction(table, text))
    if not _MARKER.search(text):
        _load(table, f"add chain {table} {MARKER_PREFIX}{_hash(text)}_{_hash(body(table) or '')}\n")


def delete(table: str) -> None:
    _load(table, _transaction(table, None))
