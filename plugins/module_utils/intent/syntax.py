# SPDX-License-Identifier: Apache-2.0
"""The syntax of names, labels, ports and addresses.

A check gives an empty string for a good value and otherwise says what would be right, so that a problem can quote it.
The rules are those of the Kubernetes API server (apimachinery validation), RFC 1123 and RFC 6335 behind them.
"""
from __future__ import annotations

import ipaddress
import re
from functools import lru_cache
from typing import Callable, Optional, Union

Check = Callable[[str], str]
Network = Union[ipaddress.IPv4Network, ipaddress.IPv6Network]
Address = Union[ipaddress.IPv4Address, ipaddress.IPv6Address]

_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
_SUBDOMAIN = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_QUALIFIED = re.compile(r"[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?")
_PORT_NAME = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")


@lru_cache(maxsize=65536)
def dns_label(text: str) -> str:
    """RFC 1123 label: names of Namespaces and Services."""
    good = len(text) <= 63 and _LABEL.fullmatch(text)
    return "" if good else "at most 63 characters of a-z, 0-9 and '-', with a letter or digit at both ends"


@lru_cache(maxsize=65536)
def dns_subdomain(text: str) -> str:
    """RFC 1123 subdomain: names of most other objects."""
    good = len(text) <= 253 and _SUBDOMAIN.fullmatch(text)
    return "" if good else "at most 253 characters of a-z, 0-9, '-' and '.', with a letter or digit at both ends of each part"


def host_pattern(text: str) -> str:
    """The host of an Ingress rule: a subdomain whose first label may be ``*``."""
    if not dns_subdomain(text[2:] if text.startswith("*.") else text):
        return ""
    return "a DNS name such as www.example.org or *.example.org"


@lru_cache(maxsize=65536)
def label_key(text: str) -> str:
    """A qualified name: an optional DNS prefix and '/', then a name."""
    prefix, slash, name = text.rpartition("/")
    good = len(name) <= 63 and _QUALIFIED.fullmatch(name) and (not slash or not dns_subdomain(prefix))
    return "" if good else "a name of at most 63 letters, digits, '-', '_' and '.', with an optional DNS prefix (example.org/name)"


@lru_cache(maxsize=65536)
def label_value(text: str) -> str:
    good = text == "" or (len(text) <= 63 and _QUALIFIED.fullmatch(text))
    return "" if good else "at most 63 letters, digits, '-', '_' and '.', with a letter or digit at both ends"


def port_name(text: str) -> str:
    """RFC 6335 service name, as the name of a container port."""
    good = len(text) <= 15 and _PORT_NAME.fullmatch(text) and re.search("[a-z]", text)
    return "" if good else "at most 15 characters of a-z, 0-9 and single '-', at least one of them a letter"


def address(text: str) -> Optional[Address]:
    """The IP address, or None if ``text`` is none (a zone such as %eth0 has no place here)."""
    try:
        return None if "%" in text else ipaddress.ip_address(text)
    except ValueError:
        return None


def canonical(text: str) -> str:
    """The one text of an address (RFC 5952), by which it can be compared; other text stays as it is."""
    # An IPv4 address has no other.
    found = address(text) if ":" in text else None
    return str(found) if found else text


def is_special(text: str) -> bool:
    """Whether it is an address that no other machine can be reached by, so that the API server refuses it for endpoints and external IPs."""
    found = address(text)
    return bool(found and (found.is_unspecified or found.is_loopback or found.is_link_local or found.is_multicast))


NOT_SPECIAL = "an address that is not unspecified, loopback, link-local or multicast"


def cidr(text: str) -> Optional[Network]:
    """The network, host bits cleared as the API server reads it; None if ``text`` is no address/prefix-length."""
    host, slash, length = text.partition("/")
    if not slash or not length.isdigit() or "%" in host:
        return None
    try:
        return ipaddress.ip_network(text, strict=False)
    except ValueError:
        return None


def is_address(text: str) -> str:
    return "" if address(text) else "an IPv4 or IPv6 address"


def is_cidr(text: str) -> str:
    return "" if cidr(text) else "an IPv4 or IPv6 network such as 10.0.0.0/8 or fd00::/48"
