# SPDX-License-Identifier: Apache-2.0
"""How fast packets get from pod to pod, with real ones, beside what carries them without Sluice.

``python tests/bench/dataplane [--datapath netdev|system] [--only PART …] [--kinds KIND …] [--rounds N] [--seconds N]``. Root, ip, ethtool, nft and
openvswitch-switch; everything runs in namespaces that are gone afterwards. All paths of a part take turns in each round, and a ratio is the median
of the rounds' ratios, so that what else the machine does meets all alike. CPU is that of ovs-vswitchd (and wireguard-go) on all nodes of the path;
passes are how often its switches look a packet up, which no load changes. With ``--datapath system`` the kernel carries the packets, whose CPU has no
owner. Load is printed with each part: where other work fills the cores, rates say little, as the spread of their ratios shows.
"""
from __future__ import annotations

import argparse
import os
import pathlib
import sys
from collections import defaultdict

ROOT = pathlib.Path(__file__).parents[3]
sys.path[:0] = [str(ROOT / "tests" / "bench"), str(ROOT / "tests" / "integration"), str(ROOT / "tests"), str(ROOT / "src")]

from dataplane.parts import PARTS, Part  # noqa: E402
from dataplane.report import KINDS, table  # noqa: E402
from dataplane.traffic import Path, Sample  # noqa: E402

WARM_SECONDS = 0.2


def sample(kind: str, path: Path, seconds: float) -> Sample:
    """One measurement. Raises RuntimeError if nothing gets through."""
    try:
        return KINDS[kind].run(path, seconds)
    except OSError as error:
        raise RuntimeError(f"{path.name}, {kind}: {error}") from error


def measure(part: Part, kinds: list[str], rounds: int, seconds: float) -> dict[tuple[str, str], list[Sample]]:
    """All samples; every path of the part in turn, for each kind in each round."""
    samples: dict[tuple[str, str], list[Sample]] = defaultdict(list)
    for contender in part.contenders:
        # So that no neighbour has to be looked up later; and it shows early what does not work.
        print(f"{part.title}: {contender.path.name} is there", file=sys.stderr, flush=True)
        sample("connections", contender.path, WARM_SECONDS)
    for turn in range(rounds):
        for kind in kinds:
            print(f"{part.title}: round {turn + 1} of {rounds}, {kind}", file=sys.stderr, flush=True)
            # The other way round in every second round: a load that grows or falls meets all alike.
            for contender in part.contenders[::-1 if turn % 2 else 1]:
                samples[kind, contender.path.name].append(sample(kind, contender.path, seconds))
    return samples


def main() -> None:
    """Prints a table for each part."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--datapath", choices=("netdev", "system"), default="netdev", help="system: the kernel's, which has to have openvswitch loaded")
    parser.add_argument("--only", choices=PARTS, nargs="+", default=list(PARTS), metavar="PART", help=", ".join(PARTS))
    parser.add_argument("--kinds", choices=KINDS, nargs="+", default=list(KINDS), metavar="KIND", help=", ".join(KINDS))
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--seconds", type=float, default=1.0, help="of each measurement")
    options = parser.parse_args()
    for name in options.only:
        before = os.getloadavg()[0]
        with PARTS[name](options.datapath) as part:
            samples = measure(part, options.kinds, options.rounds, options.seconds)
        print(f"\n{part.title} (datapath {options.datapath}, {options.rounds} rounds of {options.seconds:g} s, "
              f"load {before:.1f} before, {os.getloadavg()[0]:.1f} after, {os.cpu_count()} cores)\n\n{table(samples, part.contenders)}")
        for line in part.missing:
            print(f"\nnot here: {line}")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
