#!/usr/bin/python
# SPDX-License-Identifier: Apache-2.0
"""Ansible module: the keys of a node with which its traffic to other nodes is encrypted."""
from __future__ import annotations

DOCUMENTATION = r"""
---
module: node_keys
short_description: Make the keys of a node, and put the certificates that it needs
version_added: 0.1.0
description:
  - Makes on the node the keys with which its traffic to other nodes is encrypted, where they are missing, and returns what is public of
    them. A private key never leaves the node.
  - Puts the files that strongSwan needs beside them, and removes those of Sluice's that are no longer needed. strongSwan is told of
    changed authorities and revocation lists.
  - The roles C(sluice.fabric.encryption) and C(sluice.fabric.ca) use it; docs/encryption.md says how all of it works together.
author: Sluice contributors (@sluice)
requirements:
  - wireguard-tools on the node for O(wireguard), openssl for O(certificate)
options:
  wireguard:
    description: Whether the node needs a key for WireGuard, C(/etc/sluice/wireguard.key).
    type: bool
    default: false
  certificate:
    description:
      - Which certificate the node needs. V(self_signed) makes one that is renewed in its last 30 days, V(request) returns a request for
        an authority to sign. The key is C(/etc/ipsec.d/private/sluice.pem).
    type: str
    choices: [none, self_signed, request]
    default: none
  name:
    description: Whose certificate it is.
    type: str
    default: ""
  files:
    description:
      - Path to text of all certificates, authorities, revocation lists and settings of Sluice's that are to be in C(/etc/ipsec.d) and
        C(/etc/strongswan.d). Others that are named C(sluice-*) there go. Without it, they are left alone.
    type: dict
  state:
    description: V(absent) removes the keys and all these files.
    type: str
    choices: [present, absent]
    default: present
extends_documentation_fragment:
  - sluice.fabric.attributes
attributes:
  check_mode:
    support: full
    details: Public keys that are not made yet cannot be known; a key of zeros stands for them.
  diff_mode:
    support: full
  idempotent:
    support: full
"""

EXAMPLES = r"""
- name: Have a key for WireGuard, and learn what others need to know of it
  sluice.fabric.node_keys:
    wireguard: true
  register: keys

- name: Have a key for IPsec, and a request for its certificate
  sluice.fabric.node_keys:
    certificate: request
    name: "{{ inventory_hostname }}"
  register: keys
"""

RETURN = r"""
wireguard:
  description: The public key; empty if none was asked for.
  returned: success
  type: str
  sample: FbGKckMldpVwT2ajsd3JMRGU/H0uGJb0QMxRfHd6t+w=
certificate:
  description: The self-signed certificate, PEM; empty if none was asked for.
  returned: success
  type: str
request:
  description: The request for a certificate, PEM; empty if none was asked for, and in check mode before the key is made.
  returned: success
  type: str
files:
  description: Paths that were written or removed, or would be in check mode.
  returned: success
  type: list
  elements: str
"""

from pathlib import Path

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.sluice.fabric.plugins.module_utils.encryption import node_keys
from ansible_collections.sluice.fabric.plugins.module_utils.errors import SluiceError

ARGUMENTS = {
    "wireguard": {"type": "bool", "default": False},
    "certificate": {"type": "str", "choices": ["none", "self_signed", "request"], "default": "none"},
    "name": {"type": "str", "default": ""},
    "files": {"type": "dict"},
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
}


def main() -> None:
    module = AnsibleModule(argument_spec=ARGUMENTS, required_if=[("certificate", "self_signed", ["name"]), ("certificate", "request", ["name"])],
                           supports_check_mode=True)
    options, root, keys = module.params, Path("/"), node_keys.Keys(False)
    files = []
    try:
        if options["state"] == "absent":
            files = node_keys.remove(root, module.check_mode)
        else:
            certificate = "" if options["certificate"] == "none" else options["certificate"]
            keys = node_keys.make(root, wireguard=options["wireguard"], certificate=certificate, name=options["name"], check=module.check_mode)
            if options["files"] is not None:
                files = node_keys.install(root, options["files"], module.check_mode)
    except SluiceError as error:
        module.fail_json(msg=str(error))
    result: dict[str, object] = {"wireguard": keys.wireguard, "certificate": keys.certificate, "request": keys.request, "files": files}
    if module._diff:
        result["diff"] = {"before": "", "after": "".join(f"{path}\n" for path in files)}
    module.exit_json(changed=keys.changed or bool(files), **result)


if __name__ == "__main__":
    main()
