# SPDX-License-Identifier: Apache-2.0
"""When a run has ended, what it forbids does not pass any more, however much the datapath remembers. Real packets."""
from __future__ import annotations

import socket
import sys
import time
from pathlib import Path as File

import pytest
from flows.flow_bridge import FlowBridge
from ovs_sandbox import OvsSandbox

sys.path.insert(0, str(File(__file__).parents[2]))
from live.judgement import Period, judge
from live.live_site import LiveSite, compile_site
from live.path import UDP, Path
from live.scenario import DATA, app, cluster_policy, gate, site, start_load, wall

from conformance.lab import Lab
from conformance.place import Place
from sluice.errors import SluiceError
from sluice.ovs.in_effect import wait_until_in_effect

REMEMBERED = 3000
"""So many addresses of its rules the datapath tells apart, and goes through in a round; as the host answers, with two entries each."""
RATE = 1500.0
CHANGES = 8
PATHS = [Path("live/front-1", "live/back-1", UDP, DATA), Path("live/front-1", "live/back-2", UDP, DATA)]


def address(number: int) -> str:
    """Every other one, so that no prefix has two of them."""
    return f"198.18.{number // 128}.{number % 128 * 2}"


def test_what_is_forbidden_is_so_when_the_run_ends() -> None:
    many = cluster_policy("many", "application", 70, app("front"), egress=[
        {"action": "Allow", "to": [{"ipBlock": {"cidr": f"{address(number)}/32"}} for number in range(REMEMBERED)], "ports": [{"protocol": "UDP", "port": 9}]}])
    opened, closed = site([*gate("network"), *wall("ingress"), many]), site([*wall("ingress"), many])
    with Lab() as lab:
        live = LiveSite(lab, opened)
        programs = [live.program, compile_site(closed, live.program)]
        with start_load(live, PATHS, RATE) as load:
            begun = time.monotonic()
            periods = [Period(begun, begun, True)]
            for number in range(1, CHANGES + 1):
                remind(live.place("live/front-1"))
                applied = live.change(programs[number % 2])
                periods.append(Period(applied.begun, applied.done, number % 2 == 0))
                time.sleep(0.2)
            load.stop()
        live.close()
    judgements = [judge(path, load.records[path], periods, begun + 1) for path in PATHS]
    for judgement in judgements:
        print(judgement)
        assert not judgement.leaked
        assert judgement.closing == [0.0] * (CHANGES // 2)
        assert judgement.opening == [0.0] * (CHANGES // 2)


def test_a_switch_that_does_not_answer_is_an_error(ovs: OvsSandbox) -> None:
    bridge = FlowBridge(ovs)
    bridge.apply(["actions=drop"])
    wait_until_in_effect(bridge.address, None)
    wait_until_in_effect(bridge.address, next(iter(bridge.flows())))
    ovs.pause("ovs-vswitchd")
    with pytest.raises(SluiceError, match="the flows are as wanted, but the switch does not say whether packets meet them yet"):
        wait_until_in_effect(bridge.address, None, timeout=0.3)
    ovs.resume("ovs-vswitchd")


def test_of_a_switch_elsewhere_nothing_is_asked() -> None:
    wait_until_in_effect("tcp:192.0.2.1:6653", None)


def remind(place: Place) -> None:
    """Send something to each of the addresses, not faster than the switch takes it."""
    with place.socket(socket.SOCK_DGRAM) as sender:
        for number in range(REMEMBERED):
            sender.sendto(b"x", (address(number), 9))
            if number % 20 == 0:
                time.sleep(0.005)
