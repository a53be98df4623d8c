# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from cni.cni_node import Node
from ovs_sandbox import OvsSandbox


@pytest.fixture
def node(ovs: OvsSandbox, tmp_path: Path) -> Iterator[Node]:
    node = Node(ovs, tmp_path)
    node.start_bridge()
    yield node
    node.close()
