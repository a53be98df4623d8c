# SPDX-License-Identifier: Apache-2.0
"""What a change touches, and in which order nodes take it."""
from __future__ import annotations

from pathlib import Path
from typing import Iterable, Mapping

from .artifacts import METERS_FILE, SERVICE_FLOWS_FILE, SERVICE_GROUPS_FILE

FLOW_FILES = ("flows.txt", "groups.txt", "rules.json", SERVICE_FLOWS_FILE, SERVICE_GROUPS_FILE, METERS_FILE)
INGRESS = "table=ingress_"


def beyond_flows(changed: Iterable[Path], kept: Iterable[Path]) -> list[Path]:
    """Those of the changed artifacts that are more than flows and what goes with them; ``kept``: files that go to no node."""
    return [path for path in changed if path.name not in FLOW_FILES and not path.name.startswith("peers-") and path not in kept]


def receivers(nodes: Iterable[str], directory: Path, before: Mapping[Path, str], after: Mapping[Path, str]) -> list[str]:
    """The nodes that change what their pods accept. They come first, so that nobody is allowed to send what is not yet accepted."""
    def accepted(files: Mapping[Path, str], node: str) -> set[str]:
        return {line for line in files.get(directory / node / "flows.txt", "").splitlines() if INGRESS in line}
    return [node for node in sorted(nodes) if accepted(before, node) != accepted(after, node)]
