# SPDX-License-Identifier: Apache-2.0
"""How much is compared: as much as a run of all tests has time for, or as ``SLUICE_STATES`` says."""
from __future__ import annotations

import os

STATES = int(os.environ.get("SLUICE_STATES", "200"))
"""Random states."""
REAL_STATES = max(10, STATES // 10)
"""Of which real packets are sent in."""
WHOLE = STATES >= 2000
"""Whether this is the whole proof, which asks everything of every case."""
