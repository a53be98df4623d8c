# SPDX-License-Identifier: Apache-2.0
"""The pre-shared keys that a node's tunnels need, as option ``secrets`` of sluice.fabric.switch."""
from __future__ import annotations

from typing import Any, Callable

from ansible.errors import AnsibleFilterError
from ansible_collections.sluice.fabric.plugins.module_utils.encryption.psk import switch_secrets

DOCUMENTATION = r"""
name: ipsec_secrets
short_description: Make the pre-shared keys of a node's encrypted tunnels
version_added: 0.1.0
author: Sluice contributors (@sluice)
description:
  - Makes the keys of the tunnels in a node's compiled C(switch.json) from a secret of the cluster, for O(sluice.fabric.switch#module:secrets). Both ends of
    a tunnel get the same key, and no two tunnels do.
positional: _input, node, secret
options:
  _input:
    description: What C(switch.json) says.
    type: dict
    required: true
  node:
    description: Whose switch it is.
    type: str
    required: true
  secret:
    description: The cluster's secret, C(sluice_ipsec_secret).
    type: str
    required: true
"""

EXAMPLES = r"""
- name: Put bridges and ports
  sluice.fabric.switch:
    config: "{{ switch }}"
    secrets: "{{ switch | sluice.fabric.ipsec_secrets(inventory_hostname, sluice_ipsec_secret) }}"
"""

RETURN = r"""
_value:
  description: Interface to options; empty where no tunnel has a pre-shared key.
  type: dict
"""


def ipsec_secrets(switch: Any, node: str, secret: str) -> dict[str, dict[str, str]]:
    """See DOCUMENTATION."""
    if not isinstance(switch, dict):
        raise AnsibleFilterError("ipsec_secrets takes what a node's switch.json says")
    return switch_secrets(switch, node, str(secret))


class FilterModule:
    """What Ansible looks for."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"ipsec_secrets": ipsec_secrets}
