# SPDX-License-Identifier: Apache-2.0
"""Fixtures of the flow tests."""
from __future__ import annotations

from collections.abc import Iterator

import pytest
from flows.flow_bridge import FlowBridge
from ovs_sandbox import OvsSandbox


@pytest.fixture
def bridge(ovs: OvsSandbox) -> FlowBridge:
    """A bridge of this test's own."""
    return FlowBridge(ovs)


@pytest.fixture(scope="module")
def shared_bridge() -> Iterator[FlowBridge]:
    """A bridge for all the tests of a file, each of which begins by clearing it."""
    with OvsSandbox() as sandbox:
        yield FlowBridge(sandbox)
