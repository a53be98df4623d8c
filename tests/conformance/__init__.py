# SPDX-License-Identifier: Apache-2.0
"""Reachability cases of other projects against Sluice: ``python -m tests.conformance PATH…``."""
