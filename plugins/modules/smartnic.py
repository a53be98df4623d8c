#!/usr/bin/python
# SPDX-License-Identifier: Apache-2.0
"""Ansible module: virtual functions, switchdev mode and offload of a host's NICs."""
from __future__ import annotations

DOCUMENTATION = r"""
---
module: smartnic
short_description: Give NICs their virtual functions, switchdev mode and offload, now and at every boot
version_added: 0.1.0
description:
  - Makes the NICs of a host that have an embedded switch what O(nics) says - the number of SR-IOV virtual functions (VFs), the mode of the
    eswitch, C(hw-tc-offload) and the names of representors - in the order that the kind of NIC wants. Reads what is there, takes only the
    steps that are missing, reads back and compares.
  - Everything that is wrong in O(nics), and everything that one of the NICs cannot do, is reported at once, before anything is touched.
  - ConnectX NICs get their VFs first, which are unbound from their driver while the mode changes and bound again after. An Intel E810 gets its
    mode while it has no VFs. Another number of VFs always goes through 0. What a kind of NIC can do and wants is known of ConnectX-4 Lx,
    5, 6, 6 Dx, 6 Lx and 7, BlueField-2 and 3, and E810; of others only what they tell of themselves.
  - A change that would take away a VF that a pod or a virtual machine uses is refused.
  - VFs and modes do not outlive a boot. So the host gets the unit C(sluice-smartnic.service), which makes them again by the same engine
    before the network and Open vSwitch start.
  - What a NIC was before the first run is kept in C(/var/lib/sluice/smartnic-before.json). A NIC that O(nics) no longer names goes back to
    that, and so do all of them with O(state=absent).
  - Some drivers make the NIC's interface anew when its mode changes, which then loses its addresses. The module warns where there are any.
  - It does not touch Open vSwitch. The role C(sluice.fabric.smartnic) uses it together with M(sluice.fabric.switch).
author: Sluice contributors (@sluice)
requirements:
  - iproute2 with C(devlink), ethtool
  - the engine C(/usr/lib/sluice/sluice.pyz), which the role C(sluice.fabric.cni) installs, if O(boot) is true
options:
  nics:
    description: The NICs, one entry each. What an entry does not say is left as it is.
    type: list
    elements: dict
    default: []
    suboptions:
      interface:
        description:
          - The network interface of the physical function, or its PCI address.
          - The address is the better name where the interface's changes with the mode, because udev appends the port's name to it.
        type: str
        required: true
      vfs:
        description: How many VFs it is to have. At most what C(sriov_totalvfs) tells, which the NIC's firmware sets.
        type: int
      mode:
        description: V(switchdev) gives each VF a representor on the host, which can be a port of a bridge; V(legacy) gives none.
        type: str
        choices: [legacy, switchdev]
      inline_mode:
        description:
          - How much of a packet's headers a VF's driver has to put beside it for the eswitch.
          - Only ConnectX-4 Lx has others than V(none).
        type: str
        choices: [none, link, network, transport]
      encap_mode:
        description: Whether tunnels are offloaded too (V(basic)). Only NICs of the driver mlx5_core have such a setting.
        type: str
        choices: [none, basic]
      tc_offload:
        description: C(hw-tc-offload) of the NIC and of its representors, without which Open vSwitch offloads nothing to them.
        type: bool
      representors:
        description:
          - Names of the representors, with C({vf}) for the number of the VF, at most 15 characters.
          - Without it they have the names that the system gives them, such as C(eth3), which may be others after a boot.
        type: str
  boot:
    description: Whether the NICs are to be the same after a reboot.
    type: bool
    default: true
  state:
    description:
      - V(present) makes the NICs what O(nics) says.
      - V(absent) makes all NICs that this module ever changed what they were before its first run, and removes the unit and the names.
    type: str
    choices: [present, absent]
    default: present
extends_documentation_fragment:
  - sluice.fabric.attributes
attributes:
  check_mode:
    support: full
    details: Of VFs that do not exist yet, only their number is predicted.
  diff_mode:
    support: full
  idempotent:
    support: full
seealso:
  - module: sluice.fabric.smartnic_info
  - module: sluice.fabric.switch
"""

EXAMPLES = r"""
- name: Eight VFs with representors on a ConnectX
  sluice.fabric.smartnic:
    nics:
      - interface: ens1f0
        vfs: 8
        mode: switchdev
        encap_mode: basic
        tc_offload: true
        representors: ens1f0r{vf}

- name: An E810, by its address
  sluice.fabric.smartnic:
    nics:
      - {interface: "0000:17:00.0", vfs: 16, mode: switchdev, tc_offload: true}

- name: NICs as they were before Sluice
  sluice.fabric.smartnic:
    state: absent
"""

RETURN = r"""
actions:
  description: What was done, or in check mode would be, one line each, in order.
  returned: success
  type: list
  elements: str
  sample:
    - write /etc/sluice/smartnic.json
    - echo 8 > /sys/bus/pci/devices/0000:03:00.0/sriov_numvfs
    - unbind the 8 VFs of ens1f0 from their driver
    - devlink dev eswitch set pci/0000:03:00.0 mode switchdev
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.sluice.fabric.plugins.module_utils.errors import SluiceError
from ansible_collections.sluice.fabric.plugins.module_utils.node.smartnic.config import ENCAP_MODES, INLINE_MODES, MODES
from ansible_collections.sluice.fabric.plugins.module_utils.node.smartnic.converge import absent, present
from ansible_collections.sluice.fabric.plugins.module_utils.node.smartnic.kernel import lacking

ARGUMENTS: dict[str, Any] = {
    "nics": {"type": "list", "elements": "dict", "default": [], "options": {
        "interface": {"type": "str", "required": True},
        "vfs": {"type": "int"},
        "mode": {"type": "str", "choices": list(MODES)},
        "inline_mode": {"type": "str", "choices": list(INLINE_MODES)},
        "encap_mode": {"type": "str", "choices": list(ENCAP_MODES)},
        "tc_offload": {"type": "bool"},
        "representors": {"type": "str"},
    }},
    "boot": {"type": "bool", "default": True},
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
}


def main() -> None:
    """Entry point."""
    module = AnsibleModule(ARGUMENTS, supports_check_mode=True)
    options = module.params
    try:
        is_present = options["state"] == "present"
        result = present(options["nics"], module.check_mode, options["boot"]) if is_present else absent(module.check_mode)
    except SluiceError as error:
        module.fail_json(msg=str(error))
    offloading = is_present and any(nic["tc_offload"] for nic in options["nics"])
    for warning in [*result.warnings, *(lacking() if offloading else ())]:
        module.warn(warning)
    module.exit_json(changed=result.changed, actions=result.actions, diff=result.diff)


if __name__ == "__main__":
    main()
