# SPDX-License-Identifier: Apache-2.0
"""What a user may say of NICs, read from plain mappings; everything that is wrong is found at once."""
from __future__ import annotations

from typing import Any, Iterable, List, Mapping, Tuple

from ...errors import Problem
from .model import Wanted

MODES = ("legacy", "switchdev")
INLINE_MODES = ("none", "link", "network", "transport")
ENCAP_MODES = ("none", "basic")
_INTERFACE_MAX = 15
_VFS_MAX = 65535
"""The bound of the SR-IOV capability (a 16 bit number); a NIC's own is lower."""

_CHOICES = {"mode": MODES, "inline_mode": INLINE_MODES, "encap_mode": ENCAP_MODES}
KEYS = ("interface", "vfs", "mode", "inline_mode", "encap_mode", "tc_offload", "representors")


def parse_nics(entries: Any, file: str, path: str, problems: List[Problem]) -> List[Wanted]:
    """The NICs of a list of mappings; what is wrong goes to ``problems``, with ``file`` and a path that begins with ``path``."""
    wanted: List[Wanted] = []
    if not isinstance(entries, (list, tuple)):
        problems.append(Problem(file, "", path, "is not a list", "a list of NICs"))
        return wanted
    for number, entry in enumerate(entries):
        place = f"{path}[{number}]"
        if not isinstance(entry, Mapping):
            problems.append(Problem(file, "", place, "is not a mapping", "a mapping with interface"))
            continue
        found = [Problem(file, "", f"{place}.{key}", message, expected) for key, message, expected in _mistakes(entry)]
        problems += found
        if not found:
            wanted.append(Wanted(**{key: entry[key] for key in KEYS if entry.get(key) is not None}))
    names = [one.interface for one in wanted]
    for name in sorted({name for name in names if names.count(name) > 1}):
        problems.append(Problem(file, "", path, f"names {name} more than once", "one entry a NIC"))
    return wanted


def _mistakes(entry: Mapping[str, Any]) -> Iterable[Tuple[str, str, str]]:
    """Key, what is wrong, what would be right."""
    for key in entry:
        if key not in KEYS:
            yield str(key), "is not a known key", f"one of {', '.join(KEYS)}"
    interface = entry.get("interface")
    if not isinstance(interface, str) or not interface or "/" in interface or " " in interface:
        yield "interface", f"is {interface!r}", "the name of a network interface, or a PCI address such as 0000:03:00.0"
    vfs = entry.get("vfs")
    if vfs is not None and (not isinstance(vfs, int) or isinstance(vfs, bool) or not 0 <= vfs <= _VFS_MAX):
        yield "vfs", f"is {vfs!r}", f"a number from 0 to {_VFS_MAX}"
    for key, choices in _CHOICES.items():
        if entry.get(key) is not None and entry[key] not in choices:
            yield key, f"is {entry[key]!r}", f"one of {', '.join(choices)}"
    if entry.get("tc_offload") is not None and not isinstance(entry["tc_offload"], bool):
        yield "tc_offload", f"is {entry['tc_offload']!r}", "true or false"
    names = entry.get("representors")
    if names is None:
        return
    if not isinstance(names, str) or names.count("{vf}") != 1 or not names.replace("{vf}", "0").replace("_", "").replace("-", "").isalnum():
        yield "representors", f"is {names!r}", "a name with {vf} in it for the VF's number, such as ens1f0r{vf}"
    else:
        last = max((vfs if isinstance(vfs, int) else 1) - 1, 0)
        if len(names.replace("{vf}", str(last))) > _INTERFACE_MAX:
            yield "representors", f"makes names such as {names.replace('{vf}', str(last))}", f"names of at most {_INTERFACE_MAX} characters"
