# SPDX-License-Identifier: Apache-2.0
"""Fixtures of the agent's tests."""
from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from agent.agent_net import AgentNet
from ovs_sandbox import OvsSandbox


@pytest.fixture
def net(ovs: OvsSandbox, tmp_path: Path) -> Iterator[AgentNet]:
    """Pods on a bridge of this test's own."""
    made = AgentNet(ovs, tmp_path)
    try:
        yield made
    finally:
        made.close()
