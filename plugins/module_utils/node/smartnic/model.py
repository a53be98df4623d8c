# SPDX-License-Identifier: Apache-2.0
"""A NIC as it is, and as it is to be. Plain values."""
from __future__ import annotations

from typing import NamedTuple, Optional, Tuple

from .profiles import Profile


class Vf(NamedTuple):
    """A virtual function."""

    number: int
    address: str
    """On its bus: 0000:03:00.2."""
    driver: str
    """Empty if it is bound to none."""
    netdev: str
    """Its interface in the host's network namespace, if it has one there."""

    @property
    def is_in_use(self) -> bool:
        """Whether a pod or a virtual machine has it: its driver has it, and the host does not see its interface."""
        return bool(self.driver) and not self.netdev


class Representor(NamedTuple):
    """The host's end of a VF in switchdev mode."""

    netdev: str
    vf: int
    """Index of the VF."""
    tc_offload: Optional[bool]
    """None: fixed, or not known to it."""


class Eswitch(NamedTuple):
    """As `devlink dev eswitch show` tells; empty where the NIC does not tell."""

    mode: str
    inline_mode: str = ""
    encap_mode: str = ""


class Nic(NamedTuple):
    """One physical function."""

    interface: str
    bus: str
    """pci, or that of a simulated device."""
    address: str
    """On its bus."""
    vendor: str
    device: str
    driver: str
    total_vfs: Optional[int]
    """None: it has no SR-IOV, or does not tell how much of it (``has_vfs``)."""
    has_vfs: bool
    vfs: Tuple[Vf, ...]
    """Those that the bus shows."""
    vf_count: int
    eswitch: Optional[Eswitch]
    """None: devlink knows no eswitch of it."""
    switch_id: str
    representors: Tuple[Representor, ...]
    up: bool
    tc_offload: Optional[bool]
    """None: the NIC cannot be told."""
    addresses: Tuple[str, ...] = ()

    @property
    def handle(self) -> str:
        """What devlink calls it."""
        return f"{self.bus}/{self.address}"


class Wanted(NamedTuple):
    """What a NIC is to be; None is not managed."""

    interface: str
    """As the inventory names it; or its address on the bus."""
    vfs: Optional[int] = None
    mode: Optional[str] = None
    """legacy | switchdev"""
    inline_mode: Optional[str] = None
    encap_mode: Optional[str] = None
    tc_offload: Optional[bool] = None
    representors: str = ""
    """Names of representors, {vf} standing for the VF's index; empty: as the system names them."""

    def representor_name(self, vf: int) -> str:
        return self.representors.replace("{vf}", str(vf)) if self.representors else ""


class Pair(NamedTuple):
    """A NIC with what it is to be."""

    nic: Nic
    wanted: Wanted
    profile: Profile
