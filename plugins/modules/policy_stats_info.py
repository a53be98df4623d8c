#!/usr/bin/python
# SPDX-License-Identifier: Apache-2.0
"""Ansible module sluice.fabric.policy_stats_info."""
from __future__ import annotations

DOCUMENTATION = r"""
module: policy_stats_info
short_description: Read how much each policy rule of a node has allowed and denied
version_added: 0.1.0
author: Sluice contributors (@sluice)
description:
  - Gives packets, bytes and sessions of every rule that is enforced on the node, and their sums for every policy.
  - The numbers are counters of flows. They begin at zero when ovs-vswitchd starts, and when a rule's own flows are new or changed.
    A policy whose flows a run leaves as they are keeps its numbers.
  - Open vSwitch brings them up to date about every half second.
  - A rule is enforced on the nodes of the pods that its policy applies to, and each node counts what it has judged itself.
options:
  bridge:
    description: The name of the bridge.
    type: str
    default: br-sluice
  path:
    description: The file that names the rules, which the node's program brings.
    type: path
    default: /etc/sluice/rules.json
  policies:
    description:
      - Only these policies, each as its kind, a space, and its name or C(namespace/name).
      - Those that have no rule on the node are not in the result. The default is all of them.
    type: list
    elements: str
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
  - module: sluice.fabric.flows_info
"""

EXAMPLES = r"""
- name: What all policies have done on the node
  sluice.fabric.policy_stats_info:
  register: policy_stats

- name: Which rules have never matched
  ansible.builtin.debug:
    msg: "{{ policy_stats.rules | selectattr('packets', 'equalto', 0) | map(attribute='rule') }}"

- name: What one policy has done
  sluice.fabric.policy_stats_info:
    policies: [NetworkPolicy shop/db, AntreaClusterNetworkPolicy strict]
"""

RETURN = r"""
rules:
  description: The rules, by their policy's kind and name, direction and number.
  returned: success
  type: list
  elements: dict
  contains:
    rule:
      description: What logs and flows call the rule, too.
      type: str
    policy:
      description:
        - The policy's kind and name. What C(NetworkPolicy isolation) denies is what no Kubernetes NetworkPolicy has allowed
          to a pod that one of them selects.
      type: str
    name:
      description: The name that the policy gives the rule; empty if none.
      type: str
    direction:
      description: C(ingress) or C(egress).
      type: str
    action:
      description: C(Allow), C(Drop), C(Reject) or C(Pass).
      type: str
    packets:
      description: Packets that the rule has decided about, in both directions of the connections.
      type: int
    bytes:
      description: Their bytes, from the Ethernet header on.
      type: int
    sessions:
      description:
        - Packets of connections that nobody has answered yet. Where the rule allows, that is the number of connections,
          apart from one-way UDP and retransmissions; where it denies, that of attempts.
      type: int
  sample:
    - rule: NetworkPolicy shop/db ingress[0]
      policy: NetworkPolicy shop/db
      name: ""
      direction: ingress
      action: Allow
      packets: 12
      bytes: 888
      sessions: 2
policies:
  description: The sums over each policy's rules, by the policy's kind and name.
  returned: success
  type: list
  elements: dict
  contains:
    policy:
      description: The policy's kind and name.
      type: str
    packets:
      description: As in RV(rules).
      type: int
    bytes:
      description: As in RV(rules).
      type: int
    sessions:
      description: As in RV(rules).
      type: int
  sample: [{policy: NetworkPolicy shop/db, packets: 12, bytes: 888, sessions: 2}]
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.sluice.fabric.plugins.module_utils.errors import SluiceError
from ansible_collections.sluice.fabric.plugins.module_utils.node.policy_stats import read_policy_statistics
from ansible_collections.sluice.fabric.plugins.module_utils.ovs.openflow.connection import socket_address


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "bridge": {"type": "str", "default": "br-sluice"},
            "path": {"type": "path", "default": "/etc/sluice/rules.json"},
            "policies": {"type": "list", "elements": "str"},
            "socket": {"type": "str"},
            "timeout": {"type": "int", "default": 10},
        },
        supports_check_mode=True,
    )
    options = module.params
    try:
        found = read_policy_statistics(socket_address(options["bridge"], options["socket"]), options["path"], options["policies"],
                                       options["timeout"])
    except SluiceError as error:
        module.fail_json(msg=str(error))
    module.exit_json(changed=False, **found)


if __name__ == "__main__":
    main()
