# SPDX-License-Identifier: Apache-2.0
"""The pre-shared keys of pairs of nodes: made anew in each run from a secret of the cluster, and kept in no file of Sluice's."""
from __future__ import annotations

import hashlib
import hmac
from typing import Any, Mapping

from .peer_ports import peer_interfaces

_PURPOSE = "sluice ipsec psk"


def pair_key(secret: str, node: str, peer: str) -> str:
    """The key that two nodes share, the same in either order: HMAC-SHA-256 (RFC 2104) of their names, in hexadecimal.

    Who gets hold of one node's keys learns nothing of those between others.
    """
    # Names have no zero byte, so no two pairs give the same text.
    text = "\0".join([_PURPOSE, *sorted([node, peer])])
    return hmac.new(secret.encode(), text.encode(), hashlib.sha256).hexdigest()


def switch_secrets(switch: Mapping[str, Any], node: str, secret: str) -> dict[str, dict[str, str]]:
    """What option ``secrets`` of sluice.fabric.switch needs beside ``switch`` (switch.json): interface to options."""
    return {interface["name"]: {"psk": pair_key(secret, node, peer)}
            for peer, interface in peer_interfaces(switch) if not {"remote_cert", "remote_name"} & set(interface["options"])}
