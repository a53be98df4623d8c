# SPDX-License-Identifier: Apache-2.0
"""Doing things inside another network namespace."""
from __future__ import annotations

import ctypes
import os
from contextlib import contextmanager
from typing import Iterator

_CLONE_NEWNET = 0x40000000


def setns(descriptor: int) -> None:
    """setns(2) of the calling thread; os.setns came with Python 3.12. Raises OSError."""
    library = ctypes.CDLL(None, use_errno=True)
    if library.setns(descriptor, _CLONE_NEWNET):
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))


@contextmanager
def inside(descriptor: int) -> Iterator[None]:
    """Sockets and /proc/sys/net opened in the block belong to the namespace, and go on to after it."""
    own = os.open("/proc/self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    try:
        setns(descriptor)
        try:
            yield
        finally:
            setns(own)
    finally:
        os.close(own)
