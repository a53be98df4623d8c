# SPDX-License-Identifier: Apache-2.0
"""OpenFlow 1.5 as Open vSwitch speaks it: fields, matches, actions, messages, and the connection they travel on."""
from __future__ import annotations
