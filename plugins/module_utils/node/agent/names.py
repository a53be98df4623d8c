# SPDX-License-Identifier: Apache-2.0
# pylint: disable=ansible-bad-function  # the agent, not an Ansible module
"""What the node's program says cookies and addresses mean; read again when its files change."""
from __future__ import annotations

import ipaddress
import json
from pathlib import Path
from typing import Any, Callable, Generic, Mapping, Optional, TypeVar

T = TypeVar("T")
Identity = Optional[tuple[int, int, int]]


def identity(path: Path) -> Identity:
    """What tells a version of a file from the next one; None if there is no file."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_ino, status.st_mtime_ns, status.st_size


class _Watched(Generic[T]):
    """A JSON file's meaning: the last that made sense, as one that is damaged is better ignored than obeyed."""

    def __init__(self, path: Path, parse: Callable[[Any], T], empty: T) -> None:
        self.value = empty
        self._path, self._parse = path, parse
        self._identity: Identity = None

    def refresh(self) -> None:
        found = identity(self._path)
        if found is None or found == self._identity:
            return
        self._identity = found
        try:
            self.value = self._parse(json.loads(self._path.read_text(encoding="utf-8")))
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            print(f"{self._path} is damaged, its last version stays in use: {error}", flush=True)


class Names:
    """The rules and the pods of the program in ``folder``."""

    def __init__(self, folder: Path) -> None:
        self._rules: _Watched[dict[int, Mapping[str, Any]]] = _Watched(folder / "rules.json", _parse_rules, {})
        self._pods: _Watched[dict[bytes, str]] = _Watched(folder / "pods.json", _parse_pods, {})
        self.refresh()

    def refresh(self) -> None:
        """Reads what has changed."""
        self._rules.refresh()
        self._pods.refresh()

    def rule(self, cookie: int) -> Optional[Mapping[str, Any]]:
        """The rule of a flow's cookie, as rules.json describes it."""
        return self._rules.value.get(cookie)

    def pod(self, address: bytes) -> str:
        """``namespace/name`` of the node's pod that has the address; empty if none has."""
        return self._pods.value.get(address, "")


def _parse_rules(content: Any) -> dict[int, Mapping[str, Any]]:
    return {int(cookie, 16): {**rule} for cookie, rule in content.items()}


def _parse_pods(content: Any) -> dict[bytes, str]:
    return {ipaddress.ip_address(address).packed: f"{pod['namespace']}/{pod['name']}" for pod in content["pods"] if not pod.get("host_network")
            for address in pod["ips"]}
