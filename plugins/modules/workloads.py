#!/usr/bin/python
# SPDX-License-Identifier: Apache-2.0
"""Ansible module: run the planned pods of this node as containers."""
from __future__ import annotations

DOCUMENTATION = r"""
---
module: workloads
short_description: Run the planned pods of a node as containers
version_added: 0.1.0
description:
  - Makes exactly the pods of a node's C(pods.json) run as containers of containerd, in its namespace C(sluice). Each pod
    is a unit C(sluice-pod@<pod>.service) of systemd, so that it comes back by itself after a crash and after a reboot.
  - containerd attaches each pod to the network with the CNI configuration of the node. Pods on the host's network are not attached.
  - All pods start in parallel. The module returns when all of them run.
  - A pod runs a I(stand-in) for its image, a server that listens on all TCP and UDP ports that the pod declares, or on
    TCP port 8080 if it declares none, and answers with the pod's name and the address that it sees its client by. Its root
    file system is the node's C(/usr), read-only.
author: Sluice contributors (@sluice)
requirements:
  - containerd with its command C(ctr), and runc
  - the engine C(/usr/lib/sluice/sluice.pyz) and a CNI configuration in C(/etc/cni/net.d), which the role C(sluice.fabric.cni) installs
options:
  config:
    description:
      - The content of the node's C(pods.json).
      - Required if O(state=present).
    type: dict
  state:
    description:
      - V(present) makes exactly the pods of O(config) run. Others that this module has made are stopped and removed.
      - V(absent) stops and removes all of them, and the template of their units.
    type: str
    choices: [present, absent]
    default: present
  wait:
    description: How many seconds to wait until all pods run; 0 not to wait.
    type: int
    default: 120
extends_documentation_fragment:
  - sluice.fabric.attributes
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
  idempotent:
    support: full
seealso:
  - module: sluice.fabric.workloads_info
"""

EXAMPLES = r"""
- name: Run this node's pods
  sluice.fabric.workloads:
    config: "{{ lookup('ansible.builtin.file', 'artifacts/demo/' ~ inventory_hostname ~ '/pods.json') | from_json }}"

- name: Run no pods
  sluice.fabric.workloads:
    state: absent
"""

RETURN = r"""
restarted:
  description: Pods that were started, or started again because their definition changed; in check mode, that would be.
  returned: success
  type: list
  elements: str
  sample: [shop.cart-0]
stopped:
  description: Pods that were stopped and removed; in check mode, that would be.
  returned: success
  type: list
  elements: str
  sample: [shop.cart-1]
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.sluice.fabric.plugins.module_utils.errors import SluiceError
from ansible_collections.sluice.fabric.plugins.module_utils.node import workloads, workloads_apply

ARGUMENTS: dict[str, Any] = {
    "config": {"type": "dict"},
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    "wait": {"type": "int", "default": 120},
}


def main() -> None:
    """Entry point."""
    module = AnsibleModule(ARGUMENTS, supports_check_mode=True, required_if=[("state", "present", ["config"])])
    try:
        module.exit_json(**_run(module))
    except SluiceError as error:
        module.fail_json(msg=str(error))


def _run(module: AnsibleModule) -> dict[str, Any]:
    options = module.params
    after = workloads.parse_config(options["config"]) if options["state"] == "present" else workloads.NOTHING
    before = workloads_apply.read()
    steps = workloads.plan(before, after)
    if not module.check_mode:
        workloads_apply.apply(steps)
        if options["wait"]:
            workloads_apply.wait_until_running(sorted(after.pods), options["wait"])
    return {"changed": not steps.are_none, "restarted": list(steps.restart), "stopped": list(steps.stop),
            "diff": {"before": workloads.describe(before), "after": workloads.describe(after)}}


if __name__ == "__main__":
    main()
