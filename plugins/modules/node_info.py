#!/usr/bin/python
# SPDX-License-Identifier: Apache-2.0
"""Ansible module: what the controller has to know of a node."""
from __future__ import annotations

DOCUMENTATION = r"""
---
module: node_info
short_description: Read what Sluice has to know of a node
version_added: 0.1.0
description:
  - Reads in one short module execution what compiling needs (interfaces, addresses, routes) and what roles decide by (distribution,
    installed packages, services, checksums of files). Much faster than gathering facts.
  - Interfaces and routes are those that the node would have without Sluice. What M(sluice.fabric.host) moved or replaced is reported where
    it was, so that what is compiled from it does not depend on how much of it has been applied.
author: Sluice contributors (@sluice)
options:
  packages:
    description: Packages whose versions are asked for.
    type: list
    elements: str
    default: []
  services:
    description: Services whose state is asked for, with or without C(.service).
    type: list
    elements: str
    default: []
  files:
    description: Files whose checksums are asked for.
    type: list
    elements: path
    default: []
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
- name: Learn what the node is
  sluice.fabric.node_info:
    packages: [openvswitch-switch]
    services: [openvswitch-switch]
    files: [/usr/lib/sluice/sluice.pyz]
  register: node
"""

RETURN = r"""
os:
  description: The distribution, from os-release.
  returned: success
  type: dict
  sample: {id: ubuntu, id_like: [debian], version_id: "24.04"}
python:
  description: Version of the Python that ran the module.
  returned: success
  type: str
  sample: 3.11.2
architecture:
  description: The machine's architecture, as C(uname -m) has it.
  returned: success
  type: str
  sample: x86_64
kernel:
  description: Release of the running kernel.
  returned: success
  type: str
  sample: 6.1.0-31-amd64
boot_id:
  description: Differs from boot to boot.
  returned: success
  type: str
packages:
  description: Versions of those asked for that are installed.
  returned: success
  type: dict
  sample: {openvswitch-switch: 3.1.0-2+deb12u1}
services:
  description: State of all that were asked for; one that does not exist is neither active nor enabled.
  returned: success
  type: dict
  sample: {openvswitch-switch: {active: true, enabled: true}}
files:
  description: SHA-256 of all that were asked for; null for one that does not exist.
  returned: success
  type: dict
interfaces:
  description: Network interfaces by name.
  returned: success
  type: dict
  contains:
    addresses:
      description: Global addresses with prefix length.
      type: list
      elements: str
    mac:
      description: Ethernet address.
      type: str
    mtu:
      description: MTU in bytes.
      type: int
    up:
      description: Whether it is set up.
      type: bool
routes:
  description: Routes of the main table, both families, one entry a next hop; neither the kernel's own nor Sluice's.
  returned: success
  type: list
  elements: dict
  contains:
    destination:
      description: A network, or V(default).
      type: str
    via:
      description: The next hop; missing if there is none.
      type: str
    device:
      description: The interface.
      type: str
    protocol:
      description: Who made the route, V(boot), V(static), V(ra), V(dhcp) or a number.
      type: str
    metric:
      description: The metric.
      type: int
nics:
  description: What pools of virtual functions select by, of each NIC that has SR-IOV. C(vf_device) and C(vf_driver) are those of its virtual functions.
  returned: success
  type: dict
  sample: {ens1f0: {interface: ens1f0, address: "0000:03:00.0", vendor: 15b3, vf_device: "1018", vf_driver: mlx5_core}}
kernel_modules:
  description: Whether the module is loaded or can be.
  returned: success
  type: dict
  sample: {openvswitch: true, wireguard: true}
sysctl_writable:
  description: Whether kernel parameters can be set (not in an unprivileged container).
  returned: success
  type: bool
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.sluice.fabric.plugins.module_utils.errors import SluiceError
from ansible_collections.sluice.fabric.plugins.module_utils.node.facts import gather


def main() -> None:
    names = {"type": "list", "elements": "str", "default": []}
    module = AnsibleModule(
        argument_spec={"packages": names, "services": names, "files": {"type": "list", "elements": "path", "default": []}},
        supports_check_mode=True,
    )
    try:
        facts = gather(module.params["packages"], module.params["services"], module.params["files"])
    except SluiceError as error:
        module.fail_json(msg=str(error))
    module.exit_json(changed=False, **facts)


if __name__ == "__main__":
    main()
