# SPDX-License-Identifier: Apache-2.0
"""What the attributes of Sluice's modules mean; each module says how far it supports them."""
from __future__ import annotations


class ModuleDocFragment:
    """Documentation that modules share."""

    DOCUMENTATION = r"""
options: {}
attributes:
  check_mode:
    description: Can run in check_mode and return changed status prediction without modifying the target.
  diff_mode:
    description: Returns details on what has changed (or possibly needs changing in check_mode), when in diff mode.
  idempotent:
    description: When run twice in a row outside check mode, with the same arguments, the second invocation indicates no change.
"""

    ACTION = r"""
options: {}
attributes:
  action:
    description: Has an action plugin of the same name, which does a part of the work on the controller.
"""
