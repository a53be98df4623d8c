# SPDX-License-Identifier: Apache-2.0
"""Changes of a switch that are undone unless the controller comes back over a new connection: docs/decisions/0007-commit-confirmed.md."""
