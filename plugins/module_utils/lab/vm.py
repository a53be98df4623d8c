# SPDX-License-Identifier: Apache-2.0
"""A node that is a virtual machine: its disk over the shared one, the RAM disk that brings its own files, and QEMU."""
from __future__ import annotations

import functools
import hashlib
import io
import os
import shlex
import tarfile
import tempfile
from pathlib import Path

from . import network
from .command import ends_with, run
from .disk import DISK, INITRD, KERNEL, REPOSITORY_DISK
from .image import Material
from .spec import Lab, Node, node_namespace

# What differs from the shared disk when the node first starts, below a node's folder.
OWN_FILES = "files"

MEMORY_MIB = 1536
_OVERLAY = "disk.qcow2"
_INITRD = "initrd.img"

# Without what is quick in silicon and slow in translation: `rep movsb`, which a kernel that finds erms or fsrm copies with, is done byte by byte,
# and each stac and clac of smap ends a block. A boot takes a sixth less.
_TRANSLATED_CPU = "max,-svm,-la57,-erms,-fsrm,-smap,-smep"

# A boot sector: mov al, 0x31; out 0xf4, al; then halt for ever.
_PROBE = bytes((0xB0, 0x31, 0xE6, 0xF4, 0xF4, 0xEB, 0xFD)).ljust(510, b"\0") + b"\x55\xaa"
# What QEMU's isa-debug-exit makes of 0x31.
_PROBE_EXIT_CODE = 0x31 << 1 | 1
_PROBE_SECONDS = 5


def make(folder: Path, material: Material) -> None:
    """Make what a node of ``material`` consists of, in its new ``folder``."""
    (folder / OWN_FILES).mkdir()
    run(["qemu-img", "create", "-q", "-f", "qcow2", "-F", "raw", "-b", str(material.image / DISK), str(folder / _OVERLAY)])


@functools.cache
def accelerator() -> str:
    """What runs a guest's instructions here, as QEMU's -accel wants it: KVM if a guest gets through with it, else QEMU itself."""
    if os.access("/dev/kvm", os.R_OK | os.W_OK) and runs_guests(Path("/proc/cpuinfo").read_text()) and guest_runs("kvm"):
        return "kvm"
    return "tcg,thread=multi,tb-size=512"


def runs_guests(cpuinfo: str) -> bool:
    """Whether the processors that a /proc/cpuinfo tells of run guests themselves (Intel's VMX, AMD's SVM).

    A host's KVM may do without (PVM), and then emulates the kernel of a guest that is not made for it: a boot sector gets through, and
    a distribution's kernel does not get past its first vector instruction."""
    return any(word in ("vmx", "svm") for line in cpuinfo.splitlines() if line.startswith("flags") for word in line.split())


def guest_runs(accelerator: str) -> bool:
    """Whether a guest of one boot sector gets to its end with ``accelerator``.

    /dev/kvm may be there and a guest hang at its first instruction, as in a virtual machine whose host does not nest them."""
    with tempfile.NamedTemporaryFile(prefix="sluice-lab-") as sector:
        sector.write(_PROBE)
        sector.flush()
        return ends_with(["qemu-system-x86_64", "-accel", accelerator, "-m", "16", "-nodefaults", "-no-user-config", "-display", "none",
                          "-device", "isa-debug-exit,iobase=0xf4,iosize=1", "-drive", f"file={sector.name},format=raw,if=floppy,readonly=on"],
                         _PROBE_EXIT_CODE, _PROBE_SECONDS)


def supervisor(lab: Lab, node: Node, material: Material) -> str:
    """The shell program that is a node's power supply: QEMU, which stays when the node reboots and ends when it powers off.

    Writes the RAM disk that the node boots from: a node reads its own files at its next boot."""
    folder = lab.home / "nodes" / node.name
    (folder / _INITRD).write_bytes(initrd(folder / OWN_FILES) + (material.image / INITRD).read_bytes())
    return f"""\
#!/bin/sh
# Written by sluice.fabric.lab: power supply of node {node.name} of lab {lab.name}.
set -eu
exec 9>{shlex.quote(str(folder / "lock"))}
flock --nonblock 9 || exit 0
{network.as_script(network.node_removal_commands(lab, node.name), may_fail=True)}\
{network.as_script(network.tap_commands(lab, node))}\
exec {shlex.join(["ip", "netns", "exec", lab.namespace, *qemu(lab, node, material, accelerator())])}
"""


def qemu(lab: Lab, node: Node, material: Material, accelerator: str) -> list[str]:
    """The command of ``node``'s machine; it runs in the lab's namespace, where the taps are. Its console goes to what the command prints."""
    folder = lab.home / "nodes" / node.name
    command = [
        "qemu-system-x86_64", "-name", node_namespace(lab.name, node.name),
        # Without what only takes a boot's time.
        "-machine", "q35,i8042=off,sata=off,smbus=off,vmport=off", "-cpu", "host" if accelerator == "kvm" else _TRANSLATED_CPU,
        "-accel", accelerator, "-m", str(MEMORY_MIB),
        "-nodefaults", "-no-user-config", "-display", "none", "-chardev", "stdio,id=console,signal=off", "-serial", "chardev:console",
        "-kernel", str(material.image / KERNEL), "-initrd", str(folder / _INITRD),
        # Fixed names for the interfaces. Who runs code in a node of a lab has root there, so what guards the kernel against it only takes time.
        # A machine that has to share its core with others is not to be given up by its own systemd, nor to take its clock for broken (tsc=reliable): the
        # clock that it would take instead is a device, whose emulation slows everything down.
        "-append", "root=/dev/vda rw console=ttyS0 net.ifnames=0 mitigations=off panic=1 tsc=reliable systemd.default_timeout_start_sec=600",
        # A node does not outlive its host: what it wants to be on the disk by now can wait in the host's memory.
        "-drive", f"if=none,id=root,file={folder / _OVERLAY},format=qcow2,cache=unsafe", "-device", "virtio-blk-pci,drive=root",
        "-drive", f"if=none,id=apt,file={material.repository / REPOSITORY_DISK},format=raw,readonly=on", "-device", "virtio-blk-pci,drive=apt",
        "-device", "virtio-rng-pci",
    ]
    for bridge, device, segment, addresses in (("mgmt", "eth0", lab.management, node.management),
                                               ("underlay", "eth1", lab.underlay, node.underlay)):
        command += ["-netdev", f"tap,id={device},ifname={network.bridge_port(node.name, bridge)},script=no,downscript=no", "-device",
                    f"virtio-net-pci,netdev={device},mac={network.mac(lab, addresses[0])},host_mtu={segment.mtu},romfile="]
    return command


def initrd(own_files: Path) -> bytes:
    """A RAM disk, to be put before the image's, with ``own_files`` as a tar archive and its hash. The image's puts the files in place
    when it does not find that hash there: once, so that what the node itself makes of them stays."""
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w", format=tarfile.GNU_FORMAT) as tar:
        for path in sorted(own_files.rglob("*")):
            tar.add(path, str(path.relative_to(own_files)), recursive=False)
    content = archive.getvalue()
    return _cpio({"sluice-lab.tar": content, "sluice-lab.hash": hashlib.sha256(content).hexdigest().encode()})


def _cpio(files: dict[str, bytes]) -> bytes:
    # As the kernel reads it (Documentation/driver-api/early-userspace/buffer-format.rst): each header, name and content ends on 4 bytes.
    text = b""
    for name, content in [*files.items(), ("TRAILER!!!", b"")]:
        fields = (0, 0o100600, 0, 0, 1, 0, len(content), 0, 0, 0, 0, len(name) + 1, 0)
        head = b"070701" + b"".join(b"%08X" % field for field in fields) + name.encode() + b"\0"
        text += head + bytes(-len(head) % 4) + content + bytes(-len(content) % 4)
    return text
