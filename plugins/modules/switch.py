#!/usr/bin/python
# SPDX-License-Identifier: Apache-2.0
"""Ansible module sluice.fabric.switch."""
from __future__ import annotations

DOCUMENTATION = r"""
module: switch
short_description: Make a host's Open vSwitch what its configuration says
version_added: 0.1.0
author: Sluice contributors (@sluice)
description:
  - Takes the OVSDB configuration of a whole host (bridges, ports, interfaces, tunnels, names of OpenFlow tables, external_ids,
    other_config), compares it with what is there, and makes the difference in one OVSDB transaction.
  - Waits until ovs-vswitchd has realised it, fails with Open vSwitch's own words where an interface has an error,
    and compares what is there then with what was wanted.
  - The transaction is guarded by everything that it relies on. Where another program changes the same columns at the same time,
    the module reads again and plans anew, so that neither change is lost.
options:
  config:
    description:
      - The configuration. A key that is absent is not managed; the value of every key that is given is made exactly so,
        and V(null) empties a column that may be empty.
      - Keys of the host are C(external_ids) and C(other_config), of which only the keys given are managed, and C(bridges).
      - Keys of a bridge are C(name), C(datapath_type), C(fail_mode), C(protocols), C(other_config), C(external_ids),
        C(flow_tables) (number to name) and C(ports).
      - Keys of a port are C(name), C(tag), C(trunks), C(vlan_mode), C(other_config), C(external_ids) and C(interfaces),
        which in a new port defaults to one interface of the port's name.
      - Keys of an interface are C(name), C(type), C(options), C(mac), C(ofport_request), C(mtu_request), C(other_config)
        and C(external_ids).
      - Of C(external_ids), which many programs share, only the keys given are managed; V(null) as a key's value removes the key.
        C(sluice-owner) is reserved. Every other map holds exactly the keys given.
      - The port of a bridge's own name is its local port. It is made with the bridge, and may be listed for its attributes.
      - See ovs-vswitchd.conf.db(5) for what the columns mean.
      - O(config) is checked whole, and all that is wrong with it is reported, before anything is changed.
    type: dict
    default: {}
  state:
    description:
      - V(merged) makes what O(config) names as it says, and leaves everything else.
      - V(overridden) also removes the bridges and ports of the same O(owner) that O(config) does not name.
        C(bridges) must then be given.
      - V(deleted) removes the bridges and ports of the O(owner) that O(config) names, and the host's keys that
        still have the value given. An empty O(config) stands for everything that the O(owner) created.
      - A bridge that still has ports of others is not removed, and the module fails before it changes anything.
    type: str
    choices: [merged, overridden, deleted]
    default: merged
  owner:
    description:
      - Who creates what is created here. It is written as C(sluice-owner) into the C(external_ids) of every new bridge, port,
        interface and table name; only what carries it is ever removed. What exists without it is configured, but not taken over.
    type: str
    default: sluice
  wait_timeout:
    description:
      - How many seconds ovs-vswitchd has to realise the configuration.
      - If it takes longer the module fails. The database keeps the configuration, and the next run waits for it again.
    type: int
    default: 30
extends_documentation_fragment:
  - sluice.fabric.ovsdb
  - sluice.fabric.attributes
attributes:
  check_mode:
    support: full
    details: Where Open vSwitch is not installed yet, the prediction starts from an empty database.
  diff_mode:
    support: full
  idempotent:
    support: full
notes:
  - What O(config) says, also a tunnel's pre-shared key, is part of the result. Set C(no_log) on a task that has secrets.
seealso:
  - module: sluice.fabric.switch_info
"""

EXAMPLES = r"""
- name: A bridge with a gateway and a Geneve tunnel whose remote end is set by flows
  sluice.fabric.switch:
    config:
      bridges:
        - name: br-int
          datapath_type: netdev
          fail_mode: secure
          protocols: [OpenFlow15]
          flow_tables:
            0: classify
            10: spoof_guard
          ports:
            - name: gw0
              interfaces:
                - name: gw0
                  type: internal
                  ofport_request: 1
                  mtu_request: 1450
            - name: tun0
              interfaces:
                - name: tun0
                  type: geneve
                  ofport_request: 2
                  options:
                    key: flow
                    remote_ip: flow

- name: An access port, and nothing else of ours on this host
  sluice.fabric.switch:
    state: overridden
    config:
      bridges:
        - name: br-int
          ports:
            - name: web1
              tag: 20
              interfaces:
                - name: web1
                  type: internal
                  external_ids:
                    iface-id: web1

- name: Remove everything that Sluice created in Open vSwitch
  sluice.fabric.switch:
    state: deleted
"""

RETURN = r"""
before:
  description: What was there of all that the run manages, in the shape of O(config).
  returned: success, or when Open vSwitch did not realise what was committed
  type: dict
  sample: {bridges: [{name: br-int, fail_mode: standalone}]}
after:
  description: What is there now of the same, or would be in check mode.
  returned: success, or when Open vSwitch did not realise what was committed
  type: dict
  sample: {bridges: [{name: br-int, fail_mode: secure}]}
plan:
  description: The changes, each as the arguments of an ovs-vsctl that would do the same.
  returned: success, or when Open vSwitch did not realise what was committed
  type: list
  elements: str
  sample: [set Bridge br-int fail_mode=secure]
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.sluice.fabric.plugins.module_utils.errors import SluiceError
from ansible_collections.sluice.fabric.plugins.module_utils.ovs.ovsdb import Connection, NotInstalled, Remote
from ansible_collections.sluice.fabric.plugins.module_utils.ovs.remote_options import REMOTE_OPTIONS, remote_from
from ansible_collections.sluice.fabric.plugins.module_utils.ovs.switch.apply import NotRealised, Outcome, apply, read, rendered
from ansible_collections.sluice.fabric.plugins.module_utils.ovs.switch.describe import gathered
from ansible_collections.sluice.fabric.plugins.module_utils.ovs.switch.dump import switch_from_text
from ansible_collections.sluice.fabric.plugins.module_utils.ovs.switch.record import Switch
from ansible_collections.sluice.fabric.plugins.module_utils.ovs.switch.target import STATES

ARGUMENTS: dict[str, object] = {
    "config": {"type": "dict", "default": {}},
    "state": {"type": "str", "choices": [*STATES, "gathered", "rendered", "parsed"], "default": "merged"},
    "owner": {"type": "str", "default": "sluice"},
    "adopt": {"type": "bool", "default": False},
    "running_config": {"type": "str"},
    "wait_timeout": {"type": "int", "default": 30},
    **REMOTE_OPTIONS,
}


def result(outcome: Outcome, diff: bool) -> dict[str, object]:
    """An outcome as Ansible returns it."""
    shown = {"diff": outcome.diff()} if diff else {}
    return {"changed": outcome.changed, "before": outcome.before, "after": outcome.after, "plan": list(outcome.commands), **shown}


def switch_at(remote: Remote) -> Switch:
    """The switch as it is; an empty one where Open vSwitch is not installed."""
    try:
        with Connection(remote) as connection:
            return read(connection)
    except NotInstalled:
        return Switch()


def run(module: AnsibleModule) -> tuple[dict[str, object], tuple[str, ...]]:
    """What the module returns, and warnings; raises SluiceError."""
    options = module.params
    state = options["state"]
    if state == "gathered":
        return {"gathered": gathered(switch_at(remote_from(options)))}, ()
    if state == "parsed":
        return {"parsed": switch_from_text(options["running_config"])}, ()
    if state == "rendered":
        outcome = rendered(options["config"], options["owner"])
        return {"rendered": list(outcome.commands)}, outcome.warnings
    outcome = apply(remote_from(options), options["config"], state, options["owner"], options["wait_timeout"], module.check_mode, options["adopt"])
    return result(outcome, module._diff), outcome.warnings


def main() -> None:
    module = AnsibleModule(
        argument_spec=ARGUMENTS, required_if=[("state", "parsed", ["running_config"]), ("state", "rendered", ["config"])], supports_check_mode=True)
    try:
        shown, warnings = run(module)
    except NotRealised as error:
        module.fail_json(msg=str(error), **result(error.outcome, module._diff))
    except SluiceError as error:
        module.fail_json(msg=str(error))
    for warning in warnings:
        module.warn(warning)
    module.exit_json(**{"changed": False, **shown})


if __name__ == "__main__":
    main()
