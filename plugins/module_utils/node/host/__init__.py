# SPDX-License-Identifier: Apache-2.0
"""What a node is beside Open vSwitch: sysctl, links, routes, neighbours, nftables, files and units, made so in one go."""
