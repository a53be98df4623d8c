# SPDX-License-Identifier: Apache-2.0
"""The keys of one node. They are made on it, and what is private stays there; what is public is given to whoever asks."""
from __future__ import annotations

from pathlib import Path
from typing import Mapping, NamedTuple

from ..node.host.files import write
from ..node.host.model import File
from ..node.process import answer, output, run
from .paths import IPSEC, PRIVATE_KEY, WIREGUARD_KEY

OWN_CERTIFICATE = f"{IPSEC}/certs/sluice.pem"
"""Of a node that signs its own. The one that strongSwan uses has a name of its own (:mod:`.ipsec`)."""
INSTALLED = ("etc/ipsec.d/certs/sluice-*.pem", "etc/ipsec.d/cacerts/sluice-*.pem", "etc/ipsec.d/crls/sluice-*.pem", "etc/strongswan.d/sluice.conf")
"""Whatever is named so is Sluice's."""
UNKNOWN_WIREGUARD_KEY = "A" * 43 + "="
UNKNOWN_CERTIFICATE = "(made by the run)\n"
"""What a dry run says of keys that the run will make."""
RSA_BITS = 3072
"""As strong as the 128 bits of the rest (NIST SP 800-57 part 1, table 2). RSA, because that is what ovs-monitor-ipsec calls every key."""
SELF_SIGNED_DAYS = 3650
RENEW_SECONDS = 30 * 86400
_NO_OPENSSL = "install the package openssl"
_NO_WG = "install the package wireguard-tools"


class Keys(NamedTuple):
    """``changed``: whether any was made, or would be in a dry run."""

    changed: bool
    wireguard: str = ""
    """The public key."""
    certificate: str = ""
    request: str = ""
    """A certificate signing request, PEM (RFC 2986)."""


def make(root: Path, *, wireguard: bool, certificate: str, name: str, check: bool) -> Keys:
    """The keys that the node needs, made where they are missing.

    :param certificate: ``""``: none is needed; ``self_signed``: the node's own; ``request``: a request for one, for ``name``
    :raises SluiceError: a program is missing, or fails
    """
    changed, public, own, request = False, "", "", ""
    if wireguard:
        changed, public = _wireguard(root, check)
    if certificate == "self_signed":
        made, own = _self_signed(root, name, check)
        changed |= made
    elif certificate == "request":
        made, request = _request(root, name, check)
        changed |= made
    return Keys(changed, public, own, request)


def install(root: Path, files: Mapping[str, str], check: bool) -> list[str]:
    """Makes exactly ``files`` (path to text) be there of those that are named as Sluice's; gives the paths that differ.

    strongSwan is told of changed authorities and revocation lists. It reads the rest when ovs-monitor-ipsec names it.
    """
    there = {f"/{path.relative_to(root)}": path for pattern in INSTALLED for path in root.glob(pattern)}
    wrong = [path for path, text in files.items() if _text(root, path) != text]
    gone = [path for path in there if path not in files]
    if not check:
        for path in wrong:
            write(root, path, File(files[path]))
        for path in gone:
            there[path].unlink()
        if any("/cacerts/" in path or "/crls/" in path for path in (*wrong, *gone)):
            _tell_strongswan(root)
    return sorted([*wrong, *gone])


def remove(root: Path, check: bool) -> list[str]:
    """Takes everything away; gives the paths."""
    paths = [path for path in (WIREGUARD_KEY, PRIVATE_KEY, OWN_CERTIFICATE) if (root / path.lstrip("/")).exists()]
    if not check:
        for path in paths:
            (root / path.lstrip("/")).unlink()
    return sorted([*paths, *install(root, {}, check)])


def _wireguard(root: Path, check: bool) -> tuple[bool, str]:
    key = _text(root, WIREGUARD_KEY).strip()
    if not key:
        if check:
            return True, UNKNOWN_WIREGUARD_KEY
        write(root, WIREGUARD_KEY, File(output(["wg", "genkey"], remedy=_NO_WG), 0o600))
        return True, _wireguard(root, check)[1]
    return False, output(["wg", "pubkey"], key, remedy=_NO_WG).strip()


def _self_signed(root: Path, name: str, check: bool) -> tuple[bool, str]:
    key, certificate = root / PRIVATE_KEY.lstrip("/"), root / OWN_CERTIFICATE.lstrip("/")
    if key.exists() and certificate.exists() and _is_good(certificate, key, name):
        return False, certificate.read_text(encoding="ascii")
    if check:
        return True, UNKNOWN_CERTIFICATE
    _make_private_key(root)
    write(root, OWN_CERTIFICATE, File(_openssl("req", "-x509", "-new", "-key", str(key), "-days", str(SELF_SIGNED_DAYS), *_subject(name))))
    return True, certificate.read_text(encoding="ascii")


def _is_good(certificate: Path, key: Path, name: str) -> bool:
    """Whether it is of that key and name, and lasts."""
    text = ["x509", "-in", str(certificate), "-noout"]
    lasting = run(["openssl", *text, "-checkend", str(RENEW_SECONDS)], remedy=_NO_OPENSSL)
    return (lasting.returncode == 0 and _openssl(*text, "-subject", "-nameopt", "RFC2253").strip() == f"subject=CN={name},O=sluice"
            and _openssl("x509", "-in", str(certificate), "-noout", "-pubkey") == _openssl("pkey", "-in", str(key), "-pubout"))


def _request(root: Path, name: str, check: bool) -> tuple[bool, str]:
    key = root / PRIVATE_KEY.lstrip("/")
    missing = not key.exists()
    if missing and check:
        return True, ""
    if missing:
        _make_private_key(root)
    return missing, _openssl("req", "-new", "-key", str(key), *_subject(name))


def _make_private_key(root: Path) -> None:
    write(root, PRIVATE_KEY, File(_openssl("genpkey", "-algorithm", "RSA", "-pkeyopt", f"rsa_keygen_bits:{RSA_BITS}"), 0o600))


def _subject(name: str) -> list[str]:
    """ovs-monitor-ipsec finds the name by the comma after it, so it is not alone; strongSwan wants it as an alternative name, too."""
    return ["-subj", f"/O=sluice/CN={name}", "-addext", f"subjectAltName=DNS:{name}"]


def _openssl(*arguments: str) -> str:
    return output(["openssl", *arguments], remedy=_NO_OPENSSL)


def _text(root: Path, path: str) -> str:
    try:
        return (root / path.lstrip("/")).read_text(encoding="utf-8")
    except OSError:
        return ""


def _tell_strongswan(root: Path) -> None:
    """Without a running strongSwan there is nobody to tell: it reads them when it starts."""
    program = root / "usr/sbin/ipsec"
    if program.exists():
        for what in ("rereadcacerts", "rereadcrls", "purgecerts", "purgecrls"):
            answer(str(program), what)
