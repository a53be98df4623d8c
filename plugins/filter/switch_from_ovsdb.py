# SPDX-License-Identifier: Apache-2.0
"""A saved Open vSwitch database as ``config`` of sluice.fabric.switch."""
from __future__ import annotations

from typing import Any, Callable

from ansible.errors import AnsibleFilterError
from ansible_collections.sluice.fabric.plugins.module_utils.errors import SluiceError
from ansible_collections.sluice.fabric.plugins.module_utils.ovs.switch.dump import switch_from_tables, switch_from_text

DOCUMENTATION = r"""
name: switch_from_ovsdb
short_description: Turn what is saved of an Open vSwitch into config of sluice.fabric.switch
version_added: 0.1.0
author: Sluice contributors (@sluice)
description:
  - Takes a database dump, a backup, the database's file, or what C(ovs-vsctl show) prints, finds out by itself which it is, and gives the
    O(sluice.fabric.switch#module:config) that describes the same switch.
  - Given back to M(sluice.fabric.switch), it changes nothing on the switch that it was taken from.
  - What C(ovs-vsctl show) leaves out, as C(external_ids), C(other_config), bond modes and QoS, is not in the result. So it does for
    V(state=merged), which leaves alone what it is not given, but not for V(replaced) and V(overridden).
  - Runs on the controller, and needs no Open vSwitch there.
positional: _input
options:
  _input:
    description:
      - What C(ovsdb-client dump --format=json Open_vSwitch), C(ovsdb-client backup Open_vSwitch) or C(ovs-vsctl show) printed, or the content of
        C(/etc/openvswitch/conf.db). Lengths and checksums of a backup are verified.
      - Of C(ovsdb-client dump --format=json) also a list of tables, parsed already.
    type: raw
    required: true
notes:
  - A dump holds the pre-shared keys of tunnels, so set C(no_log) on the task that reads it, if there are any. The result does not, V(********) stands
    for them. On the switch that it was taken from that means the key that is there; elsewhere give it in O(sluice.fabric.switch#module:secrets).
  - Anything else fails, with what it was taken for and the line where it went wrong.
seealso:
  - module: sluice.fabric.switch
"""

EXAMPLES = r"""
- name: Save what is there
  ansible.builtin.command: ovsdb-client dump --format=json Open_vSwitch
  register: dump
  changed_when: false
  check_mode: false

- name: It describes this switch, so this changes nothing
  sluice.fabric.switch:
    config: "{{ dump.stdout | sluice.fabric.switch_from_ovsdb }}"

- name: Keep it in the inventory
  ansible.builtin.copy:
    content: "{{ {'ovs_config': dump.stdout | sluice.fabric.switch_from_ovsdb} | to_nice_yaml }}"
    dest: "{{ inventory_dir }}/host_vars/{{ inventory_hostname }}/ovs.yml"
    mode: "0600"
  delegate_to: localhost
"""

RETURN = r"""
_value:
  description: The O(sluice.fabric.switch#module:config). Keys that Sluice keeps its own books in are not part of it.
  type: dict
  sample: {bridges: [{name: br0, ports: [{name: br0, interfaces: [{name: br0, type: internal}]}, {name: eth1, tag: 20, interfaces: [{name: eth1}]}]}]}
"""


def switch_from_ovsdb(saved: Any) -> dict[str, Any]:
    """``config`` of sluice.fabric.switch from text, or from a list of tables; raises AnsibleFilterError."""
    try:
        if isinstance(saved, str):
            return switch_from_text(saved)
        if isinstance(saved, list):
            return switch_from_tables(saved)
    except SluiceError as error:
        raise AnsibleFilterError(f"sluice.fabric.switch_from_ovsdb: {error}") from error
    raise AnsibleFilterError(f"sluice.fabric.switch_from_ovsdb: is given a {type(saved).__name__}; expected text, or a list of a dump's tables")


class FilterModule:
    """How Ansible finds the filter."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"switch_from_ovsdb": switch_from_ovsdb}
