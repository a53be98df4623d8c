# SPDX-License-Identifier: Apache-2.0
"""The options of every module that speaks to an OVSDB, as plugins/doc_fragments/ovsdb.py documents them."""
from __future__ import annotations

from typing import Any, Dict, Mapping

from ..errors import SluiceError
from .remote import DEFAULT_REMOTE, Remote, Target, TlsFiles

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
            "host_key": {"type": "str"},
            "timeout": {"type": "int", "default": 10},
        },
    },
}


def remote_from(params: Mapping[str, Any]) -> Remote:
    """The remote that a module's parameters describe; raises SluiceError where ``ssl:`` lacks what it needs."""
    database = params["database"]
    target = Target(**params["target"]) if params["target"] else None
    if not database.startswith("ssl:"):
        return Remote(database, target=target)
    files = TlsFiles(*(params[name] or "" for name in TlsFiles._fields))
    missing = [name for name, path in files._asdict().items() if not path]
    if missing:
        raise SluiceError(f"database {database} needs {', '.join(TlsFiles._fields)}; there is no {' and no '.join(missing)}")
    return Remote(database, files, target)
