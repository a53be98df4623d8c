# SPDX-License-Identifier: Apache-2.0
"""Fixtures for every integration test. This file's folder is on sys.path, so ``from ovs_sandbox import OvsSandbox`` works below it."""
from __future__ import annotations

from collections.abc import Iterator

import pytest
from ovs_sandbox import OvsSandbox


@pytest.fixture
def ovs() -> Iterator[OvsSandbox]:
    """A private Open vSwitch of this test's own."""
    with OvsSandbox() as sandbox:
        yield sandbox
