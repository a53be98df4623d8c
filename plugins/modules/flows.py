#!/usr/bin/python
# SPDX-License-Identifier: Apache-2.0
"""Ansible module sluice.fabric.flows."""
from __future__ import annotations

DOCUMENTATION = r"""
module: flows
short_description: Make a bridge's OpenFlow flows, groups and meters what a program says
version_added: 0.1.0
author: Sluice contributors (@sluice)
description:
  - Reads a bridge's flows, compares them with O(flows), and makes the difference in one atomic OpenFlow bundle, so that no packet
    meets a part of the change. Where nothing differs, nothing is written.
  - Reads again afterwards, and fails if the switch does not have what it took.
  - On an error nothing is changed, and the message names the flows that the switch refused.
  - Where something was changed, it waits until every packet meets the new flows. Where the switch is, this takes milliseconds; without
    C(ovs-vswitchd)'s control socket in the directory of O(socket), there is no such wait, and packets may meet what the datapath remembers
    of the flows before for a moment after the module's end.
  - Speaks OpenFlow 1.5 itself. It needs neither ovs-ofctl nor python3-openvswitch on the node.
options:
  bridge:
    description: The name of the bridge.
    type: str
    required: true
  flows:
    description:
      - The flows, in the syntax of ovs-ofctl(8), as one text with a flow a line, or as a list of lines.
        Blank lines and lines that begin with C(#) are skipped.
      - C(table), C(priority), C(cookie), C(idle_timeout), C(hard_timeout), C(importance), C(send_flow_rem), C(no_packet_counts)
        and C(no_byte_counts) are known beside the match and C(actions).
      - Tables, also those in C(goto_table), C(resubmit), C(ct) and C(learn), may be given by the names in O(tables). Ports are numbers, or
        reserved names like C(LOCAL) and C(IN_PORT).
      - All that is wrong in it is reported at once, before anything is changed. Two flows with the same table, priority and
        match are refused.
      - Required with O(state=overridden).
    type: raw
  groups:
    description:
      - The groups, in the syntax of ovs-ofctl(8) for OpenFlow 1.5, as one text with a group a line, or as a list of lines.
      - If absent, groups are not managed. Groups carry no cookie. With O(state=overridden), the bridge has exactly these.
    type: raw
  meters:
    description:
      - The meters, in the syntax of ovs-ofctl(8), as one text with a meter a line, or as a list of lines.
      - If absent, meters are not managed. Meters carry no cookie. With O(state=overridden), the bridge has exactly these.
      - Open vSwitch takes no meters in a bundle. New and changed ones are made before it and undone if it fails,
        and those that go are removed after it.
    type: raw
  tables:
    description: Names of tables by number, for O(flows) and O(groups), and for what is returned.
    type: dict
    default: {}
  cookie:
    description:
      - Whose flows are managed, as C(value/mask). Flows whose cookie is another one under the mask are neither compared nor touched,
        and O(flows) may have no such cookie. A flow that would replace one of them is refused.
      - The default is every flow of the bridge. Give it if there are C(learn) actions or other programs, with a mask that leaves
        their flows alone.
    type: str
    default: "0/0"
  files:
    description:
      - Files on the node, path to text, that have to say what the bridge has, for whatever puts its flows back after a restart.
      - They are written under other names before the bridge is changed, where a full disk shows, and moved into place once it has the flows.
    type: dict
    default: {}
  conntrack_zone:
    description:
      - The conntrack zone in which the C(ct) actions of O(flows) and O(groups) translate the connections of load balancers to their backends,
        each with the C(ct_mark) of its load balancer.
      - Where a run takes a backend away, the entries of its UDP and SCTP connections are removed, so that the clients' next packets reach
        another one. Entries of other backends, and TCP connections, stay.
      - Needs ovs-vswitchd's control socket in the directory of O(socket), which therefore must be a Unix socket.
      - If absent, conntrack is left alone.
    type: int
  state:
    description:
      - V(overridden) makes the managed flows exactly O(flows).
      - V(merged) adds O(flows), or replaces those with the same table, priority and match, and leaves everything else.
      - V(deleted) removes the managed flows with the table, priority and match of one of O(flows), and O(groups) and O(meters) by
        their number. With none of them given, it removes all the managed flows.
    type: str
    choices: [overridden, merged, deleted]
    default: overridden
extends_documentation_fragment:
  - sluice.fabric.openflow
  - sluice.fabric.attributes
attributes:
  check_mode:
    support: full
    details: Where Open vSwitch is not installed or not running, or the bridge does not exist yet, the prediction starts from no flows.
  diff_mode:
    support: full
  idempotent:
    support: partial
    details: Flows that expire, or that C(learn) adds under the managed cookies, are made good by every run.
seealso:
  - module: sluice.fabric.flows_info
  - module: sluice.fabric.switch
"""

EXAMPLES = r"""
- name: Exactly these flows on a bridge
  sluice.fabric.flows:
    bridge: br-int
    tables:
      0: classify
      10: output
    flows: |
      # ARP is flooded, IPv4 goes where table 10 says
      table=classify, priority=100,arp actions=NORMAL
      table=classify, priority=100,ip actions=goto_table:output
      table=output, priority=100,ip,nw_dst=10.0.0.2 actions=output:2
      table=output, priority=0 actions=drop

- name: A program from a file, of which only its own flows are managed
  sluice.fabric.flows:
    bridge: br-int
    cookie: 0x51c3000000000000/0xffff000000000000
    flows: "{{ lookup('ansible.builtin.file', 'flows.txt') }}"

- name: A load balancer with a group
  sluice.fabric.flows:
    bridge: br-int
    state: merged
    groups:
      - group_id=1,type=select,selection_method=dp_hash,bucket=actions=output:2,bucket=actions=output:3
    flows:
      - priority=200,tcp,tp_dst=80 actions=group:1

- name: No flows at all
  sluice.fabric.flows:
    bridge: br-int
    state: deleted
"""

RETURN = r"""
added:
  description: How many flows, groups and meters were added.
  returned: success
  type: int
  sample: 2
removed:
  description: How many flows, groups and meters were removed.
  returned: success
  type: int
  sample: 0
modified:
  description:
    - How many flows, groups and meters were replaced, since they differed in something other than table, priority and match,
      or the number.
  returned: success
  type: int
  sample: 1
files:
  description: The files that were written.
  returned: success
  type: list
  elements: path
  sample: [/etc/sluice/flows.txt]
conntrack_removed:
  description: How many entries of connections to backends that are gone were removed from conntrack.
  returned: with O(conntrack_zone)
  type: int
  sample: 3
plan:
  description:
    - The changes, at most 100 lines of them. C(-) precedes what goes, C(+) what comes, and what is modified has both.
    - The diff has all the lines.
  returned: success
  type: list
  elements: str
  sample: ["+ cookie=0x0, table=classify, priority=100,arp actions=NORMAL"]
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.sluice.fabric.plugins.module_utils.errors import SluiceError
from ansible_collections.sluice.fabric.plugins.module_utils.node.conntrack import flush_removed
from ansible_collections.sluice.fabric.plugins.module_utils.node.staged_files import StagedFiles, differing
from ansible_collections.sluice.fabric.plugins.module_utils.ovs.flow_apply import STATES, apply_program, plan_lines
from ansible_collections.sluice.fabric.plugins.module_utils.ovs.in_effect import wait_until_in_effect
from ansible_collections.sluice.fabric.plugins.module_utils.ovs.kept import KeptEncoding, kept_path
from ansible_collections.sluice.fabric.plugins.module_utils.ovs.openflow.connection import socket_address
from ansible_collections.sluice.fabric.plugins.module_utils.ovs.program import as_lines, parse_owner, parse_tables

PLAN_LINES = 100


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "bridge": {"type": "str", "required": True},
            "flows": {"type": "raw"},
            "groups": {"type": "raw"},
            "meters": {"type": "raw"},
            "tables": {"type": "dict", "default": {}},
            "cookie": {"type": "str", "default": "0/0"},
            "files": {"type": "dict", "default": {}},
            "conntrack_zone": {"type": "int"},
            "state": {"type": "str", "choices": list(STATES), "default": "overridden"},
            "socket": {"type": "str"},
            "timeout": {"type": "int", "default": 10},
        },
        required_if=[("state", "overridden", ("flows",))],
        supports_check_mode=True,
    )
    options = module.params
    result = {}
    try:
        address = socket_address(options["bridge"], options["socket"])
        tables, owner = parse_tables(options["tables"]), parse_owner(options["cookie"])
        flows, groups, meters = (as_lines(name, options[name]) for name in ("flows", "groups", "meters"))
        encoding = KeptEncoding(kept_path(options["bridge"], owner), tables, owner)
        want = encoding.encode(*(None if lines is None else "\n".join(lines) for lines in (flows, groups, meters)))
        files = differing(options["files"])
        with StagedFiles({} if module.check_mode else files) as staged:
            plan = apply_program(address, want, tables, owner, options["state"],
                                 check=module.check_mode, timeout=options["timeout"])
            staged.move()
        if not module.check_mode:
            encoding.save()
            if plan.changed:
                # Of what was deleted, nothing is there.
                wait_until_in_effect(address, None if options["state"] == "deleted" else next(iter(want.flows), None), options["timeout"])
        lines = plan_lines(plan, tables, None if module._diff else PLAN_LINES)
        if options["conntrack_zone"] is not None:
            kept = [] if options["state"] == "deleted" else [*(flows or []), *(groups or [])]
            result["conntrack_removed"] = flush_removed(
                address, options["conntrack_zone"], plan_lines(plan, tables, signs="-"), kept, module.check_mode, options["timeout"])
    except SluiceError as error:
        module.fail_json(msg=f"bridge {options['bridge']}: {error}")
    diff = "".join([*(f"{line}\n" for line in lines), *(f"file {path}\n" for path in files)])
    module.exit_json(changed=plan.changed or bool(files), **result, files=list(files), added=plan.count("added"), removed=plan.count("removed"),
                     modified=plan.count("modified"), plan=lines[:PLAN_LINES], diff={"prepared": diff})


if __name__ == "__main__":
    main()
