# SPDX-License-Identifier: Apache-2.0
# pylint: disable=ansible-bad-function  # the engine knows no Ansible module
"""SSH into a lab: its key, what is known of its hosts, and a configuration file that needs nothing else."""
from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import time
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from pathlib import Path
from typing import Any, Callable, Mapping

from ..errors import SluiceError
from .command import run
from .files import unfinished, write
from .network import processes
from .spec import Lab, Node

# What `systemctl is-system-running` says when the boot is over; degraded: some unit failed, which need not concern us.
_BOOTED = ("running", "degraded")

# How often to tell of nodes that are not there yet.
_PROGRESS_SECONDS = 10
# What colours a console (ECMA-48 section 5.4).
_ESCAPE = re.compile("\x1b\\[[0-?]*[ -/]*[@-~]")


def make_key(path: Path, comment: str) -> str:
    """The public key belonging to the private key at ``path``, which is made if it is not there."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        new = unfinished(path)
        new.unlink(missing_ok=True)
        run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", comment, "-f", str(new)])
        new.with_name(new.name + ".pub").replace(path.with_name(path.name + ".pub"))
        # The private key last: where it is, the public one is too.
        new.replace(path)
    return path.with_name(path.name + ".pub").read_text().strip()


def description(lab: Lab) -> dict[str, Any]:
    """What ssh and Ansible need to get in, as plain data."""
    return {"ssh_config": ssh_config(lab), "known_hosts": [_names(node) for node in lab.nodes]}


def observe(lab: Lab) -> dict[str, Any]:
    """What of it there is."""
    config, known = _config_file(lab), _known_hosts_file(lab)
    return {"ssh_config": config.read_text() if config.exists() else "",
            "known_hosts": [line.split()[0] for line in known.read_text().splitlines()] if known.exists() else []}


def write_files(lab: Lab, host_keys: Mapping[str, str]) -> None:
    """Write ssh_config and known_hosts; ``host_keys`` has each node's public key."""
    write(_known_hosts_file(lab), "".join(f"{_names(node)} {' '.join(host_keys[node.name].split()[:2])}\n" for node in lab.nodes))
    write(_config_file(lab), ssh_config(lab))


def hang_up(lab: Lab, name: str) -> None:
    """End the connections to node ``name``, which is going away without a word: who waits for it would wait long."""
    known = [names.split(",") for names in observe(lab)["known_hosts"]]
    addresses = {address for names in known if names[0] == name for address in names[1:]}
    for process in processes(lab.namespace):
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            if addresses & set(Path(f"/proc/{process}/cmdline").read_text().split("\0")):
                os.kill(process, signal.SIGKILL)


def _names(node: Node) -> str:
    return ",".join([node.name, *map(str, node.management)])


def _config_file(lab: Lab) -> Path:
    return lab.home / "ssh_config"


def _known_hosts_file(lab: Lab) -> Path:
    return lab.home / "ssh/known_hosts"


def ssh_config(lab: Lab) -> str:
    """An ssh_config(5) for the lab. It leads through the lab's namespace, so only root can use it."""
    hosts = "".join(f"Host {' '.join([node.name, *map(str, node.management)])}\n  HostName {node.management[0]}\n\n" for node in lab.nodes)
    return hosts + f"""\
Host *
  User root
  IdentityFile {lab.home}/ssh/id_ed25519
  IdentitiesOnly yes
  UserKnownHostsFile {_known_hosts_file(lab)}
  GlobalKnownHostsFile /dev/null
  StrictHostKeyChecking yes
  ServerAliveInterval 5
  ServerAliveCountMax 3
  ProxyCommand ip netns exec {lab.namespace} nc %h %p
"""


def wait_for_nodes(lab: Lab, timeout: float, powered: Callable[[str], bool], progress: Callable[[str], None]) -> None:
    """Wait until every node has booted and answers by SSH. ``powered`` says whether a node is running at all.

    Raises SluiceError naming the nodes that did not boot within ``timeout`` seconds, or went off."""
    if not lab.nodes:
        return
    deadline = time.monotonic() + timeout
    with ThreadPoolExecutor(len(lab.nodes)) as pool:
        states = {pool.submit(_wait, lab, node, deadline, powered): node.name for node in lab.nodes}
        waiting = set(states)
        while waiting:
            done, waiting = wait(waiting, _PROGRESS_SECONDS, FIRST_COMPLETED)
            for state in done:
                progress(f"{states[state]} is {state.result()}")
            for name in () if done else sorted(states[state] for state in waiting):
                progress(f"{name} boots: {_last_line(_console(lab, name))}")
    failures = [f"node {node} did not boot within {timeout:.0f} s: {state.result()}; its console is in {_console(lab, node)}"
                for state, node in sorted(states.items(), key=lambda item: item[1]) if state.result() not in _BOOTED]
    if failures:
        raise SluiceError(". ".join(failures))


def _console(lab: Lab, node: str) -> Path:
    return lab.home / "nodes" / node / "console.log"


def _last_line(console: Path) -> str:
    text = _ESCAPE.sub("", console.read_text(errors="replace"))[-1000:]
    return next((line.strip() for line in reversed(text.splitlines()) if line.strip()), "")


def _wait(lab: Lab, node: Node, deadline: float, powered: Callable[[str], bool]) -> str:
    said = "it does not answer"
    while time.monotonic() < deadline:
        if not powered(node.name):
            return "it went off"
        try:
            # --wait ends when the boot has, so what comes next does not meet a half-booted machine.
            result = subprocess.run(["ssh", "-F", str(_config_file(lab)), "-o", "BatchMode=yes", "-o", "ConnectTimeout=30", node.name,
                                     "systemctl is-system-running --wait"], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                                    timeout=max(1.0, deadline - time.monotonic()), check=False)
        except subprocess.TimeoutExpired:
            break
        said = result.stdout.strip() or result.stderr.strip() or said
        if said in _BOOTED:
            break
        time.sleep(0.3)
    return said
