# SPDX-License-Identifier: Apache-2.0
"""The known keys of the database's maps: those of the manual page, what is refused, and what is only pointed out."""
from __future__ import annotations

import gzip
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from sluice.ovs.switch.map_keys import CLOSED, DEVICE_OPTIONS, KEYS, PATCH, REQUIRED, TUNNELS, Kind, key_problems, key_warnings, known_keys, missing_options
from sluice.ovs.switch.schema import TABLES

MANUAL = Path("/usr/share/man/man5/ovs-vswitchd.conf.db.5.gz")

WIDER = {
    "dpdk-lcore-mask": "the manual page says a number, and its own example is hexadecimal",
    "min-revalidate-pps": "3.5 takes 0, which disables it",
    "n_rxq": "the manual page says that 0 is the default",
    "n_rxq_desc": "3.6 has no upper limit", "n_txq_desc": "3.6 has no upper limit",
    "cfm_interval": "the manual page says the limits in its text", "loss": "a percentage",
    "rstp-force-protocol-version": "the manual page says the two values in its text",
    "bond-hash-basis": "any number that fits",
}
"""Keys whose values are not limited here as in the table of the manual page."""


def documented() -> Iterator[tuple[str, str, str, str]]:
    """Each key of the installed manual page: table, column, key and what its value is."""
    table = ""
    for line in gzip.decompress(MANUAL.read_bytes()).decode().splitlines():
        plain = re.sub(r"\\f[A-Z]", "", line.replace(r"\[char46]", ".").replace(r"\-", "-"))
        heading = re.match(r'\.SH "(\w+) TABLE"', plain)
        entry = re.match(r'\.IP "(other_config|options|bfd|lldp) : (\S+): optional string(.*)"$', plain)
        table = heading.group(1) if heading else table
        if entry:
            yield table, entry[1], entry[2], entry[3]


@pytest.mark.skipif(not MANUAL.exists(), reason="this machine has no manual pages")
def test_knows_what_the_manual_page_documents() -> None:
    entries = list(documented())
    assert len(entries) > 150
    for table, column, key, what in entries:
        sets = [*TUNNELS.values(), PATCH, DEVICE_OPTIONS] if column == "options" else [KEYS[table, column]]
        ours = [keys[key] for keys in sets if key in keys]
        assert ours, (table, column, key)
        if key in WIDER:
            continue
        words = re.fullmatch(r", (?:either|one of) (.*)", what)
        limits = re.fullmatch(r", containing an integer(?:, (?:at least|in range) ([\d,]+))?(?: to ([\d,]+))?", what)
        if words:
            assert sorted(re.split(r", (?:or )?| or ", words.group(1))) in [sorted(kind.words) for kind in ours], key
        elif limits:
            least, most = (int(limit.replace(",", "")) if limit else None for limit in limits.groups())
            # The manual page leaves out that most numbers cannot be negative, and a DSCP's limit.
            assert (ours[0].minimum, ours[0].maximum) in ((least, most), (0, most), (0, 63 if key == "dscp" else most)), key


def test_maps_are_those_of_the_schema() -> None:
    maps = {(name, column.name) for name, table in TABLES.items() for column in table.columns if "map" in column.kind and column.atom is str}
    assert set(KEYS) <= maps
    assert {(table, column) for table, column in maps if column == "other_config"} <= set(KEYS)
    assert set(KEYS) >= CLOSED


def problems(table: str, column: str, given: dict[str, str | None], type_: str = "") -> list[str]:
    return [f"{key} {message}; expected {expected}" for key, message, expected in key_problems(table, column, type_, given)]


@pytest.mark.parametrize(("table", "column", "type_", "key", "value", "expected"), [
    ("Bridge", "other_config", "", "stp-priority", "65536", "a whole number from 0 to 65535"),
    ("Bridge", "other_config", "", "stp-priority", "1e3", "a whole number from 0 to 65535"),
    ("Bridge", "other_config", "", "stp-priority", " 5", "a whole number from 0 to 65535"),
    ("Bridge", "other_config", "", "mac-table-size", "0", "a whole number of at least 1"),
    ("Bridge", "other_config", "", "disable-in-band", "yes", "true or false"),
    ("Bridge", "other_config", "", "hwaddr", "0a:00:00:00:00", "a MAC address like 0a:00:00:00:00:01"),
    ("Bridge", "other_config", "", "datapath-id", "0000000000000000", "16 hexadecimal digits, not all of them 0"),
    ("Open_vSwitch", "other_config", "", "tc-policy", "skip", "none, skip_hw or skip_sw"),
    ("Port", "other_config", "", "lacp-time", "Fast", "fast or slow"),
    ("QoS", "other_config", "linux-htb", "max-rate", "10M", "a whole number of at least 0"),
    ("Queue", "other_config", "", "min-rate", "-1", "a whole number of at least 1"),
    ("Interface", "bfd", "", "bfd_dst_ip", "fd00::1", "an IPv4 address"),
    ("Interface", "options", "geneve", "remote_ip", "node2.example", "flow or an IP address"),
    ("Interface", "options", "geneve", "key", "0x1000000", "flow or a whole number from 0 to 16777215"),
    ("Interface", "options", "gre", "tos", "3", "inherit or a whole number from 0 to 252 in steps of 4"),
    ("Interface", "options", "erspan", "erspan_hwid", "40", "flow or a hexadecimal number from 0 to 3f"),
    ("Interface", "options", "vxlan", "exts", "gdp", "gbp, gpe, gbp,gpe or gpe,gbp"),
    ("Interface", "options", "dpdk", "n_rxq", "two", "a whole number of at least 0"),
    ("Interface", "options", "", "csum", "on", "true or false"),
])
def test_refuses_wrong_values(table: str, column: str, type_: str, key: str, value: str, expected: str) -> None:
    assert problems(table, column, {key: value}, type_) == [f"{key} is {value!r}; expected {expected}"]


@pytest.mark.parametrize(("table", "column", "type_", "given"), [
    ("Bridge", "other_config", "", {"datapath-id": "00000000000000ff", "stp-priority": "0", "hwaddr": "0A:00:00:00:00:01"}),
    ("Bridge", "other_config", "", {"datapath-id": "0x1f", "of-somebody-else": "anything"}),
    ("Open_vSwitch", "other_config", "", {"pmd-cpu-mask": "0x3", "dpdk-init": "try", "min-revalidate-pps": "0"}),
    ("Open_vSwitch", "external_ids", "", {"system-id": "any text", "ovn-encap-type": "geneve"}),
    ("Interface", "options", "geneve", {"remote_ip": "flow", "key": "flow", "tos": "inherit", "csum": "false", "psk": "swordfish"}),
    ("Interface", "options", "vxlan", {"remote_ip": "fd00::2", "key": "0xabc", "dst_port": "8472", "exts": "gbp", "ipsec_encapsulation": "yes"}),
    ("Interface", "options", "erspan", {"remote_ip": "192.0.2.1", "erspan_idx": "0x3", "erspan_ver": "2", "erspan_dir": "flow"}),
    ("Interface", "options", "bareudp", {"remote_ip": "192.0.2.1", "payload_type": "0x8847", "dst_port": "6635"}),
    ("Interface", "options", "dpdk", {"dpdk-devargs": "0000:06:00.0", "n_rxq": "2", "of-a-newer-version": "1"}),
    ("Interface", "options", "of-a-newer-version", {"whatever": "1"}),
    ("Interface", "options", "", {"peer": "p1", "key": "18446744073709551615"}),
    ("Interface", "bfd", "", {"enable": "true", "min_tx": None, "no-such": None}),
])
def test_takes_right_values_and_open_keys(table: str, column: str, type_: str, given: dict[str, str | None]) -> None:
    assert problems(table, column, given, type_) == []


@pytest.mark.parametrize(("column", "type_", "key", "message"), [
    ("bfd", "", "min_xr", "is not a known key"), ("lldp", "", "enabled", "is not a known key"),
    ("options", "patch", "remote_ip", "is not a known key of patch interfaces"),
    ("options", "ip6gre", "psk", "is not a known key of ip6gre interfaces"),
    ("options", "geneve", "ipsec", "is not a known key of geneve interfaces"),
    ("options", "geneve", "exts", "is not a known key of geneve interfaces"),
])
def test_refuses_unknown_keys_of_closed_sets(column: str, type_: str, key: str, message: str) -> None:
    keys, closed = known_keys("Interface", column, type_)
    assert closed
    assert problems("Interface", column, {key: "1"}, type_) == [f"{key} {message}; expected one of {', '.join(sorted(keys))}"]


def test_names_what_a_misspelt_key_may_mean() -> None:
    warnings = list(key_warnings("Bridge", "other_config", "", {"stp-priorty": "1", "stp_priority": "2", "mac-table-size": "3", "mine": "4"}))
    assert warnings == [f"other_config:{key} is not a key that Open vSwitch documents; did you mean stp-priority?"
                        for key in ("stp-priorty", "stp_priority")]
    assert list(key_warnings("Interface", "options", "dpdk", {"nrxq": "1", "n_rxq": "1"})) == [
        "options:nrxq is not a key that Open vSwitch documents; did you mean n_rxq?"]


def test_does_not_warn_about_external_ids_and_keys_about_to_go() -> None:
    assert list(key_warnings("Open_vSwitch", "external_ids", "", {"system_id": "x", "hostnam": "y"})) == []
    assert list(key_warnings("Bridge", "other_config", "", {"stp-priorty": None})) == []


@pytest.mark.parametrize(("type_", "options", "missing"), [
    ("patch", {}, ["peer"]), ("patch", {"peer": None}, ["peer"]), ("patch", {"peer": "p"}, []), ("geneve", {"key": "1"}, ["remote_ip"]),
    ("geneve", {"remote_ip": "flow"}, []), ("internal", {}, []), ("", {}, []), ("dpdk", {}, []),
])
def test_names_the_options_that_creation_needs(type_: str, options: dict[str, str | None], missing: list[str]) -> None:
    assert [key for key, _, _ in missing_options(type_, options)] == missing
    assert set(REQUIRED) == {*TUNNELS, "patch"}


def test_a_wrong_value_is_never_shown_where_the_key_is_a_secret() -> None:
    assert all(keys["psk"] == Kind() for keys in TUNNELS.values() if "psk" in keys)
