# SPDX-License-Identifier: Apache-2.0
"""Where a release's packages come from, and by which key they are known to be its distribution's."""
from __future__ import annotations

import contextlib
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Iterator, NamedTuple


class Distribution(NamedTuple):
    """What the releases of a distribution have in common."""

    mirror: str
    security_mirror: str
    components: str
    packages: tuple[str, ...]
    """What a system has to have, and its minimal one has not."""
    kernel: str
    """The package of the kernel for virtual machines: one with few drivers."""
    key: str
    """What its archive is signed with: a file of the host, or the key itself."""


# The archive's key of 2018 (fingerprint F6EC B376 2474 EDA9 D21B 7022 8719 20D1 991B C93C), because Debian has no package of it.
_UBUNTU_KEY = """\
-----BEGIN PGP PUBLIC KEY BLOCK-----

mQINBFufwdoBEADv/Gxytx/LcSXYuM0MwKojbBye81s0G1nEx+lz6VAUpIUZnbkq
dXBHC+dwrGS/CeeLuAjPRLU8AoxE/jjvZVp8xFGEWHYdklqXGZ/gJfP5d3fIUBtZ
HZEJl8B8m9pMHf/AQQdsC+YzizSG5t5Mhnotw044LXtdEEkx2t6Jz0OGrh+5Ioxq
X7pZiq6Cv19BohaUioKMdp7ES6RYfN7ol6HSLFlrMXtVfh/ijpN9j3ZhVGVeRC8k
KHQsJ5PkIbmvxBiUh7SJmfZUx0IQhNMaDHXfdZAGNtnhzzNReb1FqNLSVkrS/Pns
AQzMhG1BDm2VOSF64jebKXffFqM5LXRQTeqTLsjUbbrqR6s/GCO8UF7jfUj6I7ta
LygmsHO/JD4jpKRC0gbpUBfaiJyLvuepx3kWoqL3sN0LhlMI80+fA7GTvoOx4tpq
VlzlE6TajYu+jfW3QpOFS5ewEMdL26hzxsZg/geZvTbArcP+OsJKRmhv4kNo6Ayd
yHQ/3ZV/f3X9mT3/SPLbJaumkgp3Yzd6t5PeBu+ZQk/mN5WNNuaihNEV7llb1Zhv
Y0Fxu9BVd/BNl0rzuxp3rIinB2TX2SCg7wE5xXkwXuQ/2eTDE0v0HlGntkuZjGow
DZkxHZQSxZVOzdZCRVaX/WEFLpKa2AQpw5RJrQ4oZ/OfifXyJzP27o03wQARAQAB
tEJVYnVudHUgQXJjaGl2ZSBBdXRvbWF0aWMgU2lnbmluZyBLZXkgKDIwMTgpIDxm
dHBtYXN0ZXJAdWJ1bnR1LmNvbT6JAjgEEwEKACIFAlufwdoCGwMGCwkIBwMCBhUI
AgkKCwQWAgMBAh4BAheAAAoJEIcZINGZG8k8LHMQAKS2cnxz/5WaoCOWArf5g6UH
beOCgc5DBm0hCuFDZWWv427aGei3CPuLw0DGLCXZdyc5dqE8mvjMlOmmAKKlj1uG
g3TYCbQWjWPeMnBPZbkFgkZoXJ7/6CB7bWRht1sHzpt1LTZ+SYDwOwJ68QRp7DRa
Zl9Y6QiUbeuhq2DUcTofVbBxbhrckN4ZteLvm+/nG9m/ciopc66LwRdkxqfJ32Cy
q+1TS5VaIJDG7DWziG+Kbu6qCDM4QNlg3LH7p14CrRxAbc4lvohRgsV4eQqsIcdF
kuVY5HPPj2K8TqpY6STe8Gh0aprG1RV8ZKay3KSMpnyV1fAKn4fM9byiLzQAovC0
LZ9MMMsrAS/45AvC3IEKSShjLFn1X1dRCiO6/7jmZEoZtAp53hkf8SMBsi78hVNr
BumZwfIdBA1v22+LY4xQK8q4XCoRcA9G+pvzU9YVW7cRnDZZGl0uwOw7z9PkQBF5
KFKjWDz4fCk+K6+YtGpovGKekGBb8I7EA6UpvPgqA/QdI0t1IBP0N06RQcs1fUaA
QEtz6DGy5zkRhR4pGSZn+dFET7PdAjEK84y7BdY4t+U1jcSIvBj0F2B7LwRL7xGp
SpIKi/ekAXLs117bvFHaCvmUYN7JVp1GMmVFxhIdx6CFm3fxG8QjNb5tere/YqK+
uOgcXny1UlwtCUzlrSaP
=9AdM
-----END PGP PUBLIC KEY BLOCK-----
"""

DEBIAN = Distribution("http://deb.debian.org/debian", "http://deb.debian.org/debian-security", "main", (), "linux-image-cloud-amd64",
                      "/usr/share/keyrings/debian-archive-keyring.gpg")
UBUNTU = Distribution("http://archive.ubuntu.com/ubuntu", "http://archive.ubuntu.com/ubuntu", "main universe", ("apt",),
                      "linux-image-virtual", _UBUNTU_KEY)
_UBUNTU_RELEASES = ("jammy", "noble")


def distribution_of(release: str) -> Distribution:
    """The distribution that has ``release`` (its code name)."""
    return UBUNTU if release in _UBUNTU_RELEASES else DEBIAN


@dataclass(frozen=True)
class Source:
    """Where the packages of a release come from."""

    release: str
    mirror: str
    security_mirror: str

    @property
    def distribution(self) -> Distribution:
        return distribution_of(self.release)

    def lines(self, keyring: Path) -> list[str]:
        """The lines of a sources.list (sources.list(5)), whose indexes have to be signed by ``keyring``."""
        suites = ((self.mirror, self.release), (self.mirror, f"{self.release}-updates"), (self.security_mirror, f"{self.release}-security"))
        # A lab may be of what a mirror had some weeks ago: the signature says whose it is, the date only how new.
        return [f"deb [signed-by={keyring} check-valid-until=no] {mirror} {suite} {self.distribution.components}" for mirror, suite in suites]

    @contextlib.contextmanager
    def keyring(self) -> Iterator[Path]:
        """A file with the distribution's key, for as long as the context lasts."""
        if self.distribution.key.startswith("/"):
            yield Path(self.distribution.key)
            return
        # The suffix says to apt that it is armored; apt reads it as a user of its own.
        with tempfile.NamedTemporaryFile("w", prefix="sluice-lab-", suffix=".asc") as file:
            file.write(self.distribution.key)
            file.flush()
            Path(file.name).chmod(0o644)
            yield Path(file.name)
