#!/usr/bin/python
# SPDX-License-Identifier: Apache-2.0
"""Ansible module: send packets from the pods of this node, and tell what came back."""
from __future__ import annotations

DOCUMENTATION = r"""
---
module: probe
short_description: Send real packets from a node's pods
version_added: 0.1.0
description:
  - Sends ICMP echo requests, TCP connections and UDP datagrams from inside the network namespaces of a node's pods, and from
    the node itself, and tells what came back. One execution sends all probes of a node, many at a time.
  - Knows the pods by what the CNI plugin of Sluice remembers of them, whichever runtime has started them.
  - Reports and does not judge; M(sluice.fabric.verify) does.
author: Sluice contributors (@sluice)
requirements:
  - root on the node
options:
  probes:
    description:
      - What to send.
      - Without it, all probes that M(sluice.fabric.verify) expects of the host, as the inventory says it.
    type: list
    elements: dict
    suboptions:
      source:
        description: The pod that sends, as C(namespace/name), or V(node).
        type: str
        required: true
      destination:
        description: What has the address, for people who read the results.
        type: str
        default: ''
      address:
        description: An IPv4 or IPv6 address.
        type: str
        required: true
      protocol:
        description: What to send.
        type: str
        choices: [icmp, tcp, udp]
        required: true
      port:
        description: Destination port of TCP and UDP.
        type: int
        default: 0
      size:
        description:
          - Size of the ICMP packet in bytes, with its IP header. The packet must not be fragmented.
          - 0 where it does not matter.
        type: int
        default: 0
  ports:
    description: How many of a pod's declared ports, and of a Service's, are probed. Without O(probes).
    type: str
    choices: [all, first, none]
    default: all
  outside:
    description:
      - Addresses beyond the nodes at which a server tells, on TCP port 7777, by which address it sees its client.
      - Without O(probes).
    type: list
    elements: str
    default: []
  tries:
    description: How often a probe is sent that stays without an answer.
    type: int
    default: 3
  timeout:
    description: How many seconds each try waits.
    type: float
    default: 2.0
  state_dir:
    description: Where the CNI plugin keeps what it remembers.
    type: path
    default: /var/lib/sluice/pods
extends_documentation_fragment:
  - sluice.fabric.attributes
  - sluice.fabric.attributes.action
attributes:
  check_mode:
    support: full
    details: Probes are sent in check mode too; they change nothing.
  diff_mode:
    support: none
  idempotent:
    support: full
  action:
    support: full
seealso:
  - module: sluice.fabric.verify
"""

EXAMPLES = r"""
- name: See whether the shop's web server reaches its database
  sluice.fabric.probe:
    probes:
      - {source: shop/web-0, destination: shop/db-0, address: 10.10.1.2, protocol: tcp, port: 5432}
      - {source: shop/web-0, destination: shop/db-0, address: 10.10.1.2, protocol: icmp, size: 1450}

- name: Send all that the inventory lets expect of this node
  sluice.fabric.probe:
  register: probed
"""

RETURN = r"""
results:
  description: What came of each probe, in the order in which they were given.
  returned: success
  type: list
  elements: dict
  contains:
    source:
      description: As given.
      type: str
      sample: shop/web-0
    destination:
      description: As given.
      type: str
      sample: shop/db-0
    address:
      description: As given.
      type: str
      sample: 10.10.1.2
    protocol:
      description: As given.
      type: str
      sample: tcp
    port:
      description: As given.
      type: int
      sample: 5432
    size:
      description: As given.
      type: int
      sample: 0
    outcome:
      description:
        - V(open), if an answer came or the connection was taken; V(refused); V(timed_out).
        - V(unreachable), if the network said so, or that it is prohibited.
        - V(too_big), if the packet does not fit the interface or what is known of the path.
        - V(no_source), if the pod does not run here.
      type: str
      sample: open
    seen:
      description: The first line of the server's answer. Stand-ins give the pod's name and the address by which they see their client.
      type: str
      sample: shop/db-0 10.10.0.2
    rtt_ms:
      description: Time to the answer in milliseconds, including the waiting for other probes of the same moment.
      type: float
      sample: 0.8
encryption:
  description: The node's peers with which it encrypts.
  returned: success
  type: list
  elements: dict
  contains:
    peer:
      description: The peer; with WireGuard, its address.
      type: str
    kind:
      description: V(ipsec) or V(wireguard).
      type: str
    reason:
      description: Why no packet passes; empty if packets can.
      type: str
      sample: "there is no security association with it: its pre-shared key is another one"
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.sluice.fabric.plugins.module_utils.encryption import status
from ansible_collections.sluice.fabric.plugins.module_utils.errors import SluiceError
from ansible_collections.sluice.fabric.plugins.module_utils.node import probe

ARGUMENTS: dict[str, Any] = {
    "probes": {"type": "list", "elements": "dict", "options": {
        "source": {"type": "str", "required": True},
        "destination": {"type": "str", "default": ""},
        "address": {"type": "str", "required": True},
        "protocol": {"type": "str", "choices": ["icmp", "tcp", "udp"], "required": True},
        "port": {"type": "int", "default": 0},
        "size": {"type": "int", "default": 0},
    }},
    "ports": {"type": "str", "choices": ["all", "first", "none"], "default": "all"},
    "outside": {"type": "list", "elements": "str", "default": []},
    "tries": {"type": "int", "default": 3},
    "timeout": {"type": "float", "default": 2.0},
    "state_dir": {"type": "path", "default": "/var/lib/sluice/pods"},
}


def main() -> None:
    """Entry point."""
    module = AnsibleModule(ARGUMENTS, supports_check_mode=True)
    options = module.params
    # Where nobody gave any, the action plugin has filled them in on the controller.
    try:
        probes = probe.parse_probes(options["probes"] or [])
        answers = probe.run(probes, options["state_dir"], options["tries"], options["timeout"])
    except SluiceError as error:
        module.fail_json(msg=str(error))
    except PermissionError as error:
        module.fail_json(msg=f"probing from inside pods needs root ({error}); run it with become: true")
    module.exit_json(
        changed=False, results=[{**sent._asdict(), **answer._asdict()} for sent, answer in zip(probes, answers)],
        # After the probes, which have made nodes agree on keys where they can.
        encryption=[peer._asdict() for peer in status.read()])


if __name__ == "__main__":
    main()
