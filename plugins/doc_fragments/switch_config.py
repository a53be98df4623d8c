# SPDX-License-Identifier: Apache-2.0
"""The option ``config`` of sluice.fabric.switch: what an operator configures in Open vSwitch, table by table."""
from __future__ import annotations


class ModuleDocFragment:
    """Documentation of everything that ``config`` may say. The engine checks it; Ansible does not."""

    DOCUMENTATION = r"""
options:
  config:
    description:
      - The configuration of one host's Open vSwitch, from the host down to queues. The keys have the names of the database's columns;
        what belongs to something stands below it, so that ports are below their bridge and a QoS with its queues below its port.
      - What is not said is not touched with O(state=merged), and empty with O(state=replaced) and O(state=overridden), for what is named.
        V(null) empties a column, and removes what stands below.
      - Lists of values (O(config.bridges[].ports[].trunks)) are made exactly so. Lists of things with a name are matched by name.
      - Maps of options hold text. V(true), V(false) and numbers are turned into text, and V(null) as a key's value removes the key.
      - It is checked whole, and everything that is wrong with it is reported at once with its path, before anything is changed.
        Keys that Open vSwitch would silently leave out are refused; where programs may keep keys of their own, unknown keys pass,
        with a warning if they look like a misspelt one.
      - Columns that this host's version of Open vSwitch does not have are refused, too.
      - The manual page ovs-vswitchd.conf.db(5) has the last word on every column.
    type: dict
    default: {}
    suboptions:
      other_config:
        description:
          - Settings of the whole host. Other programs have keys here, too, so that only the keys given are managed.
          - "Statistics and flows: C(enable-statistics) has ovs-vswitchd report CPU, memory and file systems; C(stats-update-interval) is
            how often counters are written to the database, in ms (at least and by default V(5000)); C(flow-restore-wait) keeps datapath
            flows and controllers as they are while flows are being restored; C(flow-limit) is the most datapath flows (V(200000));
            C(max-idle) is how long an idle datapath flow stays, in ms (V(10000)); C(max-revalidator) is how long revalidators wait, in ms
            (V(500)); C(min-revalidate-pps) is the packets/s from which a flow is revalidated under load (V(5));
            C(explicit-sampled-drops) drops sampled packets by an action of their own, so that they are counted (newer than 3.1)."
          - "Threads: C(n-handler-threads) and C(n-revalidator-threads). Limits: C(vlan-limit) is the most VLAN headers that are parsed
            (V(1), V(0) for as many as the datapath can), C(bundle-idle-timeout) is how long an OpenFlow bundle may be idle, in s (V(10))."
          - "Hardware offload, which takes effect when ovs-vswitchd is restarted: C(hw-offload), C(tc-policy) (V(none), V(skip_sw) or
            V(skip_hw)), C(n-offload-threads) (V(1) to V(10)), C(offload-rebalance), C(offloaded-stats-delay) in ms,
            C(hw-offload-priority) (both newer than 3.1)."
          - "DPDK: C(dpdk-init) (V(false), V(true) or V(try)), C(dpdk-lcore-mask), C(pmd-cpu-mask), C(dpdk-alloc-mem), C(dpdk-socket-mem),
            C(dpdk-socket-limit), C(dpdk-hugepage-dir), C(dpdk-extra), C(dpdk-probe-at-init), C(per-port-memory),
            C(shared-mempool-config), C(vhost-sock-dir), C(vhost-iommu-support), C(vhost-postcopy-support), C(userspace-tso-enable)."
          - "The userspace datapath: C(pmd-rxq-assign) (V(cycles), V(group) or V(roundrobin)), C(pmd-rxq-isolate), C(pmd-auto-lb),
            C(pmd-auto-lb-rebal-interval) in min, C(pmd-auto-lb-load-threshold) and C(pmd-auto-lb-improvement-threshold) in %,
            C(pmd-perf-metrics), C(pmd-sleep-max) (in 3.1 C(pmd-maxsleep)) in µs, C(tx-flush-interval) in µs,
            C(emc-insert-inv-prob) (one in how many new flows enters the exact match cache), C(smc-enable)."
          - "IPsec: C(certificate), C(private_key) and C(ca_cert), the files that ovs-monitor-ipsec uses; C(ipsec_skb_mark), the mark of
            packets that may leave unencrypted."
        type: dict
      external_ids:
        description:
          - Keys of the host for other programs. Only the keys given are managed.
          - Open vSwitch itself knows C(system-id), which its start script makes up, C(hostname) and C(rundir). OVN reads C(ovn-remote),
            C(ovn-encap-type), C(ovn-encap-ip) and other keys that begin with C(ovn-).
          - Keys that begin with C(sluice-) are reserved.
        type: dict
      bridges:
        description: The bridges.
        type: list
        elements: dict
        suboptions:
          name:
            description: The name of the bridge and of its local port, a network device of at most 15 bytes.
            type: str
            required: true
          datapath_type:
            description:
              - Who moves the packets. V(system) is the kernel, which is the default; V(netdev) is ovs-vswitchd itself,
                which DPDK and AF_XDP need.
              - Changing it makes every port of the bridge anew.
            type: str
          fail_mode:
            description:
              - What happens where no controller can be reached, or there is none. V(standalone), which is the default, switches like any
                learning switch; V(secure) leaves the flow table alone.
              - A change without a controller empties the flow tables.
            type: str
            choices: [standalone, secure]
          protocols:
            description: The versions of OpenFlow that the bridge speaks. None means all.
            type: list
            elements: str
            choices: [OpenFlow10, OpenFlow11, OpenFlow12, OpenFlow13, OpenFlow14, OpenFlow15]
          stp_enable:
            description: Whether the bridge takes part in the Spanning Tree Protocol (802.1D-1998).
            type: bool
          rstp_enable:
            description: Whether it takes part in Rapid Spanning Tree (802.1D-2004), which then goes before STP.
            type: bool
          mcast_snooping_enable:
            description: Whether it learns from IGMP and MLD which ports want which multicast.
            type: bool
          flood_vlans:
            description: VLANs in which no addresses are learnt, so that every packet is flooded; for VLANs that carry mirrored traffic.
            type: list
            elements: int
          other_config:
            description:
              - "OpenFlow: C(datapath-id) (16 hexadecimal digits), C(dp-desc) and C(dp-sn) (what the switch calls itself to controllers),
                C(disable-in-band), C(in-band-queue), C(controller-queue-size) (V(1) to V(512) packets, V(100))."
              - "Addresses: C(hwaddr) is the local port's MAC address; C(mac-aging-time) in s (V(300)) and C(mac-table-size) are of learnt
                addresses; C(forward-bpdu) forwards what switches say to their neighbours, too."
              - "STP: C(stp-system-id), C(stp-priority) (V(0) to V(65535), V(32768)), C(stp-hello-time) (V(1) to V(10) s, V(2)),
                C(stp-max-age) (V(6) to V(40) s, V(20)), C(stp-forward-delay) (V(4) to V(30) s, V(15))."
              - "RSTP: C(rstp-address), C(rstp-priority) (V(0) to V(61440) in steps of 4096), C(rstp-ageing-time) (V(300) s),
                C(rstp-force-protocol-version) (V(0) is STP, V(2) RSTP), C(rstp-max-age), C(rstp-forward-delay),
                C(rstp-transmit-hold-count) (V(1) to V(10), V(6))."
              - "Multicast: C(mcast-snooping-aging-time) in s (V(300)), C(mcast-snooping-table-size) (V(2048)),
                C(mcast-snooping-disable-flood-unregistered), so that multicast nobody asked for goes to multicast routers only."
            type: dict
          external_ids:
            description: Keys of the bridge for other programs. Only the keys given are managed.
            type: dict
          flow_tables:
            description:
              - OpenFlow tables by number, from 0 to 254. A table's name alone may stand in place of its map.
            type: dict
            suboptions:
              NUMBER:
                description: One table, below its number.
                type: dict
                suboptions:
                  name:
                    description: What ovs-ofctl(8) calls the table; 1 to 31 characters without spaces, commas or parentheses.
                    type: str
                  flow_limit:
                    description: How many flows it takes.
                    type: int
                  overflow_policy:
                    description:
                      - What happens to a flow beyond the limit. V(refuse), which is the default, refuses it; V(evict) removes another that
                        has a timeout.
                    type: str
                    choices: [refuse, evict]
                  groups:
                    description: Fields like C(NXM_OF_IN_PORT[]) by which flows are grouped; what is evicted is of the largest group.
                    type: list
                    elements: str
                  prefixes:
                    description:
                      - Fields by whose prefixes the classifier leaves out flows, so that fewer packets come up from the datapath, like
                        V(ip_dst). At most 3 fields, with Open vSwitch 3.5 at most 4. V(none) tracks none.
                    type: list
                    elements: str
                  external_ids:
                    description: Keys of the table for other programs. Only the keys given are managed.
                    type: dict
          controllers:
            description: The OpenFlow controllers that the bridge connects to or listens for.
            type: list
            elements: dict
            suboptions:
              target:
                description:
                  - How they meet, as V(tcp:192.0.2.1:6653), V(ssl:192.0.2.1:6653), V(unix:/path), or, to wait for it,
                    V(ptcp:6653:127.0.0.1), V(pssl:6653), V(punix:/path). IPv6 addresses stand in brackets.
                  - The ssl ones need O(config.ssl).
                type: str
                required: true
              type:
                description:
                  - V(primary) controls the flows, and O(config.bridges[].fail_mode) applies when it is away; V(service) looks in now and
                    then. By default those that the bridge connects to are primary.
                type: str
                choices: [primary, service]
              max_backoff:
                description: The longest wait between two attempts to connect, in ms; at least 1000.
                type: int
              inactivity_probe:
                description: After how many ms of silence the other side is asked whether it lives; V(0) never asks.
                type: int
              connection_mode:
                description:
                  - Whether the connection runs through this bridge itself (V(in-band)), which then lets it through whatever the flows say,
                    or around it (V(out-of-band)).
                type: str
                choices: [in-band, out-of-band]
              local_ip:
                description: The address of the bridge's local port, for V(in-band).
                type: str
              local_netmask:
                description: Its netmask, for V(in-band).
                type: str
              local_gateway:
                description: Its gateway, for V(in-band).
                type: str
              enable_async_messages:
                description: Whether the switch sends messages that were not asked for before the controller says that it wants them.
                type: bool
              controller_queue_size:
                description: How many packets may wait for the controller, V(1) to V(512).
                type: int
              controller_rate_limit:
                description: How many packets a second go to the controller; at least 100. No limit by default.
                type: int
              controller_burst_limit:
                description: How many packets may wait under the rate limit; at least 25. A quarter of the rate limit by default.
                type: int
              other_config:
                description: C(dscp) is the DSCP of the connection's packets, V(0) to V(63), by default V(48).
                type: dict
              external_ids:
                description: Keys of the controller for other programs. Only the keys given are managed.
                type: dict
          mirrors:
            description: Copies of traffic. What is selected goes to either a port or a VLAN.
            type: list
            elements: dict
            suboptions:
              name:
                description: A name of its own in the bridge.
                type: str
                required: true
              select_all:
                description: Whether all packets are copied.
                type: bool
              select_src_port:
                description: Names of ports of the bridge; what comes in there is copied.
                type: list
                elements: str
              select_dst_port:
                description: Names of ports of the bridge; what goes out there is copied.
                type: list
                elements: str
              select_vlan:
                description: Only packets in these VLANs are copied. None means all.
                type: list
                elements: int
              output_port:
                description: The name of the bridge's port that the copies go to; it then does nothing else. It may be a tunnel.
                type: str
              output_vlan:
                description: The VLAN that the copies are put in, 1 to 4095. See O(config.bridges[].flood_vlans).
                type: int
              snaplen:
                description: How many bytes of each packet are copied, 14 to 65535. All by default.
                type: int
              filter:
                description: Only packets that match are copied, in the syntax of flows, like V(icmp). Newer than Open vSwitch 3.1.
                type: str
              external_ids:
                description: Keys of the mirror for other programs. Only the keys given are managed.
                type: dict
          netflow:
            description: NetFlow v5 records of the bridge's traffic.
            type: dict
            suboptions:
              targets:
                description: The collectors, as V(192.0.2.1:2055). Needed when NetFlow is set up.
                type: list
                elements: str
              engine_type:
                description: What the records say of the engine's type, 0 to 255. The number of the datapath by default.
                type: int
              engine_id:
                description: What they say of the engine, 0 to 255. The number of the datapath by default.
                type: int
              add_id_to_interface:
                description: Whether the upper 7 bits of interface numbers are those of the engine, for collectors that do not tell engines apart.
                type: bool
              active_timeout:
                description: After how many seconds a flow that goes on is reported; V(0) is the default of 600 s, V(-1) never.
                type: int
              external_ids:
                description: Keys for other programs. Only the keys given are managed.
                type: dict
          sflow:
            description: sFlow samples of the bridge's traffic.
            type: dict
            suboptions:
              targets:
                description: The collectors, as V(192.0.2.1:6343). Needed when sFlow is set up.
                type: list
                elements: str
              sampling:
                description: One in how many packets is sampled, by default 400.
                type: int
              polling:
                description: Every how many seconds the ports' counters are sent, by default 30.
                type: int
              header:
                description: How many bytes of a sampled packet are sent, by default 128.
                type: int
              agent:
                description: The address, or the device whose address it is, under which samples are sent. By default that of the route there.
                type: str
              external_ids:
                description: Keys for other programs. Only the keys given are managed.
                type: dict
          ipfix:
            description: IPFIX records of samples of all of the bridge's traffic.
            type: dict
            suboptions: &ipfix
              targets:
                description: The collectors, as V(192.0.2.1:4739).
                type: list
                elements: str
              sampling:
                description: One in how many packets is sampled, by default 400. Only of a whole bridge.
                type: int
              obs_domain_id:
                description: The Observation Domain ID of the records, by default 0. Only of a whole bridge.
                type: int
              obs_point_id:
                description: The Observation Point ID of the records, by default 0. Only of a whole bridge.
                type: int
              stats_interval:
                description: Every how many seconds statistics of the exporter are sent, 1 to 3600, by default 600. Newer than Open vSwitch 3.1.
                type: int
              template_interval:
                description: Every how many seconds templates are sent, 1 to 3600, by default 600. Newer than Open vSwitch 3.1.
                type: int
              cache_active_timeout:
                description: For how many seconds a flow's samples are added up before they are sent, 0 to 4200. V(0), the default, sends each.
                type: int
              cache_max_flows:
                description: For how many flows samples are added up. V(0), the default, is none.
                type: int
              other_config:
                description:
                  - C(enable-input-sampling), C(enable-output-sampling) and C(enable-tunnel-sampling) are V(true) by default;
                    C(virtual_obs_id) is a text that goes with each record.
                type: dict
              external_ids:
                description: Keys for other programs. Only the keys given are managed.
                type: dict
          sample_collector_sets:
            description: Where the samples go that flows take by the OpenFlow action C(sample).
            type: list
            elements: dict
            suboptions:
              id:
                description: The number that the action calls C(collector_set_id).
                type: int
                required: true
              local_group_id:
                description: The group of the psample interface in the kernel that gets them. Newer than Open vSwitch 3.1.
                type: int
              ipfix:
                description: The IPFIX collectors that get them.
                type: dict
                suboptions: *ipfix
              external_ids:
                description: Keys of the set for other programs. Only the keys given are managed.
                type: dict
          auto_attach:
            description: What the bridge says of itself in Auto-Attach (802.1Qcj), by LLDP. It is enabled by O(config.bridges[].ports[].interfaces[].lldp).
            type: dict
            suboptions:
              system_name:
                description: A name that tells the bridge from others in the network.
                type: str
              system_description:
                description: What it consists of.
                type: str
              mappings:
                description: The VLAN, 0 to 4095, by service identifier (ISID), 0 to 16777215.
                type: dict
          ports:
            description:
              - The bridge's ports. A port has one interface, or more if it is a bond.
              - The one of the bridge's own name is its local port, which is made with the bridge; it may be listed for its attributes.
            type: list
            elements: dict
            suboptions:
              name:
                description: A name of its own on the host.
                type: str
                required: true
              tag:
                description: The VLAN of an access port, or the native one of a native port.
                type: int
              trunks:
                description: The VLANs that a trunk or native port carries. None means all.
                type: list
                elements: int
              cvlans:
                description: The customer VLANs that a V(dot1q-tunnel) port carries. None means all.
                type: list
                elements: int
              vlan_mode:
                description:
                  - What the port does to VLAN headers, where flows leave it to C(NORMAL). By default a port with a tag is V(access), and one
                    without is V(trunk).
                  - V(access) carries the VLAN O(config.bridges[].ports[].tag) without a header. V(trunk) carries packets with their header.
                    V(native-tagged) and V(native-untagged) are a trunk, in which packets without a header are in the VLAN of the tag,
                    and leave with one, or without one. V(dot1q-tunnel) carries customers' VLANs within that of the tag.
                type: str
                choices: [trunk, access, native-tagged, native-untagged, dot1q-tunnel]
              mac:
                description: What the bridge takes for the port's MAC address when it chooses its own. The port's stays.
                type: str
              bond_mode:
                description:
                  - How a bond uses its interfaces. V(active-backup), which is the default, uses one at a time; V(balance-slb) spreads traffic by
                    source address and VLAN; V(balance-tcp) spreads it by addresses and ports, and needs LACP.
                type: str
                choices: [balance-tcp, balance-slb, active-backup]
              lacp:
                description:
                  - Whether the port speaks the Link Aggregation Control Protocol. V(active) begins, V(passive) answers, and
                    V(off) is the default.
                type: str
                choices: [active, passive, 'off']
              bond_updelay:
                description: For how many ms a link must be up before it is used.
                type: int
              bond_downdelay:
                description: For how many ms a link must be down before it is not used any more.
                type: int
              bond_fake_iface:
                description: Whether a bond gets a device of its name, which some old programs want.
                type: bool
              fake_bridge:
                description: Whether the port stands for a bridge of its own for the VLAN of its tag, see ovs-vsctl(8).
                type: bool
              protected:
                description: Whether nothing passes between this port and others that are protected.
                type: bool
              other_config:
                description:
                  - "VLANs: C(priority-tags) (V(always), V(if-nonzero) or V(never)), C(qinq-ethtype) (V(802.1ad) or V(802.1q))."
                  - "Bonds: C(bond-hash-basis), C(bond-rebalance-interval) in ms, C(bond-primary) (the interface that is preferred),
                    C(bond-detect-mode) (V(carrier) or V(miimon)), C(bond-miimon-interval) in ms, C(lb-output-action),
                    C(all-members-active)."
                  - "LACP: C(lacp-time) (V(fast) is every second, V(slow) every 30), C(lacp-fallback-ab) (V(active-backup) where the other
                    side does not speak LACP), C(lacp-system-id) (a MAC address), C(lacp-system-priority)."
                  - "STP and RSTP: C(stp-enable), C(stp-port-num), C(stp-port-priority), C(stp-path-cost), C(rstp-enable), C(rstp-port-num),
                    C(rstp-port-priority), C(rstp-path-cost), C(rstp-port-admin-edge), C(rstp-port-auto-edge), C(rstp-port-mcheck)."
                  - "Multicast: C(mcast-snooping-flood) and C(mcast-snooping-flood-reports) send it, or what hosts report, to this port always."
                  - "C(transient) has the port removed when Open vSwitch starts, where that is asked for."
                type: dict
              external_ids:
                description: Keys of the port for other programs. Only the keys given are managed.
                type: dict
              qos:
                description: What becomes of the traffic that leaves by the port.
                type: dict
                suboptions:
                  type:
                    description:
                      - The discipline. V(linux-htb) and V(linux-hfsc) share a rate among queues; V(linux-sfq), V(linux-codel) and
                        V(linux-fq_codel) are fair, or keep delays short, without queues; V(linux-netem) delays and loses;
                        V(linux-noop) leaves the device's own alone; V(egress-policer) and V(trtcm-policer) are for DPDK.
                      - Needed when a QoS is set up. The linux ones work on devices of the kernel.
                    type: str
                  other_config:
                    description:
                      - "V(linux-htb) and V(linux-hfsc): C(max-rate), the rate of all queues in bit/s."
                      - "V(egress-policer) and V(trtcm-policer): C(cir) and C(eir) in bytes/s, C(cbs) and C(ebs) in bytes."
                      - "V(linux-sfq): C(perturb) in s, C(quantum) in bytes. V(linux-netem): C(latency) and C(jitter) in µs, C(limit) in packets,
                        C(loss) in %. V(linux-codel) and V(linux-fq_codel): C(target) and C(interval) in µs, C(limit) in packets,
                        C(flows), C(quantum)."
                    type: dict
                  external_ids:
                    description: Keys of the QoS for other programs. Only the keys given are managed.
                    type: dict
                  queues:
                    description: The queues by number, as OpenFlow's C(set_queue) has it. Traffic without one is in queue 0.
                    type: dict
                    suboptions:
                      NUMBER:
                        description: One queue, below its number.
                        type: dict
                        suboptions:
                          dscp:
                            description: The DSCP that packets get, 0 to 63. They keep theirs by default.
                            type: int
                          other_config:
                            description:
                              - "V(linux-htb) and V(linux-hfsc): C(min-rate) and C(max-rate) in bit/s. V(linux-htb): C(burst) in bits, C(priority),
                                where the smaller goes first. V(trtcm-policer): C(cir), C(cbs), C(eir), C(ebs)."
                            type: dict
                          external_ids:
                            description: Keys of the queue for other programs. Only the keys given are managed.
                            type: dict
              interfaces:
                description: What the port consists of. By default one interface of the port's name.
                type: list
                elements: dict
                suboptions:
                  name:
                    description:
                      - A name of its own on the host; if the port has only this one, the port's. A network device of at most 15 bytes,
                        unless it is a patch.
                    type: str
                    required: true
                  type:
                    description:
                      - What the interface is. Empty or V(system) is a device that is there already, and is the default; V(internal) is a
                        device that the switch makes; V(tap) is a tap device; V(patch) is one end of a cable to another bridge.
                      - "Tunnels: V(geneve), V(vxlan), V(gre), V(ip6gre), V(erspan), V(ip6erspan), V(gtpu), V(bareudp), V(srv6), V(lisp), V(stt)."
                      - "Devices of the userspace datapath: V(dpdk), V(dpdkvhostuser), V(dpdkvhostuserclient), V(afxdp), V(afxdp-nonpmd)."
                      - A type that this host's ovs-vswitchd was not built for is refused. Where only the device or its hardware is not there, the
                        configuration is committed, and the module fails with what ovs-vswitchd says in the interface's C(error).
                    type: str
                  options:
                    description:
                      - The options of the type. Those of tunnels and patches are all known, and others are refused there.
                      - "V(patch): C(peer), the interface at the other end; needed."
                      - "Every tunnel: C(remote_ip), the other end's address or V(flow), needed; C(local_ip), an address or V(flow);
                        C(tos) and C(ttl), a number or V(inherit); C(df_default), whether packets must not be fragmented, V(true) by default;
                        C(egress_pkt_mark); C(packet_type) (V(legacy_l2), V(legacy_l3) or V(ptap))."
                      - "Tunnels with a key, which is a number or V(flow): C(key), or C(in_key) and C(out_key). V(geneve), V(vxlan), V(gtpu),
                        V(bareudp), V(lisp), V(stt): C(dst_port). V(geneve), V(vxlan), V(gre), V(ip6gre), V(stt): C(csum), whether
                        outer checksums are computed. V(gre), V(ip6gre): C(seq), whether packets are numbered."
                      - "V(vxlan): C(exts), which is V(gbp), V(gpe) or both. V(erspan), V(ip6erspan): C(erspan_ver) (V(1) or V(2)),
                        C(erspan_idx), C(erspan_dir), C(erspan_hwid). V(bareudp): C(payload_type) (V(ip), V(mpls) or an EtherType).
                        V(srv6): C(srv6_segs), C(srv6_flowlabel) (V(copy), V(zero) or V(compute))."
                      - "IPsec by ovs-monitor-ipsec, for V(geneve), V(vxlan), V(gre) and V(stt): C(psk), which belongs into O(secrets), C(remote_cert)
                        or C(remote_name), and any C(ipsec_*), which goes to the IKE daemon."
                      - "Devices of the userspace datapath: C(dpdk-devargs), C(n_rxq), C(n_rxq_desc), C(n_txq_desc), C(dpdk-vf-mac),
                        C(rx-steering), C(rx-flow-ctrl), C(tx-flow-ctrl), C(flow-ctrl-autoneg), C(dpdk-lsc-interrupt),
                        C(vhost-server-path), C(vhost-max-queue-pairs), C(tx-retries-max), C(xdp-mode), C(use-need-wakeup)."
                    type: dict
                  mac:
                    description: The MAC address of an internal interface. Others have their own.
                    type: str
                  ofport_request:
                    description: The OpenFlow port number that it should have, 1 to 65279. A change takes the port out and in again.
                    type: int
                  mtu_request:
                    description: The MTU that it should have, in bytes. Internal interfaces have the least of their bridge's by default.
                    type: int
                  ingress_policing_rate:
                    description: What comes in beyond it is dropped, in kbit/s; V(0), the default, drops nothing.
                    type: int
                  ingress_policing_burst:
                    description: By how much the rate may be exceeded, in kbit; V(0) is the default of 8000.
                    type: int
                  ingress_policing_kpkts_rate:
                    description: What comes in beyond it is dropped, in thousands of packets a second; V(0), the default, drops nothing.
                    type: int
                  ingress_policing_kpkts_burst:
                    description: By how much that rate may be exceeded, in thousands of packets; V(0) is the default of 16.
                    type: int
                  bfd:
                    description:
                      - Bidirectional Forwarding Detection (RFC 5880), which tells whether the other end can be reached. Other keys are refused.
                      - "C(enable); C(min_rx) and C(min_tx), the shortest interval of receiving (V(1000)) and sending (V(100)), in ms; C(mult),
                        how many must be missing for a failure (V(3)); C(decay_min_rx), the interval of receiving on an idle interface, in ms;
                        C(forwarding_if_rx), so that any traffic counts; C(cpath_down), which says that what lies behind is down."
                      - "C(check_tnl_key), C(oam); C(bfd_src_ip), C(bfd_dst_ip), IPv4; C(bfd_local_src_mac), C(bfd_local_dst_mac),
                        C(bfd_remote_dst_mac)."
                    type: dict
                  cfm_mpid:
                    description:
                      - Enables Connectivity Fault Management (802.1ag) with this number of the maintenance point, 1 to 8191, unlike that of
                        the other end. Its settings are in O(config.bridges[].ports[].interfaces[].other_config).
                    type: int
                  lldp:
                    description: C(enable) has the interface speak LLDP. Other keys are refused.
                    type: dict
                  other_config:
                    description:
                      - "CFM: C(cfm_interval) in ms (V(1000)), C(cfm_extended) (more exact, and not 802.1ag), C(cfm_demand), C(cfm_opstate)
                        (V(up) or V(down)), C(cfm_ccm_vlan), C(cfm_ccm_pcp)."
                      - "LACP: C(lacp-port-id), C(lacp-port-priority), C(lacp-aggregation-key)."
                      - "The userspace datapath: C(pmd-rxq-affinity) (like V(0:3,1:7)), C(tx-steering) (V(thread) or V(hash)), C(emc-enable),
                        C(hw-offload-priority)."
                    type: dict
                  external_ids:
                    description:
                      - Keys of the interface for other programs. Only the keys given are managed.
                      - Controllers and OVN read C(iface-id), C(attached-mac), C(vm-id) and C(iface-status).
                    type: dict
      managers:
        description: OVSDB clients that the database server connects to, or lets in.
        type: list
        elements: dict
        suboptions:
          target:
            description:
              - How they meet, as V(tcp:192.0.2.1:6640), V(ssl:192.0.2.1:6640), or, to listen, V(ptcp:6640:127.0.0.1), V(pssl:6640).
                Without a port it is 6640. The ssl ones need O(config.ssl).
            type: str
            required: true
          max_backoff:
            description: The longest wait between two attempts to connect, in ms; at least 1000.
            type: int
          inactivity_probe:
            description: After how many ms of silence the other side is asked whether it lives; V(0) never asks.
            type: int
          connection_mode:
            description: Whether the connection runs through a bridge of this switch (V(in-band)) or around it (V(out-of-band)).
            type: str
            choices: [in-band, out-of-band]
          other_config:
            description: C(dscp) is the DSCP of the connection's packets, V(0) to V(63), by default V(48).
            type: dict
          external_ids:
            description: Keys of the manager for other programs. Only the keys given are managed.
            type: dict
      ssl:
        description: With what Open vSwitch shows who it is to controllers and managers, and how it knows them. Files on the host.
        type: dict
        suboptions:
          private_key:
            description: The file with the private key (PEM). Needed when SSL is set up.
            type: str
          certificate:
            description: The file with the certificate of the private key (PEM). Needed when SSL is set up.
            type: str
          ca_cert:
            description: The file with the CA certificate that signed those of controllers and managers (PEM). Needed when SSL is set up.
            type: str
          bootstrap_ca_cert:
            description: Whether the CA certificate is taken from the first connection, on trust, if the file is not there.
            type: bool
          external_ids:
            description: Keys for other programs. Only the keys given are managed.
            type: dict
      datapaths:
        description: Connection tracking by datapath type, which is V(system) or V(netdev).
        type: dict
        suboptions:
          TYPE:
            description: One datapath, below its type.
            type: dict
            suboptions:
              ct_zone_default_limit:
                description: How many connections a zone tracks that has no limit of its own; V(0) is any number. Newer than Open vSwitch 3.1.
                type: int
              external_ids:
                description: Keys of the datapath for other programs. Only the keys given are managed.
                type: dict
              ct_zones:
                description: Zones of connection tracking by number, 0 to 65535.
                type: dict
                suboptions:
                  NUMBER:
                    description: One zone, below its number.
                    type: dict
                    suboptions:
                      limit:
                        description: How many connections it tracks; V(0) is any number. Newer than Open vSwitch 3.1.
                        type: int
                      external_ids:
                        description: Keys of the zone for other programs. Only the keys given are managed.
                        type: dict
                      timeout_policy:
                        description: How long its connections are remembered.
                        type: dict
                        suboptions:
                          timeouts:
                            description:
                              - Seconds by state. Those not given are the datapath's own.
                              - "TCP: C(tcp_syn_sent), C(tcp_syn_recv), C(tcp_established), C(tcp_fin_wait), C(tcp_time_wait), C(tcp_close), and in the
                                kernel's datapath also C(tcp_close_wait), C(tcp_last_ack), C(tcp_syn_sent2), C(tcp_retransmit), C(tcp_unack)."
                              - "UDP: C(udp_first) after one packet, C(udp_single) after several one way, C(udp_multiple) after some both ways.
                                ICMP: C(icmp_first) before the answer, C(icmp_reply) after it."
                            type: dict
                          external_ids:
                            description: Keys of the policy for other programs. Only the keys given are managed.
                            type: dict
"""
