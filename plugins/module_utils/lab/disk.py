# SPDX-License-Identifier: Apache-2.0
"""What virtual machines are made from: a disk with a release and its kernel, built once for each content, and what boots it without a boot loader."""
from __future__ import annotations

import shutil
from dataclasses import asdict
from pathlib import Path
from typing import Mapping

from . import image
from .command import run
from .files import build_once, discard, unfinished
from .image import Progress, Stock, content_hash
from .source import Source

# An image's parts.
DISK, KERNEL, INITRD = "disk.ext4", "vmlinuz", "initrd.img"
# A package repository's part.
REPOSITORY_DISK = "disk.ext4"

# What a disk can grow to; the file holds what is used of it.
_SIZE = "16G"

# Run in the RAM disk. It mounts the packages, too: systemd would wait for udev to find their disk, which takes as long as half a boot.
_START_SCRIPT = """\
#!/bin/sh
# Puts the node's own files, which came with the RAM disk, into its root file system, and mounts the packages.
[ "$1" = prereqs ] && exit 0
mount -t ext4 -o ro /dev/vdb "$rootmnt/srv/apt"
kept="$rootmnt/var/lib/sluice-lab.hash"
if [ -e /sluice-lab.tar ] && [ "$(cat /sluice-lab.hash)" != "$(cat "$kept" 2>/dev/null)" ]; then
  chroot "$rootmnt" tar --extract --no-overwrite-dir --directory=/ < /sluice-lab.tar
  cat /sluice-lab.hash > "$kept"
fi
"""

FILES: Mapping[str, str] = {
    **image.COMMON_FILES,
    "etc/fstab": "/dev/vda / ext4 errors=remount-ro 0 0\n",
    # The machine is known, so the RAM disk need not hold drivers of all others.
    "etc/initramfs-tools/conf.d/sluice-lab": "MODULES=list\n",
    "usr/share/initramfs-tools/modules.d/sluice-lab": "virtio_pci\nvirtio_blk\next4\n",
    "etc/initramfs-tools/scripts/init-bottom/sluice-lab": _START_SCRIPT,
    # A disk that does not outlive its lab is not worth waiting for.
    "etc/dpkg/dpkg.cfg.d/sluice-lab": "force-unsafe-io\n",
}

_FINISH = image.finish("sluice-lab-apt.service") + """\
systemctl --root="$1" --quiet mask e2scrub_reap.service e2scrub_all.timer fstrim.timer
mkdir -p "$1/srv/apt"
: > "$1/etc/machine-id"
chroot "$1" update-initramfs -u
cp "$1"/boot/vmlinuz-* "$2/vmlinuz"
cp "$1"/boot/initrd.img-* "$2/initrd.img"
mkdir -p "$2/var/lib/dpkg"
cp "$1/var/lib/dpkg/status" "$2/var/lib/dpkg/status"
"""


def _packages(source: Source) -> tuple[str, ...]:
    return (*image.packages_of(source), source.distribution.kernel, "initramfs-tools")


def image_name(stock: Stock) -> str:
    """The name in the cache of the image."""
    return "vm-" + content_hash([asdict(stock.source), _packages(stock.source), FILES, _FINISH, _SIZE])


def build_image(stock: Stock, progress: Progress) -> Path:
    """The folder with the disk, kernel and RAM disk, built if the cache has none."""
    def build(folder: Path) -> None:
        progress(f"building the disk of a {stock.source.release} with its kernel (one to three minutes, once)")
        root = unfinished(stock.cache / "vm-root")
        root.mkdir()
        image.build_root(root, stock.source, _packages(stock.source))
        image.put_files(root, FILES)
        run(["sh", "-c", _FINISH, "finish", str(root), str(folder)])
        write_disk(folder / DISK, root, _SIZE)
        discard(root)
        progress(f"disk {image_name(stock)} is in the cache")

    return build_once(stock.cache, image_name(stock), build)


def write_disk(disk: Path, root: Path, size: str) -> None:
    """Make ``disk`` a file with an ext4 file system that holds what is below ``root``; needs no loop device and no mount."""
    run(["mke2fs", "-q", "-t", "ext4", "-d", str(root), str(disk), size])


def as_disk(repository: Path) -> None:
    """Make a folder of packages a disk of them, for machines that do not see the host's folders."""
    content = unfinished(repository / "content")
    content.mkdir()
    for path in repository.iterdir():
        if path != content:
            path.rename(content / path.name)
    # Room for what the file system itself takes.
    size = sum(path.stat().st_size for path in content.iterdir()) * 5 // 4 + (16 << 20)
    write_disk(repository / REPOSITORY_DISK, content, f"{size >> 10}k")
    shutil.rmtree(content)
