# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import uuid
from collections.abc import Iterator

import pytest
from fabric.fabric_lab import FabricLab


@pytest.fixture(scope="module")
def fabric(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FabricLab]:
    """A lab of three pristine nodes that the tests of a module share, in the order in which they are written."""
    lab = FabricLab("f" + uuid.uuid4().hex[:6], tmp_path_factory.mktemp("fabric"))
    try:
        lab.set_nodes(1, 2, 3)
        lab.succeed("lab_up")
        yield lab
    finally:
        lab.run("lab_down")
