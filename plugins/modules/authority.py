#!/usr/bin/python
# SPDX-License-Identifier: Apache-2.0
"""Ansible module: a certificate authority for the nodes of a cluster, in a folder where Ansible runs."""
from __future__ import annotations

DOCUMENTATION = r"""
---
module: authority
short_description: Sign, renew and revoke the certificates of nodes, and take over from an old authority
version_added: 0.1.0
description:
  - Keeps a certificate authority in a folder, which is to be on the machine where Ansible runs. Its key is encrypted with O(passphrase).
  - Signs the requests of nodes where there is no certificate yet, where it is about to expire, or where the node has a new key. A second run
    signs nothing.
  - The role C(sluice.fabric.ca) runs it, with the requests that M(sluice.fabric.node_keys) returns.
author: Sluice contributors (@sluice)
requirements:
  - the Python package cryptography
options:
  directory:
    description: The folder of the authority. It is made with mode 0700.
    type: path
    required: true
  passphrase:
    description: What the authority's key is encrypted with; at least 12 characters.
    type: str
    required: true
  requests:
    description: Node to request, PEM. Nodes with an empty one are left out.
    type: dict
    default: {}
  revoked:
    description: Nodes that are not to be believed any more. They get no new certificate as long as they are in this list.
    type: list
    elements: str
    default: []
  rotation:
    description:
      - Steps by which a new authority takes over, each to be followed by a run on all nodes. V(begin) makes the new one, which nodes then
        believe beside the old one; V(switch) lets it sign all certificates; V(finish) drops the old one. Each is done once, however often it is asked for.
    type: str
    choices: [none, begin, switch, finish]
    default: none
  certificate_days:
    description: How many days a certificate lasts.
    type: int
    default: 365
  renew_days:
    description: A certificate that lasts for fewer days than this is renewed.
    type: int
    default: 90
  authority_days:
    description: How many days an authority lasts.
    type: int
    default: 3650
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
- name: Sign what nodes ask for
  sluice.fabric.authority:
    directory: "{{ inventory_dir }}/pki"
    passphrase: "{{ vault_pki_passphrase }}"
    requests: {node1: "{{ hostvars.node1.keys.request }}"}
  delegate_to: localhost
  register: signed
"""

RETURN = r"""
certificates:
  description: Node to certificate, PEM.
  returned: success
  type: dict
authorities:
  description: Certificates of the authorities that nodes have to believe, PEM; the one that signs comes first.
  returned: success
  type: list
  elements: str
revocations:
  description: The authorities' revocation lists, PEM.
  returned: success
  type: list
  elements: str
actions:
  description: What was done, or would be in check mode, one line each.
  returned: success
  type: list
  elements: str
"""

import datetime
from pathlib import Path

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.sluice.fabric.plugins.module_utils.encryption.authority import ROTATIONS, Policy, run
from ansible_collections.sluice.fabric.plugins.module_utils.errors import SluiceError

ARGUMENTS = {
    "directory": {"type": "path", "required": True},
    "passphrase": {"type": "str", "required": True, "no_log": True},
    "requests": {"type": "dict", "default": {}},
    "revoked": {"type": "list", "elements": "str", "default": []},
    "rotation": {"type": "str", "choices": list(ROTATIONS), "default": "none"},
    "certificate_days": {"type": "int", "default": 365},
    "renew_days": {"type": "int", "default": 90},
    "authority_days": {"type": "int", "default": 3650},
}


def main() -> None:
    module = AnsibleModule(argument_spec=ARGUMENTS, supports_check_mode=True)
    options = module.params
    policy = Policy(options["certificate_days"], options["renew_days"], options["authority_days"])
    now = datetime.datetime.now(datetime.timezone.utc).replace(microsecond=0)
    try:
        issued = run(Path(options["directory"]), options["passphrase"], options["requests"], options["revoked"],
                     rotation=options["rotation"], policy=policy, now=now, check=module.check_mode)
    except SluiceError as error:
        module.fail_json(msg=str(error))
    result = {**issued._asdict()}
    if module._diff:
        result["diff"] = {"before": "", "after": "".join(f"{line}\n" for line in issued.actions)}
    module.exit_json(**result)


if __name__ == "__main__":
    main()
