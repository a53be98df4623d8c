# SPDX-License-Identifier: Apache-2.0
"""``ip -json`` and ``ip -batch``: one process start reads all, one changes all."""
from __future__ import annotations

import json
from subprocess import CompletedProcess
from typing import Any, Sequence

from ..errors import SluiceError
from . import process


def _run(arguments: Sequence[str], lines: Sequence[str]) -> CompletedProcess[str]:
    return process.run(["ip", *arguments, "-batch", "-"], "".join(f"{line}\n" for line in lines), remedy="install the package iproute2")


def show(*queries: str) -> list[list[dict[str, Any]]]:
    """The answers to ``ip`` queries such as ``addr show``, numbers instead of names (-N): one list a query."""
    result = _run(["-json", "-N"], queries)
    if result.returncode:
        raise SluiceError(f"`ip` could not read the network configuration: {result.stderr.strip()}")
    answers: list[list[dict[str, Any]]] = []
    decoder, text = json.JSONDecoder(), result.stdout.lstrip()
    while text:
        answer, end = decoder.raw_decode(text)
        answers.append([entry for entry in answer if entry])
        text = text[end:].lstrip()
    # An older iproute2 prints nothing at all, instead of [], where there is nothing: then the answers cannot be told apart.
    if len(answers) != len(queries):
        answers = [show(query)[0] for query in queries] if len(queries) > 1 else [[]]
    return answers


def change(lines: Sequence[str]) -> None:
    """Runs the lines in order, and stops at the first that fails.

    :raises SluiceError: names the line, and what the kernel said
    """
    if not lines:
        return
    result = _run([], lines)
    if result.returncode == 0:
        return
    reasons = [line for line in result.stderr.splitlines() if not line.startswith("Command failed")]
    number = result.stderr.rpartition("Command failed -:")[2].strip()
    failed = lines[int(number) - 1] if number.isdigit() and int(number) <= len(lines) else lines[0]
    raise SluiceError(f"`ip {failed}` failed: {'; '.join(reasons) or 'exit status ' + str(result.returncode)}")


def remove(lines: Sequence[str]) -> None:
    """Runs all lines, whether or not what they remove is still there; the caller reads back."""
    if lines:
        _run(["-force"], lines)
