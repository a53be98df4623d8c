#!/usr/bin/python
# SPDX-License-Identifier: Apache-2.0
"""Ansible module: which planned pods run on this node."""
from __future__ import annotations

DOCUMENTATION = r"""
---
module: workloads_info
short_description: Tell which planned pods run on a node
version_added: 0.1.0
description:
  - Reads the pods that M(sluice.fabric.workloads) has made on a node.
author: Sluice contributors (@sluice)
extends_documentation_fragment:
  - sluice.fabric.attributes
attributes:
  check_mode:
    support: full
  diff_mode:
    support: none
  idempotent:
    support: full
seealso:
  - module: sluice.fabric.workloads
"""

EXAMPLES = r"""
- name: Read this node's pods
  sluice.fabric.workloads_info:
  register: node_pods
"""

RETURN = r"""
pods:
  description: The pods, by namespace and name.
  returned: success
  type: list
  elements: dict
  contains:
    namespace:
      description: The pod's namespace.
      type: str
      sample: shop
    name:
      description: The pod's name.
      type: str
      sample: cart-0
    ips:
      description: The planned addresses; empty on the host's network.
      type: list
      elements: str
      sample: [10.10.0.2]
    unit:
      description: The systemd unit that runs it.
      type: str
      sample: sluice-pod@shop.cart-0.service
    enabled:
      description: Whether it starts with the node.
      type: bool
    pid:
      description: The first process of its container, 0 if that does not run.
      type: int
      sample: 4711
"""

import json
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.sluice.fabric.plugins.module_utils.errors import SluiceError
from ansible_collections.sluice.fabric.plugins.module_utils.node import workloads_apply
from ansible_collections.sluice.fabric.plugins.module_utils.node.containers import running_tasks


def main() -> None:
    """Entry point."""
    module = AnsibleModule({}, supports_check_mode=True)
    try:
        module.exit_json(changed=False, pods=_pods())
    except SluiceError as error:
        module.fail_json(msg=str(error))


def _pods() -> list[dict[str, Any]]:
    running = running_tasks()
    pods = []
    for task, workload in workloads_apply.read().pods.items():
        definition = json.loads(workload.definition)
        pods.append({"namespace": definition["namespace"], "name": definition["name"], "ips": definition["ips"],
                     "unit": workloads_apply.unit(task), "enabled": workload.enabled, "pid": running.get(task, 0)})
    return sorted(pods, key=lambda pod: (pod["namespace"], pod["name"]))


if __name__ == "__main__":
    main()
