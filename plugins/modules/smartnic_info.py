#!/usr/bin/python
# SPDX-License-Identifier: Apache-2.0
"""Ansible module: what a host's NICs are, and what they could be."""
from __future__ import annotations

DOCUMENTATION = r"""
---
module: smartnic_info
short_description: Read virtual functions, eswitch modes, representors and offload of a host's NICs
version_added: 0.1.0
description:
  - Reads the NICs of a host that have SR-IOV, with each of their virtual functions (VFs) and what represents it on the host.
author: Sluice contributors (@sluice)
requirements:
  - iproute2 with C(devlink), ethtool
options:
  interfaces:
    description: Interfaces or PCI addresses of the NICs to read; without it, all that have SR-IOV.
    type: list
    elements: str
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
seealso:
  - module: sluice.fabric.smartnic
"""

EXAMPLES = r"""
- name: Read the NICs
  sluice.fabric.smartnic_info:
  register: nics

- name: Which VFs are free?
  ansible.builtin.debug:
    msg: "{{ nics.nics.ens1f0.functions | rejectattr('in_use') | map(attribute='address') }}"
  when: "'ens1f0' in nics.nics"
"""

RETURN = r"""
nics:
  description:
    - By interface, what the NIC is. Null for what it does not tell.
    - C(profile) is the kind of NIC that it is taken for, C(functions) are its VFs. A VF is in use if its driver has it and the host has
      no interface of it, because a pod or a virtual machine has that.
  returned: success
  type: dict
  sample:
    ens1f0:
      address: "0000:03:00.0"
      vendor: 15b3
      device: "1017"
      driver: mlx5_core
      profile: ConnectX-5
      vfs: 1
      max_vfs: 8
      mode: switchdev
      inline_mode: none
      encap_mode: basic
      tc_offload: true
      switch_id: b8599ffffe3a1c2e
      functions:
        - {number: 0, address: "0000:03:00.1", driver: mlx5_core, interface: ens1f0v0, in_use: false, representor: ens1f0r0}
kernel:
  description: What the running kernel was built without, of what offload needs; empty if nothing is missing or it does not tell.
  returned: success
  type: list
  elements: str
  sample: ["this kernel was built without CONFIG_NET_TC_SKB_EXT: flows behind conntrack, which are all of a pod's, stay in software"]
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.sluice.fabric.plugins.module_utils.node.smartnic.converge import describe
from ansible_collections.sluice.fabric.plugins.module_utils.node.smartnic.kernel import lacking
from ansible_collections.sluice.fabric.plugins.module_utils.node.smartnic.machine import Host
from ansible_collections.sluice.fabric.plugins.module_utils.node.smartnic.read import all_names, read


def main() -> None:
    """Entry point."""
    module = AnsibleModule({"interfaces": {"type": "list", "elements": "str"}}, supports_check_mode=True)
    host = Host()
    names = module.params["interfaces"]
    found = read(host, all_names(host) if names is None else names)
    missing = sorted(name for name, nic in found.items() if nic is None)
    if missing:
        module.fail_json(msg=f"this host has no NIC {', '.join(missing)}; without interfaces, all that it has are read")
    module.exit_json(changed=False, nics={nic.interface: describe(nic) for nic in found.values() if nic}, kernel=lacking())


if __name__ == "__main__":
    main()
