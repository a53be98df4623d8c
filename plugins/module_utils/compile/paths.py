# SPDX-License-Identifier: Apache-2.0
"""Where a node's program is, for those who hand it to the node."""
from __future__ import annotations

from pathlib import Path
from typing import Any

from ..intent.state import ClusterState
from .artifacts import METERS_FILE, SERVICE_FLOWS_FILE, SERVICE_GROUPS_FILE, peers_file
from .fabric import Fabric


def program_paths(state: ClusterState, directory: Path) -> dict[str, dict[str, Any]]:
    """Node name to ``directory`` (the folder of its files), and to the files, its own and shared ones, of its ``flows``, ``groups`` and ``meters``."""
    fabric = Fabric(state)
    paths = {}
    for name, node in state.nodes.items():
        own = directory / name
        group = fabric.peer_group(node)
        flows = [own / "flows.txt", directory / SERVICE_FLOWS_FILE, *([directory / peers_file(group)] if group else [])]
        paths[name] = {
            "directory": str(own),
            "flows": [str(file) for file in flows],
            "groups": [str(own / "groups.txt"), str(directory / SERVICE_GROUPS_FILE)],
            "meters": [str(directory / METERS_FILE)]}
    return paths
