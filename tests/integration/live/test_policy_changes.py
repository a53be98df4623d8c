# SPDX-License-Identifier: Apache-2.0
"""200 random changes under load: no unaffected flow loses a packet, and no forbidden packet gets through at any moment. Real packets."""
from __future__ import annotations

import os
import sys
import time
from pathlib import Path as File

sys.path.insert(0, str(File(__file__).parents[2]))
from conformance.lab import Lab
from live.changes import Changes
from live.judgement import Judgement, Period, judge
from live.live_site import Applied, LiveSite, Program
from live.load import Load
from live.path import TCP
from live.scenario import ALLOWED, FLEETING, FORBIDDEN, FREE, PATHS, PORTS, SERVICE, Verdicts

CHANGES = int(os.environ.get("LIVE_CHANGES", "200"))
SEED = int(os.environ.get("LIVE_SEED", "3"))
BY_MODULES = 20
"""Every so many changes one is made by processes of the module, as Ansible makes it; the others by the same calls in this process."""
PAUSE_SECONDS = 0.1
WARM_SECONDS = 2.0


def test_changes_under_load() -> None:
    changes = Changes(SEED)
    with Lab() as lab:
        live = LiveSite(lab, changes.last.objects.site())
        places = {key: live.place(key) for key in live.program.state.pods}
        addresses = {key: place.address for key, place in places.items()} | {SERVICE: "10.96.0.10"}
        with Load(places, PATHS, addresses, PORTS) as load:
            begun = time.monotonic()
            time.sleep(WARM_SECONDS)
            warm = time.monotonic()
            made: list[tuple[float, float, Verdicts]] = [(begun, begun, changes.last.verdicts)]
            for number in range(CHANGES):
                before = live.program
                change = changes.next()
                applied = live.change(change.program, by_modules=number % BY_MODULES == BY_MODULES - 1)
                sent = sum(map(len, applied.lines.values()))
                print(f"{number}: {change.what}: {sent} lines, {1000 * (applied.done - applied.begun):.0f} ms {applied.order}")
                made.append((applied.begun, applied.done, change.verdicts))
                time.sleep(PAUSE_SECONDS)
            load.stop()
        live.close()
    print("refused", changes.refused)
    for name, paths in (("free", FREE), ("allowed", ALLOWED), ("forbidden", FORBIDDEN), ("fleeting", FLEETING)):
        all = []
        for path in paths:
            if path.protocol == TCP:
                print(path, load.streams[path])
                continue
            j = judge(path, load.records[path], [Period(b, d, v.allowed(path)) for b, d, v in made], warm)
            all.append(j)
            if j.lost or j.leaked:
                print(path, "lost", len(j.lost), [f"{x-begun:.3f}" for x in j.lost[:10]], "leaked", len(j.leaked), [f"{x-begun:.3f}" for x in j.leaked[:10]])
        print(name, "sent", sum(j.sent for j in all), "arrived", sum(j.arrived for j in all), "lost", sum(len(j.lost) for j in all), "leaked", sum(len(j.leaked) for j in all),
          "closing", len([x for j in all for x in j.closing]), sorted([x for j in all for x in j.closing])[-5:], "opening", len([x for j in all for x in j.opening]), sorted([x for j in all for x in j.opening])[-5:])
    print([f"{m[0]-begun:.3f}" for m in made])
    
