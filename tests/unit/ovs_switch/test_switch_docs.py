# SPDX-License-Identifier: Apache-2.0
"""The documentation of sluice.fabric.switch says all that the engine takes, and nothing else."""
from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from sluice.ovs.switch.map_keys import DEVICE_OPTIONS, KEYS, PATCH, TUNNELS
from sluice.ovs.switch.schema import TABLES, Child, Column

ROOT = Path(__file__).parents[3]
FRAGMENT = (ROOT / "plugins/doc_fragments/switch_config.py").read_text()
CONFIG = yaml.safe_load(FRAGMENT.partition('DOCUMENTATION = r"""')[2].partition('"""')[0])["options"]["config"]
TYPES = {str: "str", int: "int", bool: "bool"}
Documented = dict[str, Any]


def documented(table: str, suboptions: Documented, path: str = "config") -> Iterator[tuple[str, str, Documented]]:
    """Each row's suboptions, from the host down: where they are, the table, and they."""
    yield path, table, suboptions
    for child in TABLES[table].children:
        if child.key in suboptions:
            yield from documented(child.table, below(child, suboptions[child.key]), f"{path}.{child.key}")


def below(child: Child, option: Documented) -> Documented:
    """The suboptions of one of the children. Where they are in a map, they stand below one placeholder for its keys."""
    if child.shape != "map":
        return dict(option["suboptions"])
    (placeholder,) = option["suboptions"].values()
    return dict(placeholder["suboptions"])


ROWS = list(documented("Open_vSwitch", CONFIG["suboptions"]))
COLUMNS = [(f"{path}.{column.name}", table, column, options.get(column.name) or {}) for path, table, options in ROWS for column in TABLES[table].columns]
CHILDREN = [(f"{path}.{child.key}", child, options.get(child.key) or {}) for path, table, options in ROWS for child in TABLES[table].children]


def test_every_table_is_documented() -> None:
    assert {table for _, table, _ in ROWS} == set(TABLES)


@pytest.mark.parametrize(("path", "table", "suboptions"), ROWS, ids=[path for path, _, _ in ROWS])
def test_documents_these_keys_and_no_others(path: str, table: str, suboptions: Documented) -> None:
    parent = next((child for place, child, _ in CHILDREN if place == path), None)
    by = [parent.by] if parent and parent.shape == "list" else []
    assert sorted(suboptions) == sorted([*(column.name for column in TABLES[table].columns), *(child.key for child in TABLES[table].children), *by])
    assert [name for name, option in suboptions.items() if option.get("required")] == by


@pytest.mark.parametrize(("path", "table", "column", "option"), COLUMNS, ids=[path for path, *_ in COLUMNS])
def test_columns_have_their_types(path: str, table: str, column: Column, option: Documented) -> None:
    of = TYPES[column.atom]
    expected = {"type": "dict"} if "map" in column.kind else {"type": "list", "elements": of} if column.kind == "set" else {"type": of}
    if column.choices and "map" not in column.kind:
        expected["choices"] = list(column.choices)  # type: ignore[assignment]
    assert {key: value for key, value in option.items() if key != "description"} == expected


@pytest.mark.parametrize(("path", "child", "option"), CHILDREN, ids=[path for path, *_ in CHILDREN])
def test_children_have_their_shapes(path: str, child: Child, option: Documented) -> None:
    assert (option["type"], option.get("elements")) == (("list", "dict") if child.shape == "list" else ("dict", None))
    if child.shape == "map":
        assert list(option["suboptions"]) in (["NUMBER"], ["TYPE"])


def named(option: Documented) -> set[str]:
    """The keys that the description names."""
    return set(re.findall(r"C\(([\w*-]+)\)", " ".join(text(option["description"]))))


def text(description: Any) -> list[str]:
    return [description] if isinstance(description, str) else list(description)


def keys_of(table: str, column: Column) -> set[str]:
    if column.name == "options":
        return {*PATCH, *DEVICE_OPTIONS, *(key for keys in TUNNELS.values() for key in keys)}
    return {*KEYS.get((table, column.name), {}), *column.choices}


@pytest.mark.parametrize(("path", "table", "column", "option"), [entry for entry in COLUMNS if "map" in entry[2].kind],
                         ids=[path for path, _, column, _ in COLUMNS if "map" in column.kind])
def test_known_keys_are_named(path: str, table: str, column: Column, option: Documented) -> None:
    assert keys_of(table, column) - named(option) == set()


@pytest.mark.parametrize("path", [path for path, *_ in COLUMNS if path.endswith(("other_config", "options", "bfd", "lldp", "timeouts"))])
def test_no_key_is_named_that_is_not_known(path: str) -> None:
    ((table, column, option),) = [entry[1:] for entry in COLUMNS if entry[0] == path]
    assert named(option) - keys_of(table, column) == set()


def test_descriptions_are_sentences() -> None:
    def descriptions(options: Documented) -> Iterator[str]:
        for option in options.values():
            yield from text(option["description"])
            yield from descriptions(option.get("suboptions", {}))

    wrong = [line for line in descriptions({"config": CONFIG}) if not re.match(r"[A-Z]|sFlow", line) or not line.endswith(".")]
    assert wrong == []
