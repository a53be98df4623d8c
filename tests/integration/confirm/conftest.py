# SPDX-License-Identifier: Apache-2.0
"""Fixtures of the tests of changes that are to be confirmed."""
from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from confirm.confirm_site import ConfirmSite


@pytest.fixture
def site() -> Iterator[ConfirmSite]:
    """A node behind one uplink, and its controller."""
    # Not under tmp_path: the path of SSH's control socket would be too long.
    folder = Path(tempfile.mkdtemp(prefix="sluice-confirm-"))
    try:
        with ConfirmSite(folder) as found:
            yield found
    finally:
        shutil.rmtree(folder, ignore_errors=True)
