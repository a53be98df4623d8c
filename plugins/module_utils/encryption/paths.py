# SPDX-License-Identifier: Apache-2.0
"""Where a node has its private keys, which the compiled program names and the node itself makes."""
from __future__ import annotations

IPSEC = "/etc/ipsec.d"
"""Where Debian's AppArmor profile lets strongSwan read."""
PRIVATE_KEY = f"{IPSEC}/private/sluice.pem"
WIREGUARD_KEY = "/etc/sluice/wireguard.key"
