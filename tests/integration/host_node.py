# SPDX-License-Identifier: Apache-2.0
"""A network namespace that stands for a node, and the host engine in it."""
from __future__ import annotations

import json
import subprocess
import sys
import uuid
from pathlib import Path
from typing import Any

ENGINE = Path(__file__).parent / "host" / "engine.py"
SOURCE = Path(__file__).parents[2] / "src"


def done(result: dict[str, Any]) -> dict[str, Any]:
    """The result, which must not be an error."""
    assert "error" not in result, result["error"]
    return result


class Node:
    """A namespace with eth1 (addresses, default routes of both families: a veth to `peer`), and bridges in the place of OVS's."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.name = f"sluice-host-{uuid.uuid4().hex[:8]}"
        subprocess.run(["ip", "netns", "add", self.name], check=True)

    def run(self, *command: str, stdin: str = "") -> str:
        inside = ["nsenter", f"--net=/run/netns/{self.name}", *command]
        result = subprocess.run(inside, input=stdin, capture_output=True, text=True, check=False)
        assert result.returncode == 0, f"{command}: {result.stderr}"
        return result.stdout

    def ip(self, *lines: str) -> None:
        self.run("ip", "-batch", "-", stdin="".join(f"{line}\n" for line in lines))

    def engine(self, config: Any, state: str = "present", *, check: bool = False, wait: float = 0.2,
               remember: bool = True) -> dict[str, Any]:
        """The engine's result, or {"error": …}."""
        return self.engines({"config": config, "state": state, "check": check, "wait": wait, "remember": remember})[0]

    def engines(self, *requests: dict[str, Any]) -> list[dict[str, Any]]:
        """Several runs, as :meth:`engine` does one, in one process."""
        defaults = {"state": "present", "check": False, "wait": 0.2, "remember": True, "root": str(self.root)}
        text = json.dumps([{**defaults, **request} for request in requests])
        answers: list[dict[str, Any]] = json.loads(self.run("env", f"PYTHONPATH={SOURCE}", sys.executable, str(ENGINE), stdin=text))
        return answers

    def tables(self) -> list[str]:
        """`table <family> <name>`: sorted, because a table that was replaced is listed last."""
        return sorted(self.run("nft", "list", "tables").splitlines())

    def state(self) -> dict[str, Any]:
        """All that the engine could have changed, without what changes by itself."""
        addresses = json.loads(self.run("ip", "-json", "addr", "show"))
        links = {entry["ifname"]: {
            "mac": entry["address"], "mtu": entry["mtu"], "up": "UP" in entry["flags"],
            "addresses": sorted(f"{address['local']}/{address['prefixlen']}"
                                for address in entry["addr_info"] if address["scope"] == "global"),
        } for entry in addresses}
        return {
            "links": links,
            "routes": sorted(line.strip() for family in ("-4", "-6") for line in self.run("ip", family, "route", "show").splitlines()),
            "neighbours": sorted(self.run("ip", "neigh", "show", "nud", "permanent").splitlines()),
            "nftables": "".join(self.run("nft", "-s", "list", *table.split()) for table in self.tables()),
            "sysctl": self.run("sysctl", "net.ipv4.ip_forward", "net.ipv6.conf.all.forwarding", "net.ipv4.conf.eth1.rp_filter"),
            "files": {str(path.relative_to(self.root)): (path.read_text(), oct(path.stat().st_mode)) if path.is_file() else "directory"
                      for path in sorted(self.root.rglob("*"))},
        }

    def close(self) -> None:
        subprocess.run(["ip", "netns", "del", self.name], check=False)
