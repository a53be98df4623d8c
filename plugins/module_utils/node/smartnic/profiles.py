# SPDX-License-Identifier: Apache-2.0
"""What kinds of NICs can do, and in which order they want it, as data.

Sources of the orders, of which there are two because the drivers refuse the other's:

* mlx5_core: VFs first, unbound while the mode changes. NVIDIA DOCA documentation, "OVS-Kernel Hardware Acceleration"
  (docs.nvidia.com/doca/sdk), "SwitchDev Configuration"; Antrea, docs/ovs-offload.md.
* ice: the mode first, while there are no VFs; with VFs the driver answers "Operation not supported". Linux commit faeb8e7a0aac,
  "ice: support basic E-Switch mode control" (5.16), and Documentation/networking/device_drivers/ethernet/intel/ice.rst.

Device numbers: the drivers' own tables (mlx5_core: main.c, mlx5_core_pci_table; ice: ice_devids.h; iavf: iavf_devids.h).
"""
from __future__ import annotations

from typing import NamedTuple, Optional, Tuple

VFS_FIRST = "vfs_first"
MODE_FIRST = "mode_first"


class Profile(NamedTuple):
    """A kind of NIC."""

    name: str
    driver: str
    """Of the physical function; empty for one that is not known."""
    vf_driver: str
    """Empty: whichever the kernel finds for a VF."""
    order: str
    """vfs_first: VFs are made, unbound, and bound again in the new mode. mode_first: the mode changes while there are no VFs."""
    inline_modes: Tuple[str, ...] = ()
    """What `devlink dev eswitch set inline-mode` may say; none if the NIC has no such setting."""
    encap_modes: Tuple[str, ...] = ()
    refused: str = ""
    """Why it cannot be in switchdev mode, if it cannot."""


# Since ConnectX-5 the device needs no packet headers inline, so that there is one mode (mlx5: MLX5_CAP_INLINE_MODE_NOT_REQUIRED).
_MLX5 = ("mlx5_core", "mlx5_core", VFS_FIRST, ("none",), ("none", "basic"))
_ICE = ("ice", "iavf", MODE_FIRST)

CONNECTX_4 = Profile("ConnectX-4 Lx", "mlx5_core", "mlx5_core", VFS_FIRST, ("none", "link", "network", "transport"), ("none", "basic"))
CONNECTX_5 = Profile("ConnectX-5", *_MLX5)
CONNECTX_6 = Profile("ConnectX-6", *_MLX5)
CONNECTX_6_DX = Profile("ConnectX-6 Dx", *_MLX5)
CONNECTX_6_LX = Profile("ConnectX-6 Lx", *_MLX5)
CONNECTX_7 = Profile("ConnectX-7", *_MLX5)
BLUEFIELD_2 = Profile("BlueField-2", *_MLX5)
BLUEFIELD_3 = Profile("BlueField-3", *_MLX5)
E810 = Profile("E810", *_ICE)
GENERIC = Profile("generic", "", "", VFS_FIRST, ("none", "link", "network", "transport"), ("none", "basic"))
"""Of a NIC that is not listed only what it tells of itself is known, and its driver refuses the rest."""
IXGBE = Profile("82599 and X540", "ixgbe", "ixgbevf", VFS_FIRST, refused="its driver has no switchdev mode")
I40E = Profile("X710 and XL710", "i40e", "iavf", VFS_FIRST, refused="its driver has no switchdev mode")

MELLANOX, INTEL = "15b3", "8086"

PROFILES = {
    (MELLANOX, "1015"): CONNECTX_4,
    (MELLANOX, "1017"): CONNECTX_5,
    (MELLANOX, "1019"): CONNECTX_5,
    (MELLANOX, "101b"): CONNECTX_6,
    (MELLANOX, "101d"): CONNECTX_6_DX,
    (MELLANOX, "101f"): CONNECTX_6_LX,
    (MELLANOX, "1021"): CONNECTX_7,
    (MELLANOX, "a2d6"): BLUEFIELD_2,
    (MELLANOX, "a2dc"): BLUEFIELD_3,
    (INTEL, "1591"): E810,
    (INTEL, "1592"): E810,
    (INTEL, "1593"): E810,
    (INTEL, "1599"): E810,
    (INTEL, "159a"): E810,
    (INTEL, "159b"): E810,
    (INTEL, "10fb"): IXGBE,
    (INTEL, "1528"): IXGBE,
    (INTEL, "1572"): I40E,
    (INTEL, "1583"): I40E,
    (INTEL, "1584"): I40E,
}
"""PCI vendor and device of the physical function, in hexadecimal."""

VIRTUAL_FUNCTIONS = {
    (MELLANOX, "1016"), (MELLANOX, "1018"), (MELLANOX, "101a"), (MELLANOX, "101c"), (MELLANOX, "101e"), (MELLANOX, "a2d3"),
    (INTEL, "1889"), (INTEL, "10ed"), (INTEL, "1515"), (INTEL, "154c"),
}
"""Numbers that a VF has, which is no NIC to configure."""


def profile_of(vendor: str, device: str, driver: str) -> Profile:
    """The kind of a NIC; of one whose number is not listed, by its driver."""
    listed: Optional[Profile] = PROFILES.get((vendor, device))
    if listed:
        return listed
    if driver == "ice":
        return E810._replace(name="generic ice")
    if driver == "mlx5_core":
        return CONNECTX_5._replace(name="generic mlx5")
    return GENERIC._replace(driver=driver)
