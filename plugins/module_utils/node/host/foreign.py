# SPDX-License-Identifier: Apache-2.0
"""nftables chains of others that would drop what has to pass. They are not Sluice's to edit, so people are told what is missing."""
from __future__ import annotations

import re
from typing import Collection, NamedTuple

from ..process import answer
from .model import Openings, Port, version

_TABLE = re.compile(r"^table (ip|ip6|inet) (\S+) \{$(.*?)^\}$", re.MULTILINE | re.DOTALL)
_CHAIN = re.compile(r"^\tchain (\S+) \{\s*type filter hook (input|forward) [^;]*; policy drop;", re.MULTILINE)
_FAMILY = {4: "ip", 6: "ip6"}


class Chain(NamedTuple):
    """A base chain that drops what no rule of its accepts."""

    family: str
    table: str
    name: str
    hook: str


class Needed(NamedTuple):
    """A rule that has to be in a chain, and what a line of nft's listing that does the same has in it."""

    rule: str
    pattern: str


def dropping_chains(listing: str, managers: Collection[str]) -> list[Chain]:
    """Those in what `nft list chains` prints, other than the ones of managers that are told by their own means."""
    def is_managed(family: str, table: str) -> bool:
        return ("firewalld" in managers and table == "firewalld") or ("ufw" in managers and family != "inet" and table == "filter")

    return [Chain(family, table, name, hook) for family, table, body in _TABLE.findall(listing) if not is_managed(family, table)
            for name, hook in _CHAIN.findall(body)]


def _port_rule(port: Port) -> Needed:
    match, pattern = ((f"{port.protocol} dport {port.port}", rf"\b{port.protocol} dport\b.*\b{port.port}\b") if port.port
                      else (f"meta l4proto {port.protocol}", rf"(protocol|l4proto|nexthdr) .*\b({port.protocol}|47)\b"))
    return Needed(f'iifname "{port.interface}" {_FAMILY[version(port.address)]} daddr {port.address} {match} accept', pattern)


def needed(openings: Openings, chain: Chain) -> list[Needed]:
    """The rules that let the openings' packets pass the chain."""
    ways = ("iif", "oif") if chain.hook == "forward" else ("iif",)
    rules = [Needed(f'{way}name "{name}" accept', rf'\b{way}(name)? .*"{re.escape(name)}"') for name in openings.interfaces for way in ways]
    if chain.hook == "input":
        rules += [_port_rule(port) for port in openings.ports if chain.family in ("inet", _FAMILY[version(port.address)])]
    return rules


def missing(rules: Collection[Needed], table: str) -> list[str]:
    """The rules that no line of the listed table stands for: any chain of it, as a base chain may have its rules in others."""
    lines = [line for line in table.splitlines() if re.search(r"\baccept\b", line)]
    return [rule.rule for rule in rules if not any(re.search(rule.pattern, line) for line in lines)]


def warnings(openings: Openings, managers: Collection[str]) -> list[str]:
    """One for each chain that lacks rules; takes one start of nft where no chain of others drops by policy."""
    found = []
    for chain in dropping_chains(answer("nft", "-s", "list", "chains"), managers):
        lacking = missing(needed(openings, chain), answer("nft", "-s", "list", "table", chain.family, chain.table))
        if lacking:
            commands = " ; ".join(f"nft insert rule {chain.family} {chain.table} {chain.name} {rule}" for rule in lacking)
            found.append(f"chain {chain.name} of nftables table {chain.family} {chain.table} has policy drop and no rule that accepts packets of "
                         f"the pod network; it is not Sluice's to edit. Add to what makes that table: {commands}")
    return found
