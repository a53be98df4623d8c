# SPDX-License-Identifier: Apache-2.0
"""The documentation as data: its pages, their links, code blocks and the paths that they name."""
from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[1]
PAGES = sorted([ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").rglob("*.md")])

_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
_FENCE = re.compile(r"^```(\S*)[ ]*(.*?)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_PATH = re.compile(r"(?<![\w/.-])(?:playbooks|scripts|roles|plugins|tests|inventories/(?:demo|production)|docs|molecule|changelogs)(?:/[\w.-]+)+/?")
_GENERATED = re.compile(r"^inventories/\w+/(artifacts|allocations\.yml)")


class Block(NamedTuple):
    """A fenced block, for instance of the language ``yaml`` with the words ``inventory hosts.yml`` behind it."""

    language: str
    words: tuple[str, ...]
    text: str


def blocks(page: Path) -> list[Block]:
    return [Block(language, tuple(words.split()), text) for language, words, text in _FENCE.findall(page.read_text(encoding="utf-8"))]


def links(page: Path) -> list[str]:
    """Targets within the repository, relative to the page."""
    return [target for target in _LINK.findall(_FENCE.sub("", page.read_text(encoding="utf-8"))) if "://" not in target]


def paths(page: Path) -> set[str]:
    """Files and folders of the repository that the page names, but for what a run writes."""
    return {path.rstrip(".") for path in _PATH.findall(page.read_text(encoding="utf-8")) if not _GENERATED.match(path)}


def anchors(page: Path) -> set[str]:
    """What GitHub makes of the page's headings."""
    headings = re.findall(r"^#+ (.+)$", _FENCE.sub("", page.read_text(encoding="utf-8")), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
