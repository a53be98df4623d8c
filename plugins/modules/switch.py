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
  - Configures everything in the OVSDB of a host that an operator configures. Bridges, ports, bonds, VLANs, tunnels, QoS, mirrors, flow export,
    controllers, managers, SSL, connection tracking zones, and the settings of all of them.
  - Compares O(config) with what is there, and makes the difference in one OVSDB transaction, all of it or nothing.
  - Waits until ovs-vswitchd has realised it, fails with Open vSwitch's own words where an interface has an error,
    and compares what is there then with what was wanted.
  - The transaction is guarded by everything that it relies on. Where another program changes the same columns at the same time,
    the module reads again and plans anew, so that neither change is lost.
  - What it creates it marks as its O(owner)'s, and only removes what is. What people, hypervisors or controllers made beside it stays.
options:
  state:
    description:
      - V(merged) makes what O(config) names exist with the values that it gives, and leaves everything else. Keys are put into maps.
      - V(replaced) makes what O(config) names exactly so. What it leaves out of a bridge, a port or a manager that it names gets its default,
        or goes. Ports that are not named stay, and bridges, too.
      - V(overridden) makes all of the O(owner)'s switch exactly so. Bridges, ports, managers and all else that the O(owner) created goes
        if O(config) does not name it. C(bridges) must be given.
      - V(deleted) removes what O(config) names, by names, targets and numbers alone. A bridge that is named without anything below it goes with
        all that is in it; of one that is named with ports, mirrors, … these go. Of C(external_ids) and C(other_config) of the host
        the keys go that still have the value given, or any if it is V(null). An empty O(config) stands for everything that the O(owner) created.
      - V(replaced), V(overridden) and V(deleted) take only what the O(owner) created, rows as well as keys. A bridge in which something of
        others is left is not removed, and the module fails before it changes anything.
      - V(gathered) reads the configuration, and changes nothing. It returns RV(gathered).
      - V(rendered) touches no switch. It returns RV(rendered), the commands that would make O(config) on a switch without anything.
      - V(parsed) touches no switch. It returns RV(parsed), what O(running_config) says.
    type: str
    choices: [merged, replaced, overridden, deleted, gathered, rendered, parsed]
    default: merged
  owner:
    description:
      - Who creates what is created here. It is written as C(sluice-owner) into the C(external_ids) of everything new; only what carries it
        is ever removed. What exists without it is configured as O(config) says, but not taken over.
      - Keys that are put into maps of others, as into C(external_ids) of the host, are accounted for in C(sluice-keys-<owner>).
      - Playbooks that share a host without knowing of each other each have an owner of their own.
    type: str
    default: sluice
  adopt:
    description:
      - Whether what O(config) names and nobody has marked becomes the O(owner)'s. It can then be replaced and deleted like what it created.
      - What another owner created is never taken over.
    type: bool
    default: false
  secrets:
    description:
      - Options of interfaces that may not be shown, by interface, such as a tunnel's C(psk). They are put into O(config), which must name the interface.
      - Results, differences and plans show V(********) in their place, wherever a pre-shared key comes from. That given in O(config) means the key
        that is there, so that what V(gathered) gives can be fed back.
    type: dict
    default: {}
  running_config:
    description:
      - For O(state=parsed), the text of a database. What one of C(ovsdb-client dump --format=json Open_vSwitch),
        C(ovsdb-client backup Open_vSwitch) and C(ovs-vsctl show) prints, or what is in the file C(conf.db).
    type: str
  wait_timeout:
    description:
      - How many seconds ovs-vswitchd has to realise the configuration.
      - If it takes longer the module fails. The database keeps the configuration, and the next run waits for it again.
    type: int
    default: 30
  confirm_timeout:
    description:
      - Rolls the change back unless the node can be reached over a new connection within so many seconds after it, and fails the task then.
        Without it there is no rollback.
      - Before anything is changed, a process is started on the node that lives on without the connection, this module and ovs-vswitchd. It has the
        change made and, when the action plugin does not come back in time, or when the change itself fails, puts back what the change has
        changed in the database, and the addresses and routes that O(move_addresses) moved. What others have changed since stays.
      - A change that waits to be confirmed keeps others with a O(confirm_timeout) from the same database.
      - Needs the node's own O(database), and O(target) not set.
    type: int
  move_addresses:
    description:
      - By device, the bridge to whose local port the device's addresses and routes go, right after the change of the database, as a host's uplink needs
        that becomes a port. The bridge's local port is set up.
      - Link-local addresses stay. Lifetimes, metrics, tables and sources are kept.
      - It is not kept over a restart of the node, for which its network configuration has to say the same.
      - Set the bridge's C(hwaddr) in C(other_config) to the device's MAC, so that neighbours and DHCP servers take it for the same host.
      - Needs the node's own O(database), and O(target) not set.
    type: dict
    default: {}
  _confirm:
    description:
      - Not for tasks. The module's own action plugin says by it which step of a change with O(confirm_timeout) this is.
    type: dict
extends_documentation_fragment:
  - sluice.fabric.switch_config
  - sluice.fabric.ovsdb
  - sluice.fabric.attributes
  - sluice.fabric.attributes.action
attributes:
  action:
    support: full
    details: It comes back over a new connection to confirm the change, if O(confirm_timeout) is set.
  check_mode:
    support: full
    details: Where Open vSwitch is not installed yet, the prediction starts from an empty database.
  diff_mode:
    support: full
  idempotent:
    support: full
notes:
  - Ansible itself shows what a task is given when it is run with C(-vvv), so that a pre-shared key belongs into O(secrets).
seealso:
  - module: sluice.fabric.switch_info
"""

EXAMPLES = r"""
- name: A bridge with an uplink, a gateway of the host, and a Geneve tunnel whose other end is set by flows
  sluice.fabric.switch:
    config:
      bridges:
        - name: br-int
          fail_mode: secure
          ports:
            - name: eth1
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
                    remote_ip: flow
                    key: flow

- name: An access port, a trunk, and a port with a native VLAN
  sluice.fabric.switch:
    config:
      bridges:
        - name: br-lan
          ports:
            - name: web1
              tag: 20
              interfaces:
                - name: web1
                  type: internal
                  external_ids:
                    iface-id: web1
            - name: eth2
              trunks: [20, 30, 40]
            - name: eth3
              tag: 10
              vlan_mode: native-untagged
              trunks: [20, 30]

- name: A bond of two links with LACP, which falls back to one of them
  sluice.fabric.switch:
    config:
      bridges:
        - name: br-lan
          ports:
            - name: bond0
              bond_mode: balance-tcp
              lacp: active
              bond_updelay: 500
              other_config:
                lacp-time: fast
                lacp-fallback-ab: true
              interfaces:
                - name: eth4
                - name: eth5

- name: A cable between two bridges
  sluice.fabric.switch:
    config:
      bridges:
        - name: br-int
          ports:
            - name: to-lan
              interfaces:
                - name: to-lan
                  type: patch
                  options:
                    peer: to-int
        - name: br-lan
          ports:
            - name: to-int
              interfaces:
                - name: to-int
                  type: patch
                  options:
                    peer: to-lan

- name: At most 1 Gbit/s out of the uplink, of which queue 1 has 200 Mbit/s for itself and marks its packets
  sluice.fabric.switch:
    config:
      bridges:
        - name: br-int
          ports:
            - name: eth1
              qos:
                type: linux-htb
                other_config:
                  max-rate: 1000000000
                queues:
                  0:
                    other_config:
                      min-rate: 10000000
                  1:
                    dscp: 46
                    other_config:
                      min-rate: 200000000
                      priority: 0

- name: Drop what a guest sends beyond 100 Mbit/s or 50 000 packets a second
  sluice.fabric.switch:
    config:
      bridges:
        - name: br-lan
          ports:
            - name: web1
              interfaces:
                - name: web1
                  ingress_policing_rate: 100000
                  ingress_policing_burst: 80000
                  ingress_policing_kpkts_rate: 50
                  ingress_policing_kpkts_burst: 40

- name: Copy what goes in and out of a port to an analyser, without the payload
  sluice.fabric.switch:
    config:
      bridges:
        - name: br-lan
          ports:
            - name: analyser
              interfaces:
                - name: analyser
                  type: internal
          mirrors:
            - name: web1-span
              select_src_port: [web1]
              select_dst_port: [web1]
              output_port: analyser
              snaplen: 128

- name: Export flows by NetFlow and IPFIX, and samples by sFlow
  sluice.fabric.switch:
    config:
      bridges:
        - name: br-lan
          netflow:
            targets: ["192.0.2.20:2055"]
            active_timeout: 60
          sflow:
            targets: ["192.0.2.20:6343"]
            agent: br-lan
            sampling: 512
            polling: 10
          ipfix:
            targets: ["192.0.2.20:4739"]
            obs_domain_id: 7
            obs_point_id: 1
            cache_active_timeout: 60
            cache_max_flows: 4096

- name: A set of collectors that flows send samples to, by sample(collector_set_id=1)
  sluice.fabric.switch:
    config:
      bridges:
        - name: br-int
          sample_collector_sets:
            - id: 1
              ipfix:
                targets: ["192.0.2.20:4740"]
                other_config:
                  virtual_obs_id: policies

- name: Two controllers by SSL
  sluice.fabric.switch:
    config:
      ssl:
        private_key: /etc/openvswitch/node.key
        certificate: /etc/openvswitch/node.crt
        ca_cert: /etc/openvswitch/controllers-ca.crt
      bridges:
        - name: br-int
          protocols: [OpenFlow13, OpenFlow15]
          controllers:
            - target: ssl:192.0.2.10:6653
              inactivity_probe: 10000
              connection_mode: out-of-band
            - target: ssl:192.0.2.11:6653
              inactivity_probe: 10000
              connection_mode: out-of-band

- name: Let OVSDB clients on this host connect by TCP
  sluice.fabric.switch:
    config:
      managers:
        - target: ptcp:6640:127.0.0.1
          inactivity_probe: 30000

- name: Forget idle UDP early in a zone of connection tracking
  sluice.fabric.switch:
    config:
      datapaths:
        system:
          ct_zones:
            5:
              timeout_policy:
                timeouts:
                  udp_first: 10
                  udp_single: 10
                  udp_multiple: 60
                  tcp_established: 7200

- name: Watch a tunnel's other end by BFD
  sluice.fabric.switch:
    config:
      bridges:
        - name: br-int
          ports:
            - name: vx-node2
              interfaces:
                - name: vx-node2
                  type: vxlan
                  options:
                    remote_ip: 192.0.2.2
                    key: 100
                  bfd:
                    enable: true
                    min_tx: 300
                    min_rx: 300

- name: Watch a link by CFM
  sluice.fabric.switch:
    config:
      bridges:
        - name: br-lan
          ports:
            - name: eth2
              interfaces:
                - name: eth2
                  cfm_mpid: 1
                  other_config:
                    cfm_interval: 1000

- name: A tunnel that ovs-monitor-ipsec encrypts
  sluice.fabric.switch:
    config:
      bridges:
        - name: br-int
          ports:
            - name: gre-node3
              interfaces:
                - name: gre-node3
                  type: gre
                  options:
                    remote_ip: 192.0.2.3
    secrets:
      gre-node3:
        psk: "{{ tunnel_secret }}"

- name: Rapid spanning tree, multicast snooping, and names and limits of flow tables
  sluice.fabric.switch:
    config:
      bridges:
        - name: br-lan
          rstp_enable: true
          mcast_snooping_enable: true
          other_config:
            rstp-priority: 4096
            mcast-snooping-disable-flood-unregistered: true
            mac-table-size: 8192
          flow_tables:
            0: classify
            10:
              name: learned
              flow_limit: 10000
              overflow_policy: evict

- name: Settings of the host, and one that goes back to its default
  sluice.fabric.switch:
    config:
      other_config:
        max-idle: 30000
        vlan-limit: 2
        flow-limit: null
      external_ids:
        rack: b7

- name: This bridge has these ports and settings and no others of ours; other bridges stay
  sluice.fabric.switch:
    state: replaced
    config:
      bridges:
        - name: br-lan
          rstp_enable: true
          ports:
            - name: web1
              tag: 30
              interfaces:
                - name: web1
                  type: internal
            - name: eth2
              trunks: [20, 30]

- name: Take over a bridge that was made by hand, with one of its ports
  sluice.fabric.switch:
    adopt: true
    config:
      bridges:
        - name: br-old
          ports:
            - name: eth9

- name: This is all of our switch; what else we created goes
  sluice.fabric.switch:
    state: overridden
    config:
      bridges:
        - name: br-int
          fail_mode: secure
          ports:
            - name: eth1
            - name: gw0
              interfaces:
                - name: gw0
                  type: internal
        - name: br-lan
          ports:
            - name: eth2

- name: Read the whole configuration, whoever made it
  sluice.fabric.switch:
    state: gathered
  register: found

- name: What would make this, as commands, without a switch
  sluice.fabric.switch:
    state: rendered
    config:
      bridges:
        - name: br-int
          ports:
            - name: eth1
              tag: 20

- name: What a database says that somebody dumped by ovsdb-client dump --format=json Open_vSwitch
  sluice.fabric.switch:
    state: parsed
    running_config: "{{ lookup('ansible.builtin.file', 'node1.json') }}"

- name: Make the uplink over which Ansible comes a port, and undo it unless the node can be reached within a minute
  sluice.fabric.switch:
    config:
      bridges:
        - name: br-ex
          other_config:
            hwaddr: "{{ uplink_mac }}"
          ports:
            - name: eth0
    move_addresses:
      eth0: br-ex
    confirm_timeout: 60

- name: Remove one port
  sluice.fabric.switch:
    state: deleted
    config:
      bridges:
        - name: br-lan
          ports:
            - name: eth2

- name: Remove everything that Sluice created in Open vSwitch
  sluice.fabric.switch:
    state: deleted
"""

RETURN = r"""
before:
  description: What was there of all that the run manages, in the shape of O(config).
  returned: with a state that changes something, on success or when Open vSwitch did not realise what was committed
  type: dict
  sample: {bridges: [{name: br-int, fail_mode: standalone}]}
after:
  description: What is there now of the same, or would be in check mode.
  returned: with a state that changes something, on success or when Open vSwitch did not realise what was committed
  type: dict
  sample: {bridges: [{name: br-int, fail_mode: secure}]}
plan:
  description: The changes, each as the arguments of an ovs-vsctl that would do the same, or, for addresses and routes, as a
    command of C(ip). In check mode, those to come.
  returned: with a state that changes something, on success or when Open vSwitch did not realise what was committed
  type: list
  elements: str
  sample: [set Bridge br-int fail_mode=secure]
confirmed:
  description: Whether the change is there to stay. If not, it was rolled back.
  returned: with O(confirm_timeout), if there was something to change
  type: bool
  sample: true
gathered:
  description:
    - The whole configuration, whoever made it. As O(config) it changes nothing.
    - It has no bridges where Open vSwitch is not installed.
  returned: with O(state=gathered)
  type: dict
  sample: {bridges: [{name: br-int, fail_mode: secure, ports: [{name: br-int, interfaces: [{name: br-int, type: internal}]}]}]}
rendered:
  description: The changes that make O(config) on a switch without anything, each as the arguments of an ovs-vsctl.
  returned: with O(state=rendered)
  type: list
  elements: str
  sample: [add-br br-int]
parsed:
  description: What O(running_config) says, in the shape of O(config).
  returned: with O(state=parsed)
  type: dict
  sample: {bridges: [{name: br-int, fail_mode: secure, ports: [{name: br-int, interfaces: [{name: br-int, type: internal}]}]}]}
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.sluice.fabric.plugins.module_utils.errors import SluiceError
from ansible_collections.sluice.fabric.plugins.module_utils.ovs.confirmed.change import Request, Result, make
from ansible_collections.sluice.fabric.plugins.module_utils.ovs.remote_options import REMOTE_OPTIONS, remote_from
from ansible_collections.sluice.fabric.plugins.module_utils.ovs.switch.apply import NotRealised, rendered, switch_at
from ansible_collections.sluice.fabric.plugins.module_utils.ovs.switch.describe import gathered
from ansible_collections.sluice.fabric.plugins.module_utils.ovs.switch.dump import switch_from_text
from ansible_collections.sluice.fabric.plugins.module_utils.ovs.switch.secrets import with_secrets
from ansible_collections.sluice.fabric.plugins.module_utils.ovs.switch.target import STATES

ARGUMENTS: dict[str, object] = {
    "config": {"type": "dict", "default": {}},
    "state": {"type": "str", "choices": [*STATES, "gathered", "rendered", "parsed"], "default": "merged"},
    "owner": {"type": "str", "default": "sluice"},
    "adopt": {"type": "bool", "default": False},
    "secrets": {"type": "dict", "default": {}, "no_log": True},
    "running_config": {"type": "str"},
    "wait_timeout": {"type": "int", "default": 30},
    "confirm_timeout": {"type": "int"},
    "move_addresses": {"type": "dict", "default": {}},
    # Which step of a change that is to be confirmed this is; only plugins/action/switch.py sets it.
    "_confirm": {"type": "dict"},
    **REMOTE_OPTIONS,
}


def run(module: AnsibleModule) -> tuple[dict[str, object], tuple[str, ...]]:
    """What the module returns, and warnings; raises SluiceError."""
    options = module.params
    state, step = options["state"], options["_confirm"]
    if step and "is_made" in step:
        return confirmed_step(module)
    config = with_secrets(options["config"], options["secrets"])
    if state == "gathered":
        return {"gathered": gathered(switch_at(remote_from(options)))}, ()
    if state == "parsed":
        return {"parsed": switch_from_text(options["running_config"])}, ()
    if state == "rendered":
        outcome = rendered(config, options["owner"])
        return {"rendered": list(outcome.commands)}, outcome.warnings
    request = Request(
        remote_from(options), config, state, options["owner"], options["wait_timeout"], options["adopt"], options["move_addresses"],
        options["confirm_timeout"])
    if step:
        return armed_step(module, request)
    if request.confirm_timeout is not None and not module.check_mode:
        raise SluiceError("confirm_timeout needs the action plugin of this module, which comes back to confirm; run it as a task")
    done = make(request, module.check_mode)
    return done.shown(module._diff), done.warnings


def armed_step(module: AnsibleModule, request: Request) -> tuple[dict[str, object], tuple[str, ...]]:
    """The first step of a change that is to be confirmed."""
    # Imported here, as few runs need it.
    from ansible_collections.sluice.fabric.plugins.module_utils.ovs.confirmed.steps import arm
    armed = arm(request, module.params["_confirm"]["name"])
    if armed.is_armed:
        return {"is_armed": True, "confirm_timeout": request.confirm_timeout}, armed.warnings
    return armed.result.shown(module._diff), armed.result.warnings


def confirmed_step(module: AnsibleModule) -> tuple[dict[str, object], tuple[str, ...]]:
    """The later steps."""
    from ansible_collections.sluice.fabric.plugins.module_utils.ovs.confirmed.steps import confirm
    answer = confirm(module.params["_confirm"]["name"], module.params["_confirm"]["is_made"])
    return answer.shown(module._diff), answer.result.warnings if answer.result else ()


def main() -> None:
    module = AnsibleModule(
        argument_spec=ARGUMENTS, required_if=[("state", "parsed", ["running_config"]), ("state", "rendered", ["config"])], supports_check_mode=True)
    step = module.params["_confirm"]
    # For the action plugin, to tell it from a run that was cut off.
    common: dict[str, object] = {"is_armed": False} if step and "is_made" not in step else {}
    try:
        shown, warnings = run(module)
    except NotRealised as error:
        module.fail_json(msg=str(error), **Result(error.outcome).shown(module._diff))
    except SluiceError as error:
        module.fail_json(msg=str(error), **common)
    for warning in warnings:
        module.warn(warning)
    module.exit_json(**{"changed": False, **common, **shown})


if __name__ == "__main__":
    main()
