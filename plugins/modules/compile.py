#!/usr/bin/python
# SPDX-License-Identifier: Apache-2.0
"""Documentation of the action plugin of the same name, which does the work on the controller."""
from __future__ import annotations

DOCUMENTATION = r"""
---
module: compile
short_description: Compile the inventory to one program a node
version_added: 0.1.0
description:
  - Reads the C(sluice_*) variables of all hosts of group C(sluice_nodes) and the manifests that they name, validates them, places pods,
    allocates addresses, and writes what each node has to be to C(artifacts/<cluster>/<node>/) and the allocations to
    C(allocations.yml), beside the inventory. No node is touched.
  - All problems of the input are reported at once, with file, object and path. On any error the files stay as they were.
  - Runs on the controller and concerns all nodes, so run it once a play. Hosts without facts are compiled from those which they had
    when they were last seen, so C(--limit) is safe.
  - What is loaded and not enforced yet is named in a warning for each object.
author: Sluice contributors (@sluice)
options:
  facts_variable:
    description: The variable in which each host has the result of M(sluice.fabric.node_info).
    type: str
    default: node_facts_result
  only:
    description:
      - V(flows) refuses a change that is more than flows, groups and what goes with them, before anything is written. Bridges, host settings,
        pods and the CNI plugin then are as they were, and M(sluice.fabric.flows) alone makes the nodes what the inventory says.
    type: str
    choices: [flows]
extends_documentation_fragment:
  - sluice.fabric.attributes
attributes:
  check_mode:
    support: full
    details: The programs are written to a folder of this run of Ansible, so that the tasks that follow can predict from them.
  diff_mode:
    support: full
  idempotent:
    support: full
seealso:
  - module: sluice.fabric.node_info
"""

EXAMPLES = r"""
- name: Learn what the nodes are
  sluice.fabric.node_info:
  register: node_facts_result

- name: Compile the inventory to one program a node
  sluice.fabric.compile:
  register: program_result
  run_once: true
"""

RETURN = r"""
directory:
  description: Where the cluster's artifacts are.
  returned: success
  type: str
  sample: /home/ops/inventory/artifacts/demo
programs:
  description:
    - For each node the C(directory) of its program's files, and the files, its own and shared ones, that make up its C(flows), C(groups)
      and C(meters).
  returned: success
  type: dict
  sample:
    node1:
      directory: /home/ops/inventory/artifacts/demo/node1
      flows: [/home/ops/inventory/artifacts/demo/node1/flows.txt, /home/ops/inventory/artifacts/demo/services.txt]
      groups: [/home/ops/inventory/artifacts/demo/node1/groups.txt, /home/ops/inventory/artifacts/demo/services-groups.txt]
      meters: [/home/ops/inventory/artifacts/demo/meters.txt]
receivers:
  description:
    - The nodes that change which connections their pods accept. What is newly allowed is to be allowed there before it is where the connections come from.
  returned: success
  type: list
  elements: str
  sample: [node2]
engine:
  description: The engine for the nodes, built from this collection. C(directory) holds it twice, as C(sluice) and as C(sluice.pyz); C(sha256) is of each.
  returned: success
  type: dict
  sample: {directory: /root/.ansible/tmp/ansible-local-1/sluice-engine-x, sha256: 9f86d081}
files:
  description: Files that were written or removed; in check mode, that would be.
  returned: success
  type: list
  elements: path
  sample: [/home/ops/inventory/allocations.yml]
"""
