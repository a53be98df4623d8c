# SPDX-License-Identifier: Apache-2.0
"""The error that everything of Sluice raises; in a file that imports nothing, for programs that have to start fast."""
from __future__ import annotations


class SluiceError(Exception):
    """An operation failed; the message is complete and meant for the user."""
