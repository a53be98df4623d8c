# SPDX-License-Identifier: Apache-2.0
"""The systemd units of a node.

sluice-node.service puts the node's program back, at boot and whenever ovs-vswitchd was started anew.

Being wanted by ovs-vswitchd starts it after each start of that, and being part of it ends it with each stop, without which systemd would
take it for still active. This is enough: tried on systemd 252 and Debian's Open vSwitch 3.1, with the unit active before and not, with
restart and stop of openvswitch-switch, ovs-vswitchd and ovsdb-server, kill -9 of either daemon and of both (systemd's own restart is a job
that reaches the parts of a unit too), and reboot. So ovs-vswitchd.service needs no drop-in, and stays as its package has it.
"""
from __future__ import annotations

NODE_UNIT = "sluice-node.service"
NODE_UNIT_FILE = f"/etc/systemd/system/{NODE_UNIT}"
# Open vSwitch starts before the network, which then gives the transport interface its addresses: those are moved when it has.
# Restart: of a oneshot needs systemd 244.
NODE_UNIT_TEXT = """\
[Unit]
Description=Sluice: put back the flows and the host's part of the pod network
After=ovs-vswitchd.service networking.service network-online.target
Wants=network-online.target
PartOf=ovs-vswitchd.service

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/usr/bin/python3 -I /usr/lib/sluice/sluice.pyz restore
Restart=on-failure
RestartSec=5

[Install]
WantedBy=multi-user.target ovs-vswitchd.service
"""

AGENT_UNIT = "sluice-agent.service"
AGENT_UNIT_FILE = f"/etc/systemd/system/{AGENT_UNIT}"
# It waits for a switch that is not there itself, and ends by itself when the engine is replaced. In a flood the rest of the node comes first.
AGENT_UNIT_TEXT = """\
[Unit]
Description=Sluice: answer packets that policies reject, and write the audit log
After=ovs-vswitchd.service
StartLimitIntervalSec=0

[Service]
ExecStart=/usr/bin/python3 -I /usr/lib/sluice/sluice.pyz agent
Restart=always
RestartSec=1
Nice=5
MemoryMax=256M
CPUQuota=50%

[Install]
WantedBy=multi-user.target
"""
