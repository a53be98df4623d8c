# SPDX-License-Identifier: Apache-2.0
"""systemd units: enabled, started, and known to systemd in their newest form."""
from __future__ import annotations

from pathlib import Path
from typing import Collection, Iterable, Mapping, Optional

from ...errors import SluiceError
from ..process import output
from .model import Unit

DIRECTORIES = ("/etc/systemd/system", "/run/systemd/system", "/usr/lib/systemd/system", "/lib/systemd/system")
# What `systemctl is-enabled` answers with exit status 0 for (systemctl(1)).
_ENABLED = {"enabled", "enabled-runtime", "static", "alias", "indirect", "generated"}


def _systemctl(*arguments: str) -> str:
    return output(["systemctl", *arguments], remedy="Sluice needs systemd")


def read(names: Iterable[str]) -> dict[str, Optional[Unit]]:
    """None for a unit that systemd does not know; all of them, where there is no systemd."""
    names = sorted(names)
    if not names:
        return {}
    try:
        text = _systemctl("show", "--property=Id,LoadState,UnitFileState,ActiveState", "--", *names)
    except SluiceError:
        return {name: None for name in names}
    found: dict[str, Optional[Unit]] = {}
    # Answers come in the order of the questions; Id may be an alias' target.
    for name, block in zip(names, text.strip().split("\n\n")):
        values = dict(line.partition("=")[::2] for line in block.splitlines())
        known = values.get("LoadState") not in ("not-found", None)
        found[name] = Unit(values.get("UnitFileState") in _ENABLED, values.get("ActiveState") in ("active", "reloading")) if known else None
    return {name: found.get(name) for name in names}


def stop(changes: Mapping[str, Unit]) -> None:
    """Stops and disables; before the units' files go."""
    for name in sorted(changes):
        if changes[name].started is False:
            _systemctl("stop", name)
        if changes[name].enabled is False:
            _systemctl("disable", name)


def start(changes: Mapping[str, Unit], changed_files: Collection[str], started: Collection[str]) -> None:
    """Lets systemd read changed unit files, enables and starts; ``started`` units whose own file changed are started again.

    A changed drop-in alone restarts nothing: the unit may be somebody else's (ovs-vswitchd's, say).
    """
    unit_files = {path for path in changed_files if path.startswith(tuple(f"{directory}/" for directory in DIRECTORIES))}
    if unit_files:
        _systemctl("daemon-reload")
    renewed = {Path(path).name for path in unit_files}
    for name in sorted(set(changes) | (renewed & set(started))):
        unit = changes.get(name, Unit())
        if unit.enabled:
            # reenable: what [Install] said before may have left other links.
            _systemctl("reenable" if name in renewed else "enable", name)
        if unit.started or (name in renewed and name in started):
            _systemctl("restart" if name in renewed else "start", name)
