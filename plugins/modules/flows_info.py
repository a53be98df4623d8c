#!/usr/bin/python
# SPDX-License-Identifier: Apache-2.0
"""Ansible module sluice.fabric.flows_info."""
from __future__ import annotations

DOCUMENTATION = r"""
module: flows_info
short_description: Read a bridge's OpenFlow flows, groups and meters
version_added: 0.1.0
author: Sluice contributors (@sluice)
description:
  - Gives a bridge's flows, groups and meters in the syntax of ovs-ofctl(8), which M(sluice.fabric.flows) takes.
  - Speaks OpenFlow 1.5 itself. It needs neither ovs-ofctl nor python3-openvswitch on the node.
options:
  bridge:
    description: The name of the bridge.
    type: str
    required: true
  tables:
    description: Names of tables by number, used in what is returned.
    type: dict
    default: {}
  cookie:
    description: Which flows, as C(value/mask). The default is all of them.
    type: str
    default: "0/0"
  statistics:
    description: Whether to return the counters of every flow as well.
    type: bool
    default: false
extends_documentation_fragment:
  - sluice.fabric.openflow
  - sluice.fabric.attributes
attributes:
  check_mode:
    support: full
  diff_mode:
    support: none
  idempotent:
    support: full
seealso:
  - module: sluice.fabric.flows
"""

EXAMPLES = r"""
- name: The flows of Sluice's program, and how many packets each has seen
  sluice.fabric.flows_info:
    bridge: br-int
    cookie: 0x51c3000000000000/0xffff000000000000
    tables:
      0: classify
    statistics: true
  register: program
"""

RETURN = r"""
flows:
  description: The flows, by table, falling priority and match.
  returned: success
  type: list
  elements: str
  sample: ["cookie=0x0, table=classify, priority=100,arp actions=NORMAL"]
groups:
  description: The groups, by number.
  returned: success
  type: list
  elements: str
  sample: ["group_id=1,type=select,bucket=bucket_id:0,weight:1,actions=output:2"]
meters:
  description: The meters, by number.
  returned: success
  type: list
  elements: str
  sample: ["meter=1 kbps bands=type=drop rate=1000"]
statistics:
  description: The counters of each of RV(flows), in the same order.
  returned: with O(statistics=true)
  type: list
  elements: dict
  contains:
    packets:
      description: How many packets the flow has matched.
      type: int
    bytes:
      description: How many bytes they had.
      type: int
  sample: [{packets: 7, bytes: 686}]
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.sluice.fabric.plugins.module_utils.errors import SluiceError
from ansible_collections.sluice.fabric.plugins.module_utils.ovs.flow_info import read_bridge
from ansible_collections.sluice.fabric.plugins.module_utils.ovs.openflow.connection import socket_address
from ansible_collections.sluice.fabric.plugins.module_utils.ovs.program import parse_owner, parse_tables


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "bridge": {"type": "str", "required": True},
            "tables": {"type": "dict", "default": {}},
            "cookie": {"type": "str", "default": "0/0"},
            "statistics": {"type": "bool", "default": False},
            "socket": {"type": "str"},
            "timeout": {"type": "int", "default": 10},
        },
        supports_check_mode=True,
    )
    options = module.params
    try:
        found = read_bridge(socket_address(options["bridge"], options["socket"]), parse_tables(options["tables"]),
                            parse_owner(options["cookie"]), options["timeout"])
    except SluiceError as error:
        module.fail_json(msg=f"bridge {options['bridge']}: {error}")
    counters = {"statistics": [{"packets": packets, "bytes": octets} for packets, octets in found.counters]}
    module.exit_json(changed=False, flows=found.flows, groups=found.groups, meters=found.meters,
                     **(counters if options["statistics"] else {}))


if __name__ == "__main__":
    main()
