# SPDX-License-Identifier: Apache-2.0
"""What nodes are made from: the root file system that containers share read-only, built once for each content."""
from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Callable, Iterable, Mapping, Sequence

from .command import run
from .files import build_once, discard, locked, sweep, write
from .source import Source

Progress = Callable[[str], None]

PACKAGES = ("systemd", "systemd-sysv", "dbus", "openssh-server", "python3", "python3-apt", "iproute2", "ifupdown", "iputils-ping", "procps",
            "kmod", "ca-certificates")

# systemd-nspawn mounts read-only what a container runtime (cgroup v1) and a router (the network namespace's own sysctls) have to write.
# A plain remount is refused as busy, one of the bind mount is not. The rest of /proc/sys is the host's and stays read-only.
_WRITABLE = """\
#!/bin/sh
set -e
mount --bind /proc/sys/net /proc/sys/net
mount -o remount,bind,rw /proc/sys/net
while read -r device folder kind rest; do
  if [ "$kind" = cgroup ]; then
    mount -o remount,bind,rw "$folder"
  fi
done < /proc/mounts
"""

_WRITABLE_UNIT = """\
[Unit]
Description=Make cgroups and network sysctls writable
DefaultDependencies=no
Before=sysinit.target systemd-sysctl.service

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/usr/local/sbin/sluice-lab-writable

[Install]
WantedBy=sysinit.target
"""

# So that a package can be installed as soon as SSH answers: the folder may have changed since the node's last boot.
_APT_UNIT = """\
[Unit]
Description=Read the package index of the lab
Before=ssh.service

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=apt-get -q update

[Install]
WantedBy=multi-user.target
"""

# Of machines of all kinds.
COMMON_FILES: Mapping[str, str] = {
    "etc/systemd/system/sluice-lab-apt.service": _APT_UNIT,
    "etc/default/locale": "LANG=C.UTF-8\n",
    "etc/apt/sources.list": "deb [trusted=yes] file:/srv/apt ./\n",
}

FILES: Mapping[str, str] = {
    **COMMON_FILES,
    "usr/local/sbin/sluice-lab-writable": _WRITABLE,
    "etc/systemd/system/sluice-lab-writable.service": _WRITABLE_UNIT,
}


def finish(*services: str) -> str:
    """The shell program that ends the build of the root file system that is its argument; it enables ``services``."""
    # Timers that want a mirror only make noise without one; host keys have to be each node's own.
    return f"""\
set -e
systemctl --root="$1" --quiet enable {' '.join(services)}
systemctl --root="$1" --quiet mask apt-daily.timer apt-daily-upgrade.timer
rm -f "$1"/etc/ssh/ssh_host_* "$1"/etc/resolv.conf "$1"/etc/hostname
"""


_FINISH = finish("sluice-lab-writable.service", "sluice-lab-apt.service")


@dataclass(frozen=True)
class Stock:
    """What nodes are made from, and where it is kept."""

    cache: Path
    source: Source
    packages: tuple[str, ...]


@dataclass(frozen=True)
class Material:
    """What the nodes of one kind are made from."""

    image: Path
    repository: Path
    authorized_key: str


def content_hash(content: object) -> str:
    """A short name for ``content`` (anything JSON can say) that is the same on every machine."""
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:12]


def packages_of(source: Source) -> tuple[str, ...]:
    """What machines of all kinds have."""
    return (*PACKAGES, *source.distribution.packages)


def image_name(stock: Stock) -> str:
    """The name in the cache of the root file system."""
    return "rootfs-" + content_hash([asdict(stock.source), packages_of(stock.source), FILES, _FINISH])


def build_image(stock: Stock, progress: Progress) -> Path:
    """The folder of the root file system, built with mmdebstrap if the cache has none."""
    def build(root: Path) -> None:
        progress(f"building a {stock.source.release} root file system with mmdebstrap (about a minute, once)")
        build_root(root, stock.source, packages_of(stock.source))
        put_files(root, FILES)
        run(["sh", "-c", _FINISH, "finish", str(root)])
        progress(f"root file system {image_name(stock)} is in the cache")

    return build_once(stock.cache, image_name(stock), build)


def build_root(root: Path, source: Source, packages: Sequence[str]) -> None:
    """Make the empty folder ``root`` a minimal system with ``packages``. Raises SluiceError with mmdebstrap's last words."""
    with source.keyring() as keyring:
        # In a PID namespace of its own, so that all of the build ends when this process is killed.
        run(["unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc",
             "mmdebstrap", "--quiet", "--mode=root", "--format=directory", "--variant=minbase", "--include=" + ",".join(packages),
             "--aptopt=Acquire::Languages \"none\"",
             "--dpkgopt=path-exclude=/usr/share/man/*", "--dpkgopt=path-exclude=/usr/share/locale/*",
             source.release, str(root), *source.lines(keyring)])
    root.chmod(0o755)


def put_files(root: Path, files: Mapping[str, str]) -> None:
    """Write ``files`` (path to text) below ``root``; programs and scripts are executable."""
    for path, text in files.items():
        write(root / path, text, 0o755 if text.startswith("#!") else 0o644)


def forget(cache: Path, names: Iterable[str]) -> None:
    """Remove ``names`` from the cache."""
    with locked(cache / ".lock"):
        sweep(cache)
        for name in names:
            discard(cache / name)
