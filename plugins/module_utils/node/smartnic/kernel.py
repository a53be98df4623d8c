# SPDX-License-Identifier: Apache-2.0
"""What the running kernel was built without, of what Open vSwitch needs to offload a pod's flows."""
from __future__ import annotations

import gzip
import platform
from pathlib import Path
from typing import Dict, List, Optional

NEEDED: Dict[str, str] = {
    # net/openvswitch/datapath.c refuses OVS_DP_F_TC_RECIRC_SHARING without it, and ovs-vswitchd (lib/netdev-offload-tc.c) then offloads no
    # flow that follows a recirculation. Each packet of a pod goes through conntrack, which is one.
    "CONFIG_NET_TC_SKB_EXT": "flows behind conntrack, which are all of a pod's, stay in software",
    "CONFIG_NET_CLS_FLOWER": "no flow is offloaded",
    "CONFIG_NET_ACT_CT": "no flow with conntrack is offloaded",
}


def lacking(root: Path = Path("/"), release: str = "") -> List[str]:
    """A sentence for each option that the kernel was built without; none if its configuration is not to be read."""
    text = _configuration(root, release or platform.release())
    if text is None:
        return []
    lines = set(text.splitlines())
    return [f"this kernel was built without {option}: {effect}" for option, effect in NEEDED.items()
            if f"{option}=y" not in lines and f"{option}=m" not in lines]


def _configuration(root: Path, release: str) -> Optional[str]:
    beside = root / "boot" / f"config-{release}"
    try:
        if beside.exists():
            return beside.read_text(encoding="utf-8")
        return gzip.decompress((root / "proc/config.gz").read_bytes()).decode()
    except OSError:
        return None
