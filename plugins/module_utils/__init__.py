# SPDX-License-Identifier: Apache-2.0
"""The Sluice engine: intent to NodeProgram to a live node, in plain Python.

On a controller this folder is the package ``sluice``; inside a module it is the collection's module_utils. Imports
in here are relative, so that it works under both names.
"""
from __future__ import annotations

__version__ = "0.1.0"
