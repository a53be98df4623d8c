# SPDX-License-Identifier: Apache-2.0
"""The node's agent: answers packets that a rule rejects, and writes what rules log. Without it they are dropped, and not logged."""
