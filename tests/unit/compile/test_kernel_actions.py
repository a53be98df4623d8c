# SPDX-License-Identifier: Apache-2.0
"""With the kernel's datapath Open vSwitch refuses flows with actions that the kernel does not know, and with one of them a whole bundle."""
from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2]))
from sluice.compile.artifacts import fabric_files
from sluice.compile.fabric import Fabric
from states import cluster_state

# "IPv6 ND Extensions" of `ovs-appctl dpif/show-dp-features`, which Linux has not.
REFUSED = re.compile(r"(?:set_field|load):[^,]*->(?:nd_reserved|nd_options_type|ERICOXM_OF_ICMPV6_ND_\w+)")


@pytest.mark.parametrize("datapath", ["system", "netdev"])
def test_no_flow_sets_what_the_kernel_cannot(datapath: str) -> None:
    files = dict(fabric_files(Fabric(cluster_state(nodes=2, pods_per_node=2, datapath=datapath)), ["node1", "node2"]))
    flows = "".join(text for file, text in files.items() if file.endswith("flows.txt"))
    assert "icmp_type=135" in flows and "ICMPV6_ND_RESERVED" in flows
    assert REFUSED.findall(flows) == []
