# SPDX-License-Identifier: Apache-2.0
"""The options of every module that speaks to an OVSDB, as plugins/doc_fragments/ovsdb.py documents them."""
from __future__ import annotations

from typing import Any, Dict, Mapping

from ..errors import SluiceError
from .remote import DEFAULT_REMOTE, Remote

REMOTE_OPTIONS: Dict[str, Any] = {
    "database": {"type": "str", "default": DEFAULT_REMOTE},
    "private_key": {"type": "path"},
    "certificate": {"type": "path"},
    "ca_cert": {"type": "path"},
    "target": {
        "type": "dict",
        "mutually_exclusive": [("known_hosts", "host_key")],
        "options": {
            "host": {"type": "str", "required": True},
            "port": {"type": "int", "default": 22},
            "user": {"type": "str"},
            "password": {"type": "str", "no_log": True},
            "private_key_file": {"type": "path"},
            "private_key_passphrase": {"type": "str", "no_log": True},
            "known_hosts": {"type": "path"},
            "host_key": {"type": "str", "no_log": False},
            "timeout": {"type": "int", "default": 10},
        },
    },
}


def remote_from(params: Mapping[str, Any]) -> Remote:
    """The remote that a module's parameters describe; raises SluiceError where ``ssl:`` lacks what it needs."""
    database, target, tls = params["database"], None, None
    if params["target"]:
        from .ssh_target import Target

        target = Target(**params["target"])
    if database.startswith("ssl:"):
        from .tls import TlsFiles

        missing = [name for name in TlsFiles._fields if not params[name]]
        if missing:
            raise SluiceError(f"database {database} needs {', '.join(TlsFiles._fields)}; there is no {' and no '.join(missing)}")
        tls = TlsFiles(*(params[name] for name in TlsFiles._fields))
    return Remote(database, tls, target)
