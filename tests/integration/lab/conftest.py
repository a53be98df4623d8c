# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import uuid
from collections.abc import Iterator

import pytest
from lab.lab_host import BOOT_SECONDS, LabHost


def _lab() -> Iterator[LabHost]:
    lab = LabHost("t" + uuid.uuid4().hex[:8])
    try:
        yield lab
    finally:
        lab.down()


@pytest.fixture
def lab() -> Iterator[LabHost]:
    """A lab of the test's own, not up yet."""
    yield from _lab()


@pytest.fixture
def other_lab() -> Iterator[LabHost]:
    """A second one."""
    yield from _lab()


@pytest.fixture(scope="module")
def single() -> Iterator[LabHost]:
    """A lab of one node that the tests of a module share."""
    for lab in _lab():
        lab.up(1)
        yield lab


@pytest.fixture(scope="module")
def pair() -> Iterator[LabHost]:
    """A lab of two nodes that the tests of a module share."""
    for lab in _lab():
        assert lab.up(1, 2)["changed"]
        yield lab


@pytest.fixture(scope="module")
def machine() -> Iterator[LabHost]:
    """A lab of one virtual machine that the tests of a module share."""
    for lab in _lab():
        lab.up(1, machine="vm", wait=BOOT_SECONDS)
        yield lab
