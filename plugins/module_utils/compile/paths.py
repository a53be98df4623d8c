# SPDX-License-Identifier: Apache-2.0
"""Where a node's program is, for those who hand it to the node."""
from __future__ import annotations

from pathlib import Path

from ..intent.state import ClusterState
from .artifacts import peers_file
from .fabric import Fabric


def program_paths(state: ClusterState, directory: Path) -> dict[str, dict[str, str]]:
    """Node name to ``directory`` (the folder of its files) and ``peers`` (the file of the flows that it shares; empty if none)."""
    fabric = Fabric(state)
    paths = {}
    for name, node in state.nodes.items():
        group = fabric.peer_group(node)
        paths[name] = {"directory": str(directory / name), "peers": str(directory / peers_file(group)) if group else ""}
    return paths
