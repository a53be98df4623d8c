# SPDX-License-Identifier: Apache-2.0
"""The files in which a compile's results are kept and reviewed."""
from __future__ import annotations

import gc
import os
from contextlib import contextmanager
from pathlib import Path
from typing import Iterable, Iterator, Mapping

from ..errors import SluiceError
from ..intent.state import ClusterState
from ..pipeline.block import flows_text
from ..pipeline.notify import METERS
from .fabric import Fabric
from .node import compile_node
from .program import lines_text, render

SERVICE_FLOWS_FILE = "services.txt"
SERVICE_GROUPS_FILE = "services-groups.txt"
"""Flows and groups of Services that are the same on every node."""
METERS_FILE = "meters.txt"
"""The meters of every bridge."""


def artifact_files(state: ClusterState) -> Iterator[tuple[str, str]]:
    """Path below ``artifacts/<cluster>`` and text of each file: a folder a node, and one file a peer group that nodes share.

    Raises InputError for a state that no program can be made from.
    """
    return fabric_files(Fabric(state), state.nodes)


def fabric_files(fabric: Fabric, nodes: Iterable[str]) -> Iterator[tuple[str, str]]:
    """As `artifact_files`: the files that nodes share, and those of some nodes."""
    with _without_search_for_cycles():
        for group, flows in sorted(fabric.peer_flows.items()):
            yield peers_file(group), flows_text(flows)
        yield SERVICE_FLOWS_FILE, flows_text(fabric.service_flows)
        yield SERVICE_GROUPS_FILE, lines_text(fabric.service_groups)
        yield METERS_FILE, lines_text(METERS)
        for name in sorted(nodes):
            for file, text in render(compile_node(fabric, name)).items():
                yield f"{name}/{file}", text


@contextmanager
def _without_search_for_cycles() -> Iterator[None]:
    """A compile makes many objects and no cycles, and to look for cycles again and again takes an eighth of its time."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def peers_file(group: str) -> str:
    """Where the flows to other nodes are that a peer group shares."""
    return f"peers-{group}.txt"


def read_files(directory: Path) -> dict[str, str]:
    """Every file below ``directory``, by its path relative to it; empty if there is no such directory."""
    return {str(path.relative_to(directory)): path.read_text(encoding="utf-8")
            for path in sorted(directory.rglob("*")) if path.is_file() and not path.name.startswith(".")}


def write_files(files: Mapping[Path, str], obsolete: Iterable[Path] = ()) -> None:
    """Make each file have its text and remove the obsolete ones; on any error the old ones are still there, whole.

    All texts are written beside their files first, where a full disk shows; then they are renamed into place, which needs no space.
    Raises SluiceError with the file that could not be written.
    """
    written: list[tuple[Path, Path]] = []
    path = Path()
    try:
        for path, text in files.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            temporary = path.with_name(f".{path.name}.{os.getpid()}")
            written.append((temporary, path))
            with temporary.open("w", encoding="utf-8") as stream:
                stream.write(text)
                stream.flush()
                os.fsync(stream.fileno())
        for temporary, path in written:
            temporary.replace(path)
        for path in obsolete:
            path.unlink(missing_ok=True)
            if path.parent.is_dir() and not any(path.parent.iterdir()):
                path.parent.rmdir()
    except OSError as error:
        raise SluiceError(f"{path}: could not be written, and nothing was changed on any node: {error.strerror}") from error
    finally:
        for temporary, _path in written:
            temporary.unlink(missing_ok=True)
