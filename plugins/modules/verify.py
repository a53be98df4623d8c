#!/usr/bin/python
# SPDX-License-Identifier: Apache-2.0
"""Documentation of the action plugin sluice.fabric.verify."""
from __future__ import annotations

DOCUMENTATION = r"""
---
module: verify
short_description: Compare what pods reach with what the inventory says
version_added: 0.1.0
description:
  - Compares the results of M(sluice.fabric.probe) of all nodes with what the inventory lets expect, prints who reaches whom as a table,
    and fails if anything is different.
  - What is expected is computed from pods, Services and policies alone, by an engine that shares nothing with the compiler of flows.
  - Runs on the controller, once for all hosts.
author: Sluice contributors (@sluice)
options:
  variable:
    description: The variable in which each host has the registered result of M(sluice.fabric.probe).
    type: str
    required: true
  ports:
    description: The same as was given to M(sluice.fabric.probe).
    type: str
    choices: [all, first, none]
    default: all
  outside:
    description:
      - The same as was given to M(sluice.fabric.probe).
      - Pods have to be seen there by the address by which their node is.
    type: list
    elements: str
    default: []
  report:
    description: A file on the controller that gets every probe, its result, and the rule that decides, as JSON.
    type: path
  width:
    description: How many characters wide the table may be.
    type: int
    default: 120
extends_documentation_fragment:
  - sluice.fabric.attributes
  - sluice.fabric.attributes.action
attributes:
  check_mode:
    support: full
    details: The report is written in check mode too; no node is changed in any mode.
  diff_mode:
    support: none
  idempotent:
    support: full
  action:
    support: full
seealso:
  - module: sluice.fabric.probe
"""

EXAMPLES = r"""
- name: Verify the pod network
  hosts: sluice_nodes
  tasks:
    - name: Send packets from every pod
      sluice.fabric.probe:
      register: probed

    - name: Compare with what is expected
      sluice.fabric.verify:
        variable: probed
        report: report.json
      run_once: true
"""

RETURN = r"""
probes:
  description: How many probes were expected.
  returned: always
  type: int
  sample: 396
wrong:
  description: How many of them are not as expected; the table and O(report) say which.
  returned: always
  type: int
  sample: 0
"""
