# SPDX-License-Identifier: Apache-2.0
"""What happens to traffic when a change fails, and when a switch dies: what is forbidden does not get through at any moment. Real packets."""
from __future__ import annotations

import dataclasses
import sys
import time
from collections.abc import Iterator
from pathlib import Path as File

import pytest

sys.path.insert(0, str(File(__file__).parents[2]))
from live.judgement import Judgement, Period, judge
from live.live_site import LiveSite, compile_site, module_options
from live.load import Load
from live.path import TCP, Path
from live.scenario import ALLOWED, DATA, FORBIDDEN, FREE, SERVICE, app, gate, network_policy, port, site, start_load, wall

from conformance.lab import Lab
from conformance.node import ROOT, ModuleFailed
from sluice.plan.addresses import BRIDGE

WARM_SECONDS = 2.0
BACK_SECONDS = 5.0
"""So long connections may take to find their way again: neighbours, and TCP's next retransmission."""
PATHS = [*FREE, *ALLOWED, *FORBIDDEN]
SITE = site([*gate("network"), *wall("ingress")])


@pytest.fixture(scope="module")
def live() -> Iterator[LiveSite]:
    with Lab() as lab:
        made = LiveSite(lab, SITE)
        made.change(made.program, by_modules=True)
        yield made
        made.close()


def judgements(load: Load, begun: float, warm: float) -> dict[Path, Judgement]:
    """With what is always allowed and what never is."""
    return {path: judge(path, record, [Period(begun, begun, path not in FORBIDDEN)], warm) for path, record in load.records.items()}


def test_a_change_that_the_switch_refuses_leaves_everything_as_it_was(live: LiveSite) -> None:
    """It would have let front come to db, and not to back any more."""
    other = compile_site(site([*wall("ingress"), network_policy("open", "db", ingress=[{"from": [app("front")], "ports": [port("UDP", DATA)]}])]), live.program)
    node = live.lab.running("node1")
    before = node.run("ovs-ofctl", "-O", "OpenFlow15", "--no-stats", "dump-flows", BRIDGE)
    with start_load(live, PATHS) as load:
        begun = time.monotonic()
        time.sleep(WARM_SECONDS)
        for wrong in ("priority=7,ip,nw_dst=203.0.113.1 actions=group:4242", "priority=7,arp actions=goto_table:conntrack_state"):
            options = module_options(other, "node1")
            options["flows"] += f"cookie=0x51c3000000000001, table=output, {wrong}\n"
            with pytest.raises(ModuleFailed, match=r"the switch refused 1 of the changes, so nothing was changed:\n.*table=output, priority=7"):
                node.module("flows", options)
            time.sleep(0.5)
        assert node.run("ovs-ofctl", "-O", "OpenFlow15", "--no-stats", "dump-flows", BRIDGE) == before
        assert node.run("cat", "/etc/sluice/flows.txt") == live.program.text("node1", "flows")
        load.stop()
    wrong_paths = {str(path): judgement for path, judgement in judgements(load, begun, begun + WARM_SECONDS).items() if judgement.lost or judgement.leaked}
    assert not wrong_paths
    assert not [stream for stream in load.streams.values() if stream.error or stream.sent != stream.received]


def test_a_switch_that_dies_forwards_nothing_until_its_flows_are_back(live: LiveSite) -> None:
    node = live.lab.running("node2")
    for file in ("switch.json", "host.json"):
        node.write(f"/etc/sluice/{file}", live.program.file("node2", file))
    with start_load(live, PATHS) as load:
        begun = time.monotonic()
        time.sleep(WARM_SECONDS)
        killed = time.monotonic()
        node.kill_switch()
        time.sleep(1.0)
        node.start_switch()
        started = time.monotonic()
        # Longer than it takes to put the flows back, as it might on a node that boots.
        time.sleep(2.0)
        assert "flow_count=0" in node.run("ovs-ofctl", "-O", "OpenFlow15", "dump-aggregate", BRIDGE)
        restoring = time.monotonic()
        node.run("env", f"PYTHONPATH={ROOT}/src", sys.executable, "-m", "sluice.node.command", "restore")
        restored = time.monotonic()
        time.sleep(BACK_SECONDS + 2.0)
        load.stop()
    found = judgements(load, begun, begun + WARM_SECONDS)
    assert not [str(path) for path in FORBIDDEN if load.records[path].arrived]
    for path in (path for path in FREE + ALLOWED if path.protocol != TCP):
        # Of the Service's endpoints, each node has one.
        if path.destination != SERVICE and "2" in path.source[-1] + path.destination[-1]:
            passed = [when for when in load.records[path].arrived.values() if started < when < restoring]
            assert not passed, f"{path}: passed while there were no flows"
        elif path.destination != SERVICE:
            assert not found[path].lost, f"{path}: does not touch the node"
        assert not [sent for sent in found[path].lost if sent > restored + BACK_SECONDS], f"{path}: did not come back"
    print(f"away {restored - killed:.1f} s; restored in {restored - restoring:.1f} s")
    assert not [f"{path}: {stream}" for path, stream in load.streams.items() if stream.error]


def test_a_site_that_cannot_be_compiled_reaches_no_node(live: LiveSite) -> None:
    """And what it says is as it was: the next change is compared with what the nodes have."""
    bad = dataclasses.replace(SITE, policies=(*SITE.policies, network_policy("bad", "db", ingress=[{"ports": [{"port": 70000}]}])))
    with pytest.raises(Exception, match="70000"):
        compile_site(bad, live.program)
    assert live.change(compile_site(SITE, live.program)).lines == {"node1": [], "node2": []}
