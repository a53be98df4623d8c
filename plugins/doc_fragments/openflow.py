# SPDX-License-Identifier: Apache-2.0
"""How the modules that speak OpenFlow reach a bridge."""
from __future__ import annotations


class ModuleDocFragment:
    """Documentation that modules share."""

    DOCUMENTATION = r"""
options:
  socket:
    description:
      - Where the bridge speaks OpenFlow, as C(unix:path) or C(tcp:host:port).
      - The default is the bridge's management socket C(/var/run/openvswitch/<bridge>.mgmt).
    type: str
  timeout:
    description: How many seconds ovs-vswitchd may leave a request without an answer.
    type: int
    default: 10
"""
