# SPDX-License-Identifier: Apache-2.0
"""Options of every module that speaks to an OVSDB."""
from __future__ import annotations


class ModuleDocFragment:
    """Documentation shared by the modules that have an option ``database``."""

    DOCUMENTATION = r"""
options:
  database:
    description:
      - Where the ovsdb-server listens, as C(unix:PATH) or C(tcp:HOST:PORT).
    type: str
    default: unix:/var/run/openvswitch/db.sock
"""
