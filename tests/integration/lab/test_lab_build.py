# SPDX-License-Identifier: Apache-2.0
"""The root file system and the package folder are there whole or not at all."""
from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

from lab.lab_host import REPOSITORY

# A root file system with nothing but apt, so that the test takes seconds instead of a minute.
_BUILD = """
import json, sys
from pathlib import Path
from sluice.lab import image, packages
from sluice.lab.source import Source
image.PACKAGES, image._FINISH, image.FILES = ("apt",), "", {}
source = Source("bookworm", "http://deb.debian.org/debian", "http://deb.debian.org/debian-security")
stock, said = image.Stock(Path(sys.argv[1]), source, ("ethtool",)), []
root = image.build_image(stock, said.append)
debs = packages.build_repository(stock, root, said.append)
print(json.dumps([str(root), str(debs), said]))
"""


def _start(cache: Path) -> subprocess.Popen[str]:
    return subprocess.Popen([sys.executable, "-c", _BUILD, str(cache)], stdout=subprocess.PIPE, text=True,
                            env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "PYTHONPATH": str(REPOSITORY / "src")})


def _processes(cache: Path) -> list[str]:
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            text = (process / "cmdline").read_text()
        except OSError:
            continue
        if str(cache) in text:
            found.append(text)
    return found


def test_a_killed_build_leaves_nothing_running_and_the_next_one_completes(tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    for seconds in (1.5, 4):
        build = _start(cache)
        time.sleep(seconds)
        assert _processes(cache), "the build was not under way; nothing is tested"
        build.kill()
        build.communicate()
        time.sleep(0.5)
        assert _processes(cache) == []
        assert [entry.name for entry in cache.iterdir() if not entry.name.startswith(".")] == []
        assert str(cache) not in Path("/proc/self/mountinfo").read_text()
    root, debs, said = json.loads(_start(cache).communicate()[0])
    assert len(said) == 4
    assert Path(root, "usr/bin/apt-get").exists()
    assert list(Path(debs).glob("ethtool_*.deb")) and "Package: ethtool\n" in Path(debs, "Packages").read_text()
    assert sorted(entry.name for entry in cache.iterdir()) == sorted([Path(root).name, Path(debs).name])
    assert json.loads(_start(cache).communicate()[0]) == [root, debs, []]
