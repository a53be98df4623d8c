# SPDX-License-Identifier: Apache-2.0
"""The systemd unit that makes NICs what they are to be at each boot: VFs and modes do not outlive one."""
from __future__ import annotations

UNIT = "sluice-smartnic.service"
UNIT_FILE = f"/etc/systemd/system/{UNIT}"
CONFIG_FILE = "/etc/sluice/smartnic.json"

# Before the network is configured, since a change of mode may make the NIC's interface anew; and before Open vSwitch, which finds its
# representors then. A NIC that fails must not keep the rest of the node from starting, so nothing requires it.
UNIT_TEXT = """\
[Unit]
Description=Sluice: virtual functions, switchdev mode and offload of NICs
Wants=network-pre.target systemd-udev-settle.service
After=systemd-udev-settle.service systemd-modules-load.service
Before=network-pre.target ovs-vswitchd.service openvswitch-switch.service

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/usr/bin/python3 -I /usr/lib/sluice/sluice.pyz smartnic
TimeoutStartSec=180

[Install]
WantedBy=multi-user.target ovs-vswitchd.service
"""
