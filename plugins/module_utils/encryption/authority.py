# SPDX-License-Identifier: Apache-2.0
"""A small certificate authority in a folder: it signs requests of nodes, renews, revokes, and gives way to a new one.

    <folder>/authorities/<serial>.crt, .key   each authority, its key encrypted with the passphrase
    <folder>/active                           the serial of the one that signs
    <folder>/issued/<name>.crt                the current certificate of each node
    <folder>/revoked                          lines: serial of the authority, serial of a certificate, when

Runs where Ansible does, and is the only part of the engine that uses the package cryptography.
"""
from __future__ import annotations

import datetime
from pathlib import Path
from typing import Any, Mapping, NamedTuple, Sequence

from ..errors import SluiceError

ROTATIONS = ("none", "begin", "switch", "finish")
PASSPHRASE_MINIMUM = 12


class Issued(NamedTuple):
    """What the nodes need of it: all of it is public."""

    changed: bool
    actions: list[str]
    certificates: dict[str, str]
    """Node to PEM."""
    authorities: list[str]
    """PEM of each that nodes have to believe; the one that signs comes first."""
    revocations: list[str]
    """PEM of each one's revocation list, where it has revoked any."""


class Policy(NamedTuple):
    """How long things last, in days."""

    certificate_days: int = 365
    renew_days: int = 90
    """A certificate with fewer days left is renewed."""
    authority_days: int = 3650


def run(folder: Path, passphrase: str, requests: Mapping[str, str], revoked: Sequence[str] = (), *, rotation: str = "none",
        policy: Policy, now: datetime.datetime, check: bool = False) -> Issued:
    """Signs what is new, about to expire, of another key, or of an authority that no longer signs; revokes the nodes in ``revoked``.

    :param requests: node to PEM of its request; an empty one, of a dry run that comes before the key is made, is left out
    :param rotation: ``begin``: a new authority is made and believed, the old one goes on signing; ``switch``: the new one signs all
        certificates anew; ``finish``: the old one is no longer believed
    :raises SluiceError: no passphrase, a wrong one, a request that is not the node's, a step out of order
    """
    return _Authority(folder, passphrase, policy, now, check).run(requests, revoked, rotation)


class _Authority:
    """One run of it."""

    def __init__(self, folder: Path, passphrase: str, policy: Policy, now: datetime.datetime, check: bool) -> None:
        try:
            from cryptography import x509
            from cryptography.hazmat.primitives import hashes, serialization
            from cryptography.hazmat.primitives.asymmetric import rsa
        except ImportError as error:
            raise SluiceError("the certificate authority needs the Python package cryptography where Ansible runs; install it") from error
        if len(passphrase) < PASSPHRASE_MINIMUM:
            raise SluiceError(f"the passphrase of the authority's key has {len(passphrase)} characters; give at least {PASSPHRASE_MINIMUM}, from a vault")
        self.x509: Any = x509
        self.hashes: Any = hashes
        self.serialization: Any = serialization
        self.rsa: Any = rsa
        self.folder, self.passphrase, self.policy, self.now, self.check = folder, passphrase, policy, now, check
        self.actions: list[str] = []

    def run(self, requests: Mapping[str, str], revoked: Sequence[str], rotation: str) -> Issued:
        authorities = {path.stem: self._load(path) for path in sorted(self.folder.glob("authorities/*.crt"))}
        active = self._read("active").strip()
        if not authorities:
            active = self._make_authority(authorities)
        active = self._rotate(authorities, active, rotation)
        self._revoke(revoked)
        certificates = {name: self._issue(name, text, authorities, active) for name, text in sorted(requests.items()) if text and name not in revoked}
        order = [active, *(serial for serial in sorted(authorities) if serial != active)]
        lists = [text for serial in order for text in self._revocations(serial, authorities[serial])]
        return Issued(bool(self.actions), self.actions, certificates, [self._pem(authorities[serial]) for serial in order if serial in authorities], lists)

    def _rotate(self, authorities: dict[str, Any], active: str, rotation: str) -> str:
        others = [serial for serial in authorities if serial != active]
        if rotation == "begin" and not others:
            self._make_authority(authorities, activate=False)
        elif rotation == "switch" and others:
            active = max(others, key=lambda serial: self._from(authorities[serial]))
            self._write("active", active + "\n", f"sign with authority {active}")
        elif rotation == "finish":
            for serial in others:
                if any(self._is_issuer(authorities[serial], self._load(path)) for path in self.folder.glob("issued/*.crt")):
                    raise SluiceError(f"authority {serial} has signed certificates that are in use; run with rotation switch on all nodes first")
                del authorities[serial]
                self.actions.append(f"drop authority {serial}")
                if not self.check:
                    for path in self.folder.glob(f"authorities/{serial}.*"):
                        path.unlink()
        return active

    def _make_authority(self, authorities: dict[str, Any], activate: bool = True) -> str:
        key = self.rsa.generate_private_key(public_exponent=65537, key_size=3072)
        number = self.x509.random_serial_number()
        serial = f"{number:040x}"
        name = self._name(f"sluice {serial[:8]}")
        certificate = (
            self.x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key()).serial_number(number)
            .not_valid_before(self.now - datetime.timedelta(hours=1)).not_valid_after(self.now + datetime.timedelta(days=self.policy.authority_days))
            .add_extension(self.x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(self.x509.KeyUsage(False, False, False, False, False, True, True, False, False), critical=True)
            .add_extension(self.x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
            .sign(key, self.hashes.SHA256()))
        encryption = self.serialization.BestAvailableEncryption(self.passphrase.encode())
        pem = key.private_bytes(self.serialization.Encoding.PEM, self.serialization.PrivateFormat.PKCS8, encryption).decode()
        self._write(f"authorities/{serial}.key", pem, f"make authority {serial}")
        self._write(f"authorities/{serial}.crt", self._pem(certificate))
        if activate:
            self._write("active", serial + "\n")
        authorities[serial] = certificate
        self._made_key = key
        return serial

    def _key(self, serial: str) -> Any:
        path = self.folder / f"authorities/{serial}.key"
        if not path.exists():
            # A dry run has just made it.
            return self._made_key
        try:
            return self.serialization.load_pem_private_key(path.read_bytes(), self.passphrase.encode())
        except ValueError as error:
            raise SluiceError(f"{path} does not open with this passphrase") from error

    def _issue(self, name: str, text: str, authorities: Mapping[str, Any], active: str) -> str:
        if "/" in name:
            raise SluiceError(f"{name} cannot be the name of a certificate's owner; give the node a host name")
        request = self.x509.load_pem_x509_csr(text.encode())
        subject = [attribute.value for attribute in request.subject.get_attributes_for_oid(self.x509.NameOID.COMMON_NAME)]
        if not request.is_signature_valid or subject != [name]:
            raise SluiceError(f"the request of {name} is for {', '.join(subject) or 'nobody'}, or not signed with its own key; it is not answered")
        path = self.folder / "issued" / f"{name}.crt"
        if path.exists() and self._is_current(self._load(path), request, authorities[active]):
            return path.read_text(encoding="ascii")
        issuer = authorities[active]
        certificate = (
            self.x509.CertificateBuilder().subject_name(self._name(name)).issuer_name(issuer.subject).public_key(request.public_key())
            .serial_number(self.x509.random_serial_number()).not_valid_before(self.now - datetime.timedelta(hours=1))
            .not_valid_after(min(self.now + datetime.timedelta(days=self.policy.certificate_days), self._until(issuer)))
            .add_extension(self.x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(self.x509.SubjectAlternativeName([self.x509.DNSName(name)]), critical=False)
            .add_extension(self.x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer.public_key()), critical=False)
            .sign(self._key(active), self.hashes.SHA256()))
        self._write(f"issued/{name}.crt", self._pem(certificate), f"sign the certificate of {name}")
        return self._pem(certificate)

    def _is_current(self, certificate: Any, request: Any, issuer: Any) -> bool:
        left = self._until(certificate) - self.now
        return (left > datetime.timedelta(days=self.policy.renew_days) and self._is_issuer(issuer, certificate)
                and certificate.public_key().public_numbers() == request.public_key().public_numbers())

    def _is_issuer(self, authority: Any, certificate: Any) -> bool:
        return bool(certificate.issuer == authority.subject)

    def _revoke(self, names: Sequence[str]) -> None:
        for name in names:
            path = self.folder / "issued" / f"{name}.crt"
            if not path.exists():
                continue
            certificate = self._load(path)
            line = f"{certificate.issuer.rfc4514_string()}\t{certificate.serial_number:040x}\t{self.now.isoformat()}\n"
            self._write("revoked", self._read("revoked") + line, f"revoke the certificate of {name}")
            if not self.check:
                path.unlink()

    def _revocations(self, serial: str, authority: Any) -> list[str]:
        """The list is made anew when it changes and is good as long as its authority: it comes to the nodes with every run."""
        entries = [line.split("\t") for line in self._read("revoked").splitlines()]
        own = [(int(number, 16), datetime.datetime.fromisoformat(when)) for issuer, number, when in entries if issuer == authority.subject.rfc4514_string()]
        if not own:
            return []
        file = f"authorities/{serial}.crl"
        text = self._read(file)
        if text and len(list(self.x509.load_pem_x509_crl(text.encode()))) == len(own):
            return [text]
        builder = (self.x509.CertificateRevocationListBuilder().issuer_name(authority.subject).last_update(self.now - datetime.timedelta(hours=1))
                   .next_update(self._until(authority)).add_extension(self.x509.CRLNumber(len(own)), critical=False)
                   .add_extension(self.x509.AuthorityKeyIdentifier.from_issuer_public_key(authority.public_key()), critical=False))
        for number, when in own:
            builder = builder.add_revoked_certificate(self.x509.RevokedCertificateBuilder().serial_number(number).revocation_date(when).build())
        text = builder.sign(self._key(serial), self.hashes.SHA256()).public_bytes(self.serialization.Encoding.PEM).decode()
        self._write(file, text, f"sign the revocation list of authority {serial}")
        return [text]

    def _name(self, common: str) -> Any:
        """The same parts as in a node's own certificate (:mod:`.node_keys`)."""
        oid = self.x509.NameOID
        return self.x509.Name([self.x509.NameAttribute(oid.ORGANIZATION_NAME, "sluice"), self.x509.NameAttribute(oid.COMMON_NAME, common)])

    def _pem(self, certificate: Any) -> str:
        return str(certificate.public_bytes(self.serialization.Encoding.PEM).decode())

    def _load(self, path: Path) -> Any:
        try:
            return self.x509.load_pem_x509_certificate(path.read_bytes())
        except ValueError as error:
            raise SluiceError(f"{path} is not a certificate: {error}") from error

    @staticmethod
    def _until(certificate: Any) -> datetime.datetime:
        # cryptography 42 warns of the attribute without a time zone, and older ones have no other.
        found: Any = getattr(certificate, "not_valid_after_utc", None)
        moment: datetime.datetime = found or certificate.not_valid_after.replace(tzinfo=datetime.timezone.utc)
        return moment

    @staticmethod
    def _from(certificate: Any) -> datetime.datetime:
        found: Any = getattr(certificate, "not_valid_before_utc", None)
        moment: datetime.datetime = found or certificate.not_valid_before.replace(tzinfo=datetime.timezone.utc)
        return moment

    def _read(self, file: str) -> str:
        path = self.folder / file
        return path.read_text(encoding="utf-8") if path.exists() else ""

    def _write(self, file: str, text: str, action: str = "") -> None:
        if action:
            self.actions.append(action)
        if self.check:
            return
        path = self.folder / file
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        path.parent.mkdir(mode=0o700, exist_ok=True)
        temporary = path.with_name(f".{path.name}.new")
        temporary.touch(0o600)
        temporary.write_text(text, encoding="utf-8")
        temporary.replace(path)
