#!/usr/bin/python
# SPDX-License-Identifier: Apache-2.0
"""Ansible module sluice.fabric.switch_info."""
from __future__ import annotations

DOCUMENTATION = r"""
module: switch_info
short_description: Read how a host's Open vSwitch is configured, and what it does
version_added: 0.1.0
author: Sluice contributors (@sluice)
description:
  - Gives the OVSDB configuration of a host in the shape that O(sluice.fabric.switch#module:config) takes,
    and what ovs-vswitchd reports of each interface.
  - Reads in one transaction, so the result is the state of one moment. Changes nothing.
options:
  statistics:
    description:
      - Whether to give each interface's counters, too.
    type: bool
    default: false
extends_documentation_fragment:
  - sluice.fabric.ovsdb
  - sluice.fabric.attributes
attributes:
  check_mode:
    support: full
  diff_mode:
    support: none
    details: Nothing is ever changed.
  idempotent:
    support: full
seealso:
  - module: sluice.fabric.switch
"""

EXAMPLES = r"""
- name: Read the switch
  sluice.fabric.switch_info:
  register: switch

- name: Show the interfaces that do not work
  ansible.builtin.debug:
    msg: "{{ switch.interfaces | dict2items | selectattr('value.error', 'defined') | list }}"
"""

RETURN = r"""
gathered:
  description:
    - The configuration; given to M(sluice.fabric.switch) as O(sluice.fabric.switch#module:config) it changes nothing.
    - It has no bridges where Open vSwitch is not installed.
  returned: success
  type: dict
  sample: {bridges: [{name: br-int, fail_mode: secure, ports: [{name: br-int, interfaces: [{name: br-int, type: internal}]}]}]}
interfaces:
  description: What is known of each interface beside its configuration, by name; a key without a value is absent.
  returned: success
  type: dict
  contains:
    bridge:
      description: The bridge that it is in.
      type: str
    port:
      description: The port that it is in.
      type: str
    owner:
      description: Which owner created the port; absent if Sluice did not.
      type: str
    ofport:
      description: Its OpenFlow port number; -1 if it could not be made.
      type: int
    link_state:
      description: V(up) or V(down), as the device has a carrier.
      type: str
    admin_state:
      description: V(up) or V(down), as the device is set.
      type: str
    mac_in_use:
      description: Its Ethernet address.
      type: str
    mtu:
      description: Its MTU in bytes.
      type: int
    error:
      description: Why ovs-vswitchd could not make or configure it.
      type: str
    statistics:
      description: Its counters, if O(statistics) is set.
      type: dict
  sample: {gw0: {bridge: br-int, port: gw0, owner: sluice, ofport: 1, link_state: up, admin_state: up, mtu: 1450}}
ovs_version:
  description: The version of Open vSwitch as its start script recorded it; V(null) where it did not, or where it is not installed.
  returned: success
  type: str
  sample: 3.1.0
realised:
  description: Whether ovs-vswitchd has taken the configuration as it is (C(cur_cfg) has reached C(next_cfg)).
  returned: success
  type: bool
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.sluice.fabric.plugins.module_utils.errors import SluiceError
from ansible_collections.sluice.fabric.plugins.module_utils.ovs.remote_options import REMOTE_OPTIONS, remote_from
from ansible_collections.sluice.fabric.plugins.module_utils.ovs.switch.apply import switch_at
from ansible_collections.sluice.fabric.plugins.module_utils.ovs.switch.describe import gathered, interface_status


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "statistics": {"type": "bool", "default": False},
            **REMOTE_OPTIONS,
        },
        supports_check_mode=True,
    )
    try:
        switch = switch_at(remote_from(module.params), module.params["statistics"])
    except SluiceError as error:
        module.fail_json(msg=str(error))
    module.exit_json(
        changed=False, gathered=gathered(switch), interfaces=interface_status(switch), ovs_version=switch.version,
        realised=switch.cur_cfg >= switch.next_cfg)


if __name__ == "__main__":
    main()
