#!/usr/bin/python
# SPDX-License-Identifier: Apache-2.0
"""Ansible module: make or remove a lab of system containers and virtual machines on this host."""
from __future__ import annotations

DOCUMENTATION = r"""
---
module: lab
short_description: Make a lab of Debian or Ubuntu machines on one host, or remove it
version_added: 0.1.0
description:
  - Makes machines (nodes), as systemd system containers with C(systemd-nspawn) or as virtual machines with QEMU, all of a kind from one
    root file system that is built once with C(mmdebstrap) and cached, with one overlay a node.
  - Virtual machines use KVM where a guest gets through with it, else QEMU's own translation.
  - Each node has its own systemd, sshd and apt, and two network interfaces, C(eth0) on a management network and C(eth1) on
    an underlay with the default route. Behind the underlay an I(outside) answers on TCP and UDP port 7777 with the
    address that it sees its client by.
  - Everything is in network namespaces of its own. The host's network is not touched, and several labs may use the same addresses.
  - Nodes have no internet. They install packages from a folder that is made for them, C(/srv/apt).
  - Can be killed at any moment; the next run completes.
author: Sluice contributors (@sluice)
requirements:
  - root on the host
  - mmdebstrap, systemd-nspawn, iproute2, ethtool, apt-ftparchive, debian-archive-keyring, ssh and nc on the host
  - for virtual machines also qemu-system-x86_64, qemu-img and mke2fs, and an x86 host
options:
  name:
    description: The lab's name, 1 to 16 lower-case letters and digits.
    type: str
    required: true
  state:
    description:
      - V(present) makes the lab exactly so. Nodes that are not listed are removed, others are not disturbed.
      - V(absent) removes every trace of the lab, also processes in its network namespaces. The cache stays.
    type: str
    choices: [present, absent]
    default: present
  nodes:
    description: The nodes. Required if O(state=present).
    type: list
    elements: dict
    suboptions:
      name:
        description: The host name.
        type: str
        required: true
      machine:
        description:
          - V(container) is a system container, which shares the host's kernel. It boots in seconds.
          - V(vm) is a virtual machine, with the kernel that its release has for clouds. Without KVM it boots in about a minute of one core.
        type: str
        choices: [container, vm]
        default: container
      management:
        description: One or two addresses (one a family) on the management network. SSH goes to the first.
        type: list
        elements: str
        required: true
      underlay:
        description: One or two addresses (one a family) on the underlay.
        type: list
        elements: str
        required: true
  management:
    description: The management network. The lab itself has the first address of each.
    type: dict
    default: {}
    suboptions:
      ipv4:
        description: An IPv4 network.
        type: str
      ipv6:
        description: An IPv6 network.
        type: str
  underlay:
    description: The underlay. The outside has the first address of each, and is the default gateway.
    type: dict
    default: {}
    suboptions:
      ipv4:
        description: An IPv4 network.
        type: str
      ipv6:
        description: An IPv6 network.
        type: str
      mtu:
        description: The largest packet on the underlay, in bytes.
        type: int
        default: 1500
  outside:
    description: Addresses, beyond the underlay, of the outside's servers.
    type: list
    elements: str
    default: [203.0.113.10, "2001:db8:113::10"]
  release:
    description: The release of the nodes, of Debian or of Ubuntu (V(jammy), V(noble)), by its code name.
    type: str
    default: bookworm
  mirror:
    description: The mirror of the release's packages; by default C(http://deb.debian.org/debian) or C(http://archive.ubuntu.com/ubuntu).
    type: str
  security_mirror:
    description: The mirror of its security updates; by default C(http://deb.debian.org/debian-security) or C(http://archive.ubuntu.com/ubuntu).
    type: str
  packages:
    description: The packages that nodes shall be able to install. What they depend on comes with them.
    type: list
    elements: str
    default: []
  directory:
    description: Where labs live. Must not be on an overlay file system.
    type: path
    default: /var/lib/sluice-lab
  cache:
    description: Where root file systems and package folders are kept. By default C(cache) in O(directory).
    type: path
  purge_cache:
    description: With O(state=absent), also remove from the cache what no other lab uses.
    type: bool
    default: false
  progress:
    description:
      - A file to append a line to at each step. On the controller itself, the action plugin of this module sets it and shows the lines.
    type: path
  wait:
    description: How many seconds to wait until all nodes have booted and answer by SSH; 0 not to wait.
    type: int
    default: 300
extends_documentation_fragment:
  - sluice.fabric.attributes
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
  idempotent:
    support: full
"""

EXAMPLES = r"""
- name: A lab of two nodes
  sluice.fabric.lab:
    name: demo
    management: {ipv4: 192.168.76.0/24}
    underlay: {ipv4: 192.168.77.0/24, ipv6: "fd77::/64"}
    packages: [openvswitch-switch]
    nodes:
      - {name: node1, management: [192.168.76.11], underlay: [192.168.77.11, "fd77::11"]}
      - {name: node2, management: [192.168.76.12], underlay: [192.168.77.12, "fd77::12"]}

- name: No lab
  sluice.fabric.lab:
    name: demo
    state: absent
"""

RETURN = r"""
steps:
  description: What was done, or in check mode would be, in order.
  returned: success
  type: list
  elements: str
  sample: [build network, start outside, create node1, start node1, write access]
ssh_config:
  description: An ssh_config(5) file for the lab, for C(ssh -F FILE NODE).
  returned: state is present
  type: str
  sample: /var/lib/sluice-lab/demo/ssh_config
"""

import inspect
import os
import time
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.sluice.fabric.plugins.module_utils.errors import InputError, SluiceError
from ansible_collections.sluice.fabric.plugins.module_utils.lab import echo, reconcile, spec
from ansible_collections.sluice.fabric.plugins.module_utils.lab.image import Progress, Stock
from ansible_collections.sluice.fabric.plugins.module_utils.lab.source import Source, distribution_of

_SEGMENT = {"ipv4": {"type": "str"}, "ipv6": {"type": "str"}}

ARGUMENTS: dict[str, Any] = {
    "name": {"type": "str", "required": True},
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    "nodes": {"type": "list", "elements": "dict", "options": {
        "name": {"type": "str", "required": True},
        "machine": {"type": "str", "choices": ["container", "vm"], "default": "container"},
        "management": {"type": "list", "elements": "str", "required": True},
        "underlay": {"type": "list", "elements": "str", "required": True},
    }},
    "management": {"type": "dict", "default": {}, "options": _SEGMENT},
    "underlay": {"type": "dict", "default": {}, "options": {**_SEGMENT, "mtu": {"type": "int", "default": 1500}}},
    "outside": {"type": "list", "elements": "str", "default": ["203.0.113.10", "2001:db8:113::10"]},
    "release": {"type": "str", "default": "bookworm"},
    "mirror": {"type": "str"},
    "security_mirror": {"type": "str"},
    "packages": {"type": "list", "elements": "str", "default": []},
    "directory": {"type": "path", "default": "/var/lib/sluice-lab"},
    "cache": {"type": "path"},
    "purge_cache": {"type": "bool", "default": False},
    "progress": {"type": "path"},
    "wait": {"type": "int", "default": 300},
}


def main() -> None:
    """Entry point."""
    module = AnsibleModule(ARGUMENTS, supports_check_mode=True, required_if=[("state", "present", ["nodes"])])
    if os.geteuid() != 0:
        module.fail_json(msg="the lab needs root (namespaces, mounts, cgroups); run it with become: true")
    try:
        result, extra = _make(module) if module.params["state"] == "present" else _remove(module)
    except SluiceError as error:
        module.fail_json(msg=str(error))
    module.exit_json(changed=bool(result.steps), steps=list(result.steps), diff={"before": result.before, "after": result.after}, **extra)


def _make(module: AnsibleModule) -> tuple[reconcile.Result, dict[str, Any]]:
    options = module.params
    lab = spec.load_lab(options["name"], options["directory"], options["management"], options["underlay"],
                        options["outside"], options["nodes"])
    defaults = distribution_of(options["release"])
    source = Source(options["release"], options["mirror"] or defaults.mirror, options["security_mirror"] or defaults.security_mirror)
    result = reconcile.present(lab, Stock(_cache(options), source, tuple(options["packages"])), inspect.getsource(echo),
                               dry_run=module.check_mode, wait=options["wait"], progress=_progress(options))
    return result, {"ssh_config": str(lab.home / "ssh_config")}


def _remove(module: AnsibleModule) -> tuple[reconcile.Result, dict[str, Any]]:
    options = module.params
    problems = spec.check_name(options["name"])
    if problems:
        raise InputError(problems)
    result = reconcile.absent(options["name"], Path(options["directory"]), _cache(options) if options["purge_cache"] else None,
                              dry_run=module.check_mode, progress=_progress(options))
    return result, {}


def _progress(options: dict[str, Any]) -> Progress:
    path = options["progress"]
    started = time.monotonic()

    def write(message: str) -> None:
        if path:
            with Path(path).open("a", encoding="utf-8") as file:
                file.write(f"{time.monotonic() - started:5.1f} s  {message}\n")

    return write


def _cache(options: dict[str, Any]) -> Path:
    return Path(options["cache"] or Path(options["directory"], "cache"))


if __name__ == "__main__":
    main()
