# SPDX-License-Identifier: Apache-2.0
"""Documents from manifest files and from inventory variables, as plain values with the place they come from."""
from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Iterator, Sequence, Union

from ..errors import Problem

SUFFIXES = (".yml", ".yaml", ".json")


@dataclass(frozen=True)
class Document:
    """One object as it was written; ``file`` is the place for messages: ``web.yml:12``, or the variable and item."""

    file: str
    value: object
    variable: str = ""
    """The inventory variable it comes from; empty for a file."""


def read_manifests(paths: Sequence[str], base_dir: str) -> tuple[list[Document], list[Problem]]:
    """The documents of all files in ``paths`` (files, or folders with everything below them), in order of path.

    Relative paths are below ``base_dir`` and are named in messages as they were given.
    """
    documents: list[Document] = []
    problems: list[Problem] = []
    for path in paths:
        found = list(_files(Path(base_dir, path)))
        if not found:
            message = "has no manifests" if Path(base_dir, path).is_dir() else "does not exist"
            expected = f"a file, or a folder with {', '.join('*' + s for s in SUFFIXES)}, below {base_dir}"
            problems.append(Problem("inventory", "", "sluice_manifests", f"{path} {message}", expected))
        for file in found:
            name = str(Path(path) / file.relative_to(Path(base_dir, path)))
            try:
                content = file.read_bytes()
            except OSError as error:
                problems.append(Problem(name, "", "", f"cannot be read: {error.strerror}", "a readable file"))
                continue
            _parse(name, content, documents, problems)
    return documents, problems


def variable_documents(variable: str, values: Sequence[object]) -> list[Document]:
    """The items of an inventory variable that is a list of objects."""
    return [Document(f"inventory variable {variable}, item {number}", value, variable) for number, value in enumerate(values, 1)]


def _files(path: Path) -> Iterator[Path]:
    if path.is_file():
        yield path
    elif path.is_dir():
        for entry in sorted(path.iterdir()):
            hidden = entry.name.startswith(".")
            if not hidden and (entry.is_dir() or entry.name.endswith(SUFFIXES)):
                yield from _files(entry)


def _parse(name: str, content: bytes, documents: list[Document], problems: list[Problem]) -> None:
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        problems.append(Problem(f"{name}:{line}", "", "", "is not UTF-8 text", "a YAML or JSON manifest"))
        return
    values = _json_values(text) if name.endswith(".json") else None
    for line, value in values if values is not None else yaml_documents(name, text, problems):
        if isinstance(value, list):
            documents += (Document(f"{name}:{line}, item {number}", item) for number, item in enumerate(value, 1))
        elif value is not None:
            documents.append(Document(f"{name}:{line}", value))


def _json_values(text: str) -> Union[list[tuple[int, object]], None]:
    """The one value of a JSON file; None if it is none, for YAML's parser to say where and why (it reads JSON too)."""
    try:
        return [(1, json.loads(text, object_pairs_hook=_without_duplicates))]
    except ValueError:
        return None


def _without_duplicates(pairs: list[tuple[str, object]]) -> dict[str, object]:
    value = dict(pairs)
    if len(value) < len(pairs):
        raise ValueError
    return value


def yaml_documents(name: str, text: str, problems: list[Problem]) -> Iterator[tuple[int, object]]:
    """The documents up to the first that is not YAML, each with the line of its first key."""
    import yaml

    loader = _loader_class()(text)
    try:
        while loader.check_node():
            node = loader.get_node()
            for key in _duplicate_keys(node):
                place = f"{name}:{key.start_mark.line + 1}"
                problems.append(Problem(place, "", "", f"the key {key.value!r} is there twice in one mapping", "each key once"))
            yield node.start_mark.line + 1, loader.construct_document(node)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        place = f"{name}:{mark.line + 1}" if mark else name
        what = getattr(error, "problem", None) or str(error).splitlines()[0]
        problems.append(Problem(place, "", "", f"is not YAML: {what}", "YAML or JSON documents"))
    finally:
        loader.dispose()


def _duplicate_keys(root: Any) -> Iterator[Any]:
    """Of two equal keys YAML's parsers take the last in silence, which in a policy is a rule lost."""
    pending = [root]
    visited = set()
    while pending:
        node = pending.pop()
        if isinstance(node.value, str) or id(node) in visited:
            continue
        visited.add(id(node))
        if node.id == "sequence":
            pending += node.value
            continue
        keys = set()
        for key, value in node.value:
            if isinstance(key.value, str):
                if key.value in keys:
                    yield key
                keys.add(key.value)
            if not isinstance(value.value, str):
                pending.append(value)


@cache
def _loader_class() -> Any:
    """libyaml's loader where there is one (ten times faster), with the scalars of JSON and YAML 1.2.

    PyYAML speaks YAML 1.1, where 2020-01-01 is a date and 12:30 is 750; in Kubernetes both are text.
    """
    import yaml

    base: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

    class Loader(base):  # type: ignore[misc]
        yaml_implicit_resolvers = {  # noqa: RUF012
            first: [(tag, pattern) for tag, pattern in resolvers if not tag.endswith(":timestamp")]
            for first, resolvers in base.yaml_implicit_resolvers.items()
        }

    for kind in ("int", "float"):
        Loader.add_constructor(f"tag:yaml.org,2002:{kind}", _construct_number)
    return Loader


def _construct_number(loader: Any, node: Any) -> Union[int, float, str]:
    if ":" in node.value:
        return str(node.value)
    value: Union[int, float] = (loader.construct_yaml_int if node.tag.endswith(":int") else loader.construct_yaml_float)(node)
    return value
