# SPDX-License-Identifier: Apache-2.0
"""What the documentation points at exists: pages, files, make targets, modules, roles and commands of the node."""
from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest
import yaml

sys.path.insert(0, str(Path(__file__).parents[2]))

from documents import PAGES, ROOT, anchors, blocks, links, paths


def name(page: Path) -> str:
    return str(page.relative_to(ROOT))


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_links_lead_somewhere(page: Path) -> None:
    broken = []
    for target in links(page):
        file, _, anchor = target.partition("#")
        there = page.parent / file if file else page
        if not there.exists() or (anchor and anchor not in anchors(there)):
            broken.append(target)
    assert broken == []


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_paths_exist(page: Path) -> None:
    assert sorted(path for path in paths(page) if not (ROOT / path).exists()) == []


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_make_targets_exist(page: Path) -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    commands = re.findall(r"^ {4}make ((?:[a-z-]+ ?)+)|`make ((?:[a-z-]+ ?)+)`", page.read_text(encoding="utf-8"), re.MULTILINE)
    assert {target for groups in commands for group in groups for target in group.split()} <= targets


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_modules_roles_and_playbooks_exist(page: Path) -> None:
    known = {file.stem for folder in ("plugins/modules", "plugins/filter", "playbooks") for file in (ROOT / folder).glob("*.*")}
    known |= {folder.name for folder in (ROOT / "roles").iterdir()}
    used = re.findall(r"\bsluice\.fabric\.([a-z_]+)", page.read_text(encoding="utf-8"))
    assert set(used) <= known


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_yaml_is_yaml(page: Path) -> None:
    for block in blocks(page):
        if block.language == "yaml":
            assert list(yaml.safe_load_all(block.text)), block.text


def test_every_page_is_in_the_index() -> None:
    index = (ROOT / "docs/README.md").read_text(encoding="utf-8")
    pages = {page.name for page in (ROOT / "docs").glob("*.md")} - {"README.md"}
    assert {page for page in pages if f"]({page})" not in index} == set()
