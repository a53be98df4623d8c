#!/usr/bin/python
# SPDX-License-Identifier: Apache-2.0
"""Ansible module: what a node's host settings are."""
from __future__ import annotations

DOCUMENTATION = r"""
---
module: host_info
short_description: Read sysctl, links, routes, neighbours, firewalls, files and units of a node
version_added: 0.1.0
description:
  - The twin of M(sluice.fabric.host). Reads what is there under the names in a configuration, and says what
    M(sluice.fabric.host) would do to make it so.
author: Sluice contributors (@sluice)
requirements:
  - iproute2 on the node, nftables where the section C(nftables) is asked for
options:
  config:
    description:
      - What to look at, as for M(sluice.fabric.host).
      - Without it, what the node was last given, C(/etc/sluice/host.json); where there is no such file, the routes and neighbours of
        protocol 83.
    type: dict
extends_documentation_fragment:
  - sluice.fabric.attributes
attributes:
  check_mode:
    support: full
    details: Changes nothing in either mode.
  diff_mode:
    support: none
  idempotent:
    support: full
"""

EXAMPLES = r"""
- name: Is the host still what it was last made?
  sluice.fabric.host_info:
  register: host_now

- name: Fail if somebody changed it
  ansible.builtin.assert:
    that: host_now.in_sync
    fail_msg: "{{ host_now.actions | join(', ') }}"
"""

RETURN = r"""
config:
  description:
    - What was found, in the shape and with the sections of the option O(config); null for what is not there. Links are listed whole.
    - C(firewall) has what each active firewall manager is to be told, and whether it has been; it is empty where none is active.
  returned: success
  type: dict
  sample:
    sysctl: {net.ipv4.ip_forward: "1"}
    links: [{name: sluice-gw0, mac: "0a:00:00:00:00:01", mtu: 1450, addresses: [10.10.0.1/24], up: true}]
in_sync:
  description: Whether M(sluice.fabric.host) with the same O(config) would change nothing.
  returned: success
  type: bool
actions:
  description: What M(sluice.fabric.host) would do, one line each.
  returned: success
  type: list
  elements: str
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.sluice.fabric.plugins.module_utils.errors import SluiceError
from ansible_collections.sluice.fabric.plugins.module_utils.node.host.inspect import inspect, program


def main() -> None:
    module = AnsibleModule(argument_spec={"config": {"type": "dict"}}, supports_check_mode=True)
    config = module.params["config"]
    try:
        found = inspect(program() if config is None else config)
    except SluiceError as error:
        module.fail_json(msg=str(error))
    module.exit_json(changed=False, config=found.config, in_sync=not found.actions, actions=found.actions)


if __name__ == "__main__":
    main()
