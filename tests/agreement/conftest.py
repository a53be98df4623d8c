# SPDX-License-Identifier: Apache-2.0
"""Switches for all tests of a worker: bridges are cheap to load, and dear to start."""
from __future__ import annotations

from collections.abc import Iterator

import pytest

from agreement.switches import Switches


@pytest.fixture(scope="session")
def switches() -> Iterator[Switches]:
    with Switches() as found:
        yield found
