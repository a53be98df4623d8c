# SPDX-License-Identifier: Apache-2.0
"""A machine with NICs that are only told of: a sysfs tree, and drivers that refuse what the real ones refuse.

The trees follow what is publicly documented, and were not taken from a machine: PCI numbers and the shape of sysfs from the kernel's
Documentation/ABI and the drivers' tables; phys_port_name from devlink-port.rst; the answers of `devlink -j dev eswitch show` from
devlink-eswitch-attr.rst and iproute2's devlink.c; the refusals from the drivers' commit
messages and NVIDIA's "OVS-Kernel Hardware Acceleration" (see profiles.py). What a simulated NIC shares with them is held to
a record of one (test_smartnic_netdevsim.py).
"""
from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Callable, List, NamedTuple, Optional

from sluice.errors import SluiceError
from sluice.node.smartnic import sysfs


class Card(NamedTuple):
    """A NIC of one port, in the words of its documentation."""

    interface: str
    address: str
    vendor: str
    device: str
    driver: str
    vf_device: str
    vf_driver: str
    total_vfs: int
    switch_id: str
    mode_needs_no_vfs: bool
    eswitch: str
    """Answer of devlink before anything, empty if it knows none."""


CONNECTX_5 = Card("ens1f0", "0000:03:00.0", "15b3", "1017", "mlx5_core", "1018", "mlx5_core", 8, "b8599ffffe3a1c2e", False,
                  '{"mode":"legacy","inline-mode":"none","encap-mode":"basic"}')
E810 = Card("ens2f0", "0000:17:00.0", "8086", "1592", "ice", "1889", "iavf", 16, "b49691ffffa1b2c4", True, '{"mode":"legacy"}')


class Recorded:
    """A Machine (see sluice.node.smartnic.machine) of one or more cards below ``root``; ``log`` has all that was done to it."""

    def __init__(self, root: Path, *cards: Card) -> None:
        self.root = root
        self.log: List[str] = []
        self.cards = cards
        self.eswitch = {f"pci/{card.address}": json.loads(card.eswitch) for card in cards if card.eswitch}
        self.offload: dict[str, str] = {}
        self.fail: Callable[[str], Optional[str]] = lambda line: None
        for card in cards:
            device = self._device(card.address, card.vendor, card.device, card.driver)
            (device / "sriov_totalvfs").write_text(f"{card.total_vfs}\n")
            (device / "sriov_numvfs").write_text("0\n")
            self._interface(device, card.interface, port="p0", switch="")
            self.offload[card.interface] = "off"

    # What the engine calls

    def write(self, path: str, value: str) -> None:
        self._log(f"echo {value} > {path}")
        place = self.root / path.lstrip("/")
        if place.name == "sriov_numvfs":
            self._set_vfs(self._card(place.parent.name), int(value))
        elif place.name in ("bind", "drivers_probe"):
            self._bind(value, place.parent.name if place.name == "bind" else "")
        else:
            self._unbind(value, place.parent.name)

    def query(self, *command: str) -> Optional[str]:
        if command[:5] == ("devlink", "-j", "dev", "eswitch", "show"):
            told = self.eswitch.get(command[5])
            return json.dumps({"dev": {command[5]: told}}) if told else None
        if command[:2] == ("ethtool", "-k"):
            state = self.offload.get(command[2])
            return f"Features for {command[2]}:\nrx-checksumming: on\nhw-tc-offload: {state}\n" if state else None
        return None

    def run(self, *command: str) -> None:
        self._log(" ".join(command))
        if command[:4] == ("devlink", "dev", "eswitch", "set"):
            self._set_eswitch(command[4], dict(zip(command[5::2], command[6::2])))
        elif command[:2] == ("ethtool", "-K"):
            self.offload[command[2]] = command[4]
        elif command[0] == "ip" and command[-1] == "up":
            self._net(command[4]).joinpath("flags").write_text("0x1003\n")
        elif command[0] == "ip" and command[-2] == "name":
            self.rename(command[4], command[6])

    # What happens behind

    def set_vfs_in_use(self, *numbers: int) -> None:
        """The VFs' interfaces are in some pod's namespace: sysfs shows them there."""
        for number in numbers:
            for card in self.cards:
                path = self._pci(card.address) / f"virtfn{number}"
                shutil.rmtree(path.resolve() / "net")

    def _log(self, line: str) -> None:
        self.log.append(line)
        reason = self.fail(line)
        if reason:
            raise SluiceError(f"`{line}` failed: {reason}")

    def _card(self, address: str) -> Card:
        return next(card for card in self.cards if card.address == address)

    def _pci(self, address: str) -> Path:
        return self.root / "sys/devices/pci0000:00" / address

    def _net(self, name: str) -> Path:
        return (self.root / "sys/class/net" / name).resolve()

    def _device(self, address: str, vendor: str, device: str, driver: str) -> Path:
        place = self._pci(address)
        place.mkdir(parents=True)
        (place / "vendor").write_text(f"0x{vendor}\n")
        (place / "device").write_text(f"0x{device}\n")
        _link(place / "subsystem", self.root / "sys/bus/pci")
        _link(self.root / "sys/bus/pci/devices" / address, place)
        self._attach(place, driver)
        return place

    def _attach(self, place: Path, driver: str) -> None:
        (self.root / "sys/bus/pci/drivers" / driver).mkdir(parents=True, exist_ok=True)
        _link(place / "driver", self.root / "sys/bus/pci/drivers" / driver)

    def _interface(self, device: Path, name: str, port: str, switch: str) -> None:
        place = device / "net" / name
        place.mkdir(parents=True)
        for file, text in (("flags", "0x1002"), ("phys_port_name", port), ("phys_switch_id", switch)):
            (place / file).write_text(f"{text}\n")
        _link(place / "device", device)
        _link(self.root / "sys/class/net" / name, place)

    def _remove_interface(self, name: str) -> None:
        place = self._net(name)
        (self.root / "sys/class/net" / name).unlink()
        shutil.rmtree(place)

    def rename(self, name: str, new: str) -> None:
        """As udev does, too."""
        place = self._net(name)
        (self.root / "sys/class/net" / name).unlink()
        place.rename(place.with_name(new))
        _link(self.root / "sys/class/net" / new, place.with_name(new))
        self.offload[new] = self.offload.pop(name, "off")

    def _vfs(self, card: Card) -> List[Path]:
        device = self._pci(card.address)
        return [(device / f"virtfn{number}").resolve() for number in range(int((device / "sriov_numvfs").read_text()))]

    def _set_vfs(self, card: Card, count: int) -> None:
        device, now = self._pci(card.address), len(self._vfs(card))
        if count == now:
            return
        if now and count:
            raise SluiceError("Device or resource busy")
        if count > card.total_vfs:
            raise SluiceError("Numerical result out of range")
        for number in range(count):
            address = f"{card.address[:-1]}{number + 1}" if number < 7 else f"{card.address[:-3]}1.{number - 7}"
            place = self._device(address, card.vendor, card.vf_device, card.vf_driver)
            _link(place / "physfn", device)
            _link(device / f"virtfn{number}", place)
            self._interface(place, f"{card.interface}v{number}", port="", switch="")
        for number in range(now):
            place = (device / f"virtfn{number}").resolve()
            for name in sysfs.names(str(place / "net")):
                self._remove_interface(name)
            (device / f"virtfn{number}").unlink()
            (self.root / "sys/bus/pci/devices" / place.name).unlink()
            shutil.rmtree(place)
        (device / "sriov_numvfs").write_text(f"{count}\n")
        self._represent(card)

    def _represent(self, card: Card) -> None:
        """Representors, which there are in switchdev mode alone."""
        device = self._pci(card.address)
        switchdev = self.eswitch.get(f"pci/{card.address}", {}).get("mode") == "switchdev"
        for name in sysfs.names(str(device / "net")):
            if "vf" in (device / "net" / name / "phys_port_name").read_text():
                self._remove_interface(name)
        (device / "net" / card.interface / "phys_switch_id").write_text(f"{card.switch_id if switchdev else ''}\n")
        for number in range(len(self._vfs(card)) if switchdev else 0):
            name = f"{card.interface}_eth{number}"
            self._interface(device, name, port=f"pf0vf{number}", switch=card.switch_id)
            self.offload[name] = "off"

    def _set_eswitch(self, handle: str, settings: dict[str, str]) -> None:
        card = self._card(handle.partition("/")[2])
        vfs = self._vfs(card)
        if "mode" in settings and card.mode_needs_no_vfs and vfs:
            raise SluiceError("kernel answers: Operation not supported")
        if "mode" in settings and any((vf / "driver").exists() for vf in vfs):
            raise SluiceError("kernel answers: Device or resource busy")
        if ("inline-mode" in settings or "encap-mode" in settings) and vfs:
            raise SluiceError("kernel answers: Operation not supported")
        self.eswitch[handle].update(settings)
        self._represent(card)

    def _unbind(self, address: str, driver: str) -> None:
        place = self._pci(address)
        assert (place / "driver").resolve().name == driver, f"{address} is not bound to {driver}"
        (place / "driver").unlink()
        for name in sysfs.names(str(place / "net")):
            self._remove_interface(name)

    def _bind(self, address: str, driver: str) -> None:
        place = self._pci(address)
        card = next(card for card in self.cards if (place / "physfn").resolve() == self._pci(card.address))
        assert not (place / "driver").exists(), f"{address} is bound already"
        self._attach(place, driver or card.vf_driver)
        number = [vf.name for vf in self._vfs(card)].index(address)
        self._interface(place, f"{card.interface}v{number}", port="", switch="")


def _link(place: Path, target: Path) -> None:
    place.parent.mkdir(parents=True, exist_ok=True)
    place.symlink_to(os.path.relpath(target, place.parent))
