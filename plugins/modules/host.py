#!/usr/bin/python
# SPDX-License-Identifier: Apache-2.0
"""Ansible module: make a node's host settings what a node's program says."""
from __future__ import annotations

DOCUMENTATION = r"""
---
module: host
short_description: Make sysctl, links, routes, neighbours, firewalls, files and units of a node what a program says
version_added: 0.1.0
description:
  - Makes all that a node has to be beside Open vSwitch in one module execution. Reads what is there, changes only what differs, reads
    back and compares.
  - Every section of O(config) that is given is made exactly so, within what is Sluice's. What an earlier run made and O(config) names
    no more goes back to what it was before. A section that is missing is left alone.
  - Routes and neighbours that Sluice makes carry protocol 83. Such routes of the main table and such neighbours that O(config) does
    not list are removed; others stay, except a route with the same destination and metric as a listed one, and the routes of a link
    whose C(addresses) are empty.
  - Addresses that move from one link to another are added there before they are removed here, so connections last.
  - A run that fails half-way puts back what was there, files included.
  - Packets have to pass every firewall of a host. So ufw and firewalld, where they are active, are given the openings of the section
    C(firewall) in their own configuration, which reloads and reboots keep. firewalld is reloaded when these change; connections last,
    but what somebody told firewalld without C(--permanent) is lost by that.
  - Other nftables tables (iptables-nft's among them) are left alone. If a chain of theirs at the hook input or forward has policy drop
    and lacks a rule for the openings, a warning names the chain and the rule.
  - What was there before the first run is kept on the node in C(/var/lib/sluice/host-before.json). O(state=absent) puts it back.
author: Sluice contributors (@sluice)
requirements:
  - iproute2 on the node, nftables where the section C(nftables) is not empty, systemd where the section C(units) is not empty
  - firewalld 0.9, or ufw 0.36, where these are active and the section C(firewall) is not empty
options:
  config:
    description:
      - The sections C(sysctl), C(links), C(routes), C(neighbours), C(nftables), C(firewall), C(files) and C(units), each of which may be missing.
        Mistakes are all reported at once, each with its path, before anything is touched.
      - C(sysctl) maps names to values. They are set now, and at every boot by C(/etc/sysctl.d/90-sluice.conf).
      - C(links) is a list of mappings with C(name), and what is managed of C(mac), C(mtu), C(addresses) and C(up). C(addresses) is the
        exact list of global addresses with their prefix lengths; link-local IPv6 addresses are the kernel's. A link with addresses is
        up unless it says otherwise. A link must exist, or appear within O(wait) seconds; one with C(wireguard) is made.
      - C(wireguard) of a link is a mapping with C(private_key_file), C(port) and C(peers), a list of mappings with C(public_key),
        C(endpoint), C(allowed_ips) and optionally C(persistent_keepalive). Other peers of the device go. The kernel's WireGuard is used,
        or wireguard-go where it has none. The private key is read from its file on the node, and is never a part of a result.
      - C(routes) is a list of mappings with C(destination) (a network, or C(default)), C(device), and optionally C(via), C(source),
        C(metric), C(mtu) and C(onlink).
      - C(neighbours) is a list of mappings with C(address), C(mac) and C(device). They become permanent entries.
      - C(nftables) maps tables (C(inet sluice); C(sluice) alone is the same) to their text without the wrapper. A table is replaced in
        one transaction if it is to be another, or if somebody changed it.
      - C(firewall) has what other firewalls have to let pass. C(ports) is a list of mappings with C(protocol) (C(udp), C(tcp),
        C(gre) or C(esp)), C(port) for the first two, C(interface), and C(address), the host's address to which the packets go; firewalld goes
        by the address alone. C(interfaces) is a list of interfaces of which everything passes, in, out and forwarded.
      - C(files) maps absolute paths to mappings with C(content) and optionally C(mode) (C("0644")). The owner is root, missing
        directories are made. Contents are shown in the diff, so this is no place for secrets.
      - C(units) maps systemd units to mappings with C(enabled) and C(started). systemd reads units again when their files change, and
        a started unit whose own file changed is restarted.
    type: dict
    default: {}
  state:
    description:
      - V(present) makes the host what O(config) says.
      - V(absent) takes away all that this module ever made on the host and puts back what was there before, whatever O(config) says.
        If the record of what was there before is lost, the files and tables that O(config) names are removed, and the routes and
        neighbours of protocol 83.
    type: str
    choices: [present, absent]
    default: present
  wait:
    description: Seconds to wait for links that do not exist yet. C(ovs-vswitchd) makes them a moment after it is told to.
    type: float
    default: 5
extends_documentation_fragment:
  - sluice.fabric.attributes
attributes:
  check_mode:
    support: full
    details: A link that does not exist yet is predicted as one that has nothing of what it is to get; so is all else on a pristine node.
  diff_mode:
    support: full
  idempotent:
    support: full
"""

EXAMPLES = r"""
- name: The host settings of this node's program
  sluice.fabric.host:
    config: "{{ lookup('ansible.builtin.file', 'artifacts/demo/node1/host.json') | from_json }}"

- name: A gateway into the pod network, and forwarding
  sluice.fabric.host:
    config:
      sysctl:
        net.ipv4.ip_forward: "1"
      links:
        - {name: sluice-gw0, mtu: 1450, addresses: [10.10.0.1/24, "fd10::1/64"]}
      routes:
        - {destination: 10.10.0.0/16, via: 169.254.0.1, device: sluice-gw0, onlink: true, source: 10.10.0.1}
      neighbours:
        - {address: 169.254.0.1, mac: "0a:00:00:00:00:01", device: sluice-gw0}
      nftables:
        inet sluice: |
          chain postrouting {
            type nat hook postrouting priority srcnat; policy accept;
            ip saddr 10.10.0.0/24 ip daddr != 10.10.0.0/16 masquerade
          }
      firewall:
        ports:
          - {protocol: udp, port: 6081, interface: eth1, address: 192.168.77.11}
        interfaces: [sluice-gw0]

- name: The host as it was before Sluice
  sluice.fabric.host:
    state: absent
"""

RETURN = r"""
actions:
  description: What was done, or in check mode would be, one line each, in order.
  returned: success
  type: list
  elements: str
  sample: ["nft replace table inet sluice", "sysctl net.ipv4.ip_forward=1", "ip link set dev sluice-gw0 up"]
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.sluice.fabric.plugins.module_utils.errors import SluiceError
from ansible_collections.sluice.fabric.plugins.module_utils.node.host.converge import absent, present


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "config": {"type": "dict", "default": {}},
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
            "wait": {"type": "float", "default": 5},
        },
        supports_check_mode=True,
    )
    given: dict[str, Any] = module.params
    try:
        if given["state"] == "present":
            result = present(given["config"], check=module.check_mode, wait=given["wait"])
        else:
            result = absent(given["config"], check=module.check_mode)
    except SluiceError as error:
        module.fail_json(msg=str(error))
    for warning in result.warnings:
        module.warn(warning)
    module.exit_json(changed=result.changed, actions=result.actions, diff=result.diff)


if __name__ == "__main__":
    main()
