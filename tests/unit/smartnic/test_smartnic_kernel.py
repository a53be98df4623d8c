# SPDX-License-Identifier: Apache-2.0
"""A kernel that cannot offload what a pod sends is told of."""
from __future__ import annotations

from pathlib import Path

from sluice.node.smartnic.kernel import lacking


def test_what_the_kernel_was_built_without_is_told_with_its_effect(tmp_path: Path) -> None:
    (tmp_path / "boot").mkdir()
    # As in Debian 12 (6.1.0-56) and Debian 13 (6.12.107).
    (tmp_path / "boot/config-6.1").write_text("CONFIG_NET_CLS_FLOWER=m\nCONFIG_NET_ACT_CT=m\n# CONFIG_NET_TC_SKB_EXT is not set\n")
    assert lacking(tmp_path, "6.1") == [
        "this kernel was built without CONFIG_NET_TC_SKB_EXT: flows behind conntrack, which are all of a pod's, stay in software"]
    (tmp_path / "boot/config-6.1").write_text("CONFIG_NET_CLS_FLOWER=m\nCONFIG_NET_ACT_CT=m\nCONFIG_NET_TC_SKB_EXT=y\n")
    assert lacking(tmp_path, "6.1") == []


def test_a_kernel_that_tells_nothing_lacks_nothing(tmp_path: Path) -> None:
    assert lacking(tmp_path, "6.1") == []
