# SPDX-License-Identifier: Apache-2.0
"""The keys that Open vSwitch documents of the maps in its database, as data, and what is wrong with those that are given.

From ovs-vswitchd.conf.db(5) of Open vSwitch 3.1 to 4.0 and ovs-monitor-ipsec(8). Where a newer version takes more, its limits are here.
"""
from __future__ import annotations

import re
from functools import cache
from typing import Dict, Iterator, Mapping, NamedTuple, Optional, Tuple


class Kind(NamedTuple):
    """What a key's value may be: one of the words, a whole number, or something of the form. None of them: any text."""

    words: Tuple[str, ...] = ()
    minimum: Optional[int] = None
    """Of a whole number; None: no number."""
    maximum: Optional[int] = None
    base: int = 10
    """As int() takes it: 0 also takes hexadecimal numbers with 0x."""
    step: int = 1
    form: str = ""
    """One of FORMS."""


Keys = Dict[str, Kind]

FORMS: Mapping[str, Tuple[str, str]] = {
    "MAC": (r"[0-9a-fA-F]{2}(:[0-9a-fA-F]{2}){5}", "a MAC address like 0a:00:00:00:00:01"),
    "datapath ID": (r"(?!(0x)?0*$)(0x[0-9a-fA-F]{1,16}|[0-9a-fA-F]{16})", "16 hexadecimal digits, not all of them 0"),
    "IP": ("", "an IP address"),
    "IPv4": ("", "an IPv4 address"),
}
"""What the form is as a pattern, and in words. Addresses are left to inet_pton(3), as Open vSwitch does."""

TEXT = Kind()
FLAG = Kind(("true", "false"))
MAC = Kind(form="MAC")
IPV4 = Kind(form="IPv4")
ENDPOINT = Kind(("flow",), form="IP")


def _number(minimum: int = 0, maximum: Optional[int] = None) -> Kind:
    return Kind((), minimum, maximum)


def _one_of(*words: str) -> Kind:
    return Kind(words)


def _by_flow(maximum: int, base: int = 0) -> Kind:
    """A number that flows may set instead."""
    return Kind(("flow",), 0, maximum, base)


def _keys(*kinds: Tuple[Kind, str]) -> Keys:
    return {key: kind for kind, keys in kinds for key in keys.split()}


UINT16, UINT32 = _number(1, 0xFFFF), _number(0, 0xFFFFFFFF)
DSCP = _keys((_number(0, 63), "dscp"))

KEYS: Mapping[Tuple[str, str], Keys] = {
    ("Open_vSwitch", "external_ids"): _keys((TEXT, "system-id hostname rundir")),
    ("Open_vSwitch", "other_config"): _keys(
        (FLAG, "flow-restore-wait hw-offload offload-rebalance vhost-iommu-support vhost-postcopy-support per-port-memory pmd-perf-metrics "
               "smc-enable pmd-rxq-isolate pmd-auto-lb userspace-tso-enable enable-statistics explicit-sampled-drops dpdk-probe-at-init"),
        (TEXT, "dpdk-lcore-mask pmd-cpu-mask dpdk-socket-mem dpdk-socket-limit dpdk-hugepage-dir dpdk-extra vhost-sock-dir "
               "shared-mempool-config pmd-sleep-max private_key certificate ca_cert ipsec_skb_mark hw-offload-priority"),
        (_number(), "flow-limit min-revalidate-pps offloaded-stats-delay dpdk-alloc-mem vlan-limit"),
        (_number(1), "n-handler-threads n-revalidator-threads bundle-idle-timeout"),
        (_number(100), "max-revalidator"), (_number(500), "max-idle"), (_number(5000), "stats-update-interval"),
        (_number(1, 10), "n-offload-threads"), (_number(0, 1_000_000), "tx-flush-interval"), (UINT32, "emc-insert-inv-prob"),
        (_number(0, 20_000), "pmd-auto-lb-rebal-interval"), (_number(0, 10_000), "pmd-maxsleep"),
        (_number(0, 100), "pmd-auto-lb-load-threshold pmd-auto-lb-improvement-threshold"),
        (_one_of("none", "skip_hw", "skip_sw"), "tc-policy"), (_one_of("false", "true", "try"), "dpdk-init"),
        (_one_of("cycles", "group", "roundrobin"), "pmd-rxq-assign"),
    ),
    ("Bridge", "other_config"): _keys(
        (FLAG, "disable-in-band forward-bpdu mcast-snooping-disable-flood-unregistered"),
        (TEXT, "dp-desc dp-sn"), (Kind(form="datapath ID"), "datapath-id"), (MAC, "hwaddr stp-system-id rstp-address"),
        (UINT32, "in-band-queue"), (_number(1, 512), "controller-queue-size"),
        (_number(1), "mac-aging-time mac-table-size mcast-snooping-aging-time mcast-snooping-table-size"),
        (_number(0, 0xFFFF), "stp-priority"), (_number(1, 10), "stp-hello-time rstp-transmit-hold-count"),
        (_number(6, 40), "stp-max-age rstp-max-age"), (_number(4, 30), "stp-forward-delay rstp-forward-delay"),
        (_number(0, 61_440), "rstp-priority"), (_number(10, 1_000_000), "rstp-ageing-time"), (_one_of("0", "2"), "rstp-force-protocol-version"),
    ),
    ("Port", "other_config"): _keys(
        (FLAG, "lb-output-action all-members-active lacp-fallback-ab stp-enable rstp-enable rstp-port-admin-edge rstp-port-auto-edge "
               "rstp-port-mcheck mcast-snooping-flood mcast-snooping-flood-reports transient"),
        (_one_of("802.1ad", "802.1q"), "qinq-ethtype"), (_one_of("always", "if-nonzero", "never"), "priority-tags"),
        (_one_of("carrier", "miimon"), "bond-detect-mode"), (_one_of("fast", "slow"), "lacp-time"), (TEXT, "bond-primary"),
        (_number(), "bond-miimon-interval rstp-path-cost"), (_number(-2**31, 2**31 - 1), "bond-hash-basis"),
        (_number(0, 2**31 - 1), "bond-rebalance-interval"), (MAC, "lacp-system-id"), (UINT16, "lacp-system-priority"),
        (_number(1, 255), "stp-port-num"), (_number(0, 255), "stp-port-priority"), (_number(0, 0xFFFF), "stp-path-cost"),
        (_number(0, 240), "rstp-port-priority"), (_number(1, 4095), "rstp-port-num"),
    ),
    ("Interface", "other_config"): _keys(
        (FLAG, "emc-enable cfm_extended cfm_demand"), (TEXT, "pmd-rxq-affinity hw-offload-priority"), (_one_of("hash", "thread"), "tx-steering"),
        (_number(1, 600_000), "cfm_interval"), (_one_of("up", "down"), "cfm_opstate"), (_number(1, 4095), "cfm_ccm_vlan"),
        (_number(1, 7), "cfm_ccm_pcp"), (UINT16, "lacp-port-id lacp-port-priority lacp-aggregation-key"),
    ),
    ("Interface", "bfd"): _keys(
        (FLAG, "enable forwarding_if_rx cpath_down check_tnl_key oam"), (_number(1), "min_rx min_tx"), (_number(), "decay_min_rx"),
        (MAC, "bfd_local_src_mac bfd_local_dst_mac bfd_remote_dst_mac"), (IPV4, "bfd_src_ip bfd_dst_ip"), (_number(1, 255), "mult"),
    ),
    ("Interface", "lldp"): _keys((FLAG, "enable")),
    ("QoS", "other_config"): _keys(
        (_number(), "max-rate cir cbs eir ebs perturb quantum latency jitter limit target interval flows"), (_number(0, 100), "loss")),
    ("Queue", "other_config"): _keys((_number(1), "min-rate max-rate burst"), (_number(), "cir cbs eir ebs"), (UINT32, "priority")),
    ("IPFIX", "other_config"): _keys((FLAG, "enable-tunnel-sampling enable-input-sampling enable-output-sampling"), (TEXT, "virtual_obs_id")),
    ("Controller", "other_config"): DSCP,
    ("Manager", "other_config"): DSCP,
}
"""By table and column. Interface.options are TUNNELS, PATCH or DEVICE_OPTIONS, by the interface's type."""

CLOSED = {("Interface", "bfd"), ("Interface", "lldp")}
"""Maps in which Open vSwitch reads these keys and no others. The others stay open: programs beside Open vSwitch keep keys of theirs there."""

_OUTER = _keys(
    (ENDPOINT, "remote_ip local_ip"), (Kind(("inherit",), 0, 252, 0, 4), "tos"), (Kind(("inherit",), 0, 255), "ttl"),
    (FLAG, "df_default"), (UINT32, "egress_pkt_mark"), (_one_of("legacy_l2", "legacy_l3", "ptap"), "packet_type"))
_OUTER3: Keys = {**_OUTER, "packet_type": _one_of("legacy_l3", "ptap")}
"""Of tunnels that carry packets without an Ethernet header."""
_KEY24, _KEY32, _KEY64 = (_keys((_by_flow(2**bits - 1), "key in_key out_key")) for bits in (24, 32, 64))
_UDP = _keys((UINT16, "dst_port"))
_CSUM = _keys((FLAG, "csum"))
_SEQ = _keys((FLAG, "seq"))
_IPSEC = _keys((TEXT, "psk remote_cert remote_name ipsec_*"))
_ERSPAN = _keys((_by_flow(0xFFFFF, 16), "erspan_idx"), (_one_of("1", "2", "flow"), "erspan_ver"), (_one_of("0", "1", "flow"), "erspan_dir"),
                (_by_flow(0x3F, 16), "erspan_hwid"))

TUNNELS: Mapping[str, Keys] = {
    "geneve": {**_OUTER, **_KEY24, **_UDP, **_CSUM, **_IPSEC},
    "vxlan": {**_OUTER, **_KEY24, **_UDP, **_CSUM, **_IPSEC, "exts": _one_of("gbp", "gpe", "gbp,gpe", "gpe,gbp")},
    "gre": {**_OUTER, **_KEY32, **_CSUM, **_SEQ, **_IPSEC},
    "ip6gre": {**_OUTER, **_KEY32, **_CSUM, **_SEQ},
    "erspan": {**_OUTER, **_KEY32, **_ERSPAN},
    "ip6erspan": {**_OUTER, **_KEY32, **_ERSPAN},
    "gtpu": {**_OUTER3, **_KEY32, **_UDP},
    "bareudp": {**_OUTER3, **_UDP, "payload_type": Kind(("ip", "mpls"), 0, 0xFFFF, 0)},
    "srv6": {**_OUTER3, "srv6_segs": TEXT, "srv6_flowlabel": _one_of("compute", "copy", "zero")},
    "lisp": {**_OUTER3, **_KEY24, **_UDP},
    "stt": {**_OUTER, **_KEY64, **_UDP, **_CSUM, **_IPSEC},
}
"""The options that each type of tunnel has: ovs-vswitchd takes no others (it only logs that it left them out), and ovs-monitor-ipsec
encrypts these types alone. A ``*`` at the end stands for any rest."""

PATCH = _keys((TEXT, "peer"))

DEVICE_OPTIONS = _keys(
    (_number(), "n_rxq"), (_number(1), "n_rxq_desc n_txq_desc"), (TEXT, "dpdk-devargs vhost-server-path"), (MAC, "dpdk-vf-mac"),
    (_one_of("best-effort", "generic", "native-with-zerocopy", "native"), "xdp-mode"), (_one_of("rss", "rss+lacp"), "rx-steering"),
    (_number(0, 32), "tx-retries-max"), (_number(1, 128), "vhost-max-queue-pairs"),
    (FLAG, "use-need-wakeup rx-flow-ctrl tx-flow-ctrl flow-ctrl-autoneg dpdk-lsc-interrupt"))
"""Of the types dpdk, dpdkvhostuserclient and afxdp."""

_ANY_OPTIONS = {**{key: kind for keys in TUNNELS.values() for key, kind in keys.items()}, **_OUTER, **_KEY64, **DEVICE_OPTIONS}

REQUIRED: Mapping[str, str] = {**dict.fromkeys(TUNNELS, "remote_ip"), "patch": "peer"}


def known_keys(table: str, column: str, type_: str) -> Tuple[Keys, bool]:
    """The documented keys of a map, and whether there are no others. `type_` is the interface's; empty if it is not given."""
    if (table, column) != ("Interface", "options"):
        return KEYS.get((table, column), {}), (table, column) in CLOSED
    if type_ == "patch":
        return PATCH, True
    if type_ in TUNNELS:
        return TUNNELS[type_], True
    return DEVICE_OPTIONS if type_ else _ANY_OPTIONS, False


def key_problems(table: str, column: str, type_: str, given: Mapping[str, Optional[str]]) -> Iterator[Tuple[str, str, str]]:
    """Keys that cannot be or whose values cannot, each with what it is and what it should be. A key without a value is about to go."""
    keys, closed = known_keys(table, column, type_)
    for key, value in given.items():
        kind = keys.get(key) or keys.get(key[:key.find("_") + 1] + "*")
        if value is None or (kind is None and not closed):
            continue
        if kind is None:
            of = f" of {type_} interfaces" if column == "options" else ""
            yield key, f"is not a known key{of}", f"one of {', '.join(sorted(keys))}"
        elif not _is_right(kind, value):
            yield key, f"is {value!r}", _expected(kind)


def key_warnings(table: str, column: str, type_: str, given: Mapping[str, Optional[str]]) -> Iterator[str]:
    """About keys that look like documented ones, but are not. Not about external_ids, which are for everybody's own keys."""
    keys, closed = known_keys(table, column, type_)
    if column == "external_ids" or closed or not keys:
        return
    for key, value in given.items():
        if value is not None and key not in keys:
            meant = _similar(table, column, type_, key)
            if meant:
                yield f"{column}:{key} is not a key that Open vSwitch documents; did you mean {meant}?"


def missing_options(type_: str, options: Mapping[str, Optional[str]]) -> Iterator[Tuple[str, str, str]]:
    """Options without which an interface of the type cannot be created, in the shape of :func:`key_problems`."""
    key = REQUIRED.get(type_)
    if key and options.get(key) is None:
        yield key, "is missing", "the name of the interface at the other end" if type_ == "patch" else _expected(ENDPOINT)


@cache
def _similar(table: str, column: str, type_: str, key: str) -> str:
    """The documented key that this one looks like. Kept, as a thousand ports may have the same keys."""
    import difflib  # Takes longer to import than all of this file, and is rarely needed.
    keys, _closed = known_keys(table, column, type_)
    return "".join(difflib.get_close_matches(key.lower().replace("_", "-"), keys, 1, 0.85)
                   or difflib.get_close_matches(key, keys, 1, 0.85))


def _is_right(kind: Kind, value: str) -> bool:
    if kind == TEXT or value in kind.words:
        return True
    if kind.form:
        pattern = FORMS[kind.form][0]
        return bool(re.fullmatch(pattern, value)) if pattern else _is_address(value, kind.form)
    return kind.minimum is not None and _is_number(kind, value)


def _is_number(kind: Kind, value: str) -> bool:
    # int() is laxer than strtol(3) about what surrounds and separates digits.
    if not re.fullmatch(r"-?[0-9a-fA-FxX]+", value):
        return False
    try:
        number = int(value, kind.base)
    except ValueError:
        return False
    return (kind.minimum or 0) <= number and (kind.maximum is None or number <= kind.maximum) and number % kind.step == 0


def _is_address(value: str, form: str) -> bool:
    import socket
    for family in (socket.AF_INET, socket.AF_INET6)[:1 if form == "IPv4" else 2]:
        try:
            socket.inet_pton(family, value)
        except (OSError, ValueError):
            continue
        return True
    return False


def _expected(kind: Kind) -> str:
    """What a right value is, in words."""
    parts = list(kind.words)
    if kind.minimum is not None:
        shown = "{:x}" if kind.base == 16 else "{}"
        limits = f"from {shown.format(kind.minimum)} to {shown.format(kind.maximum)}" if kind.maximum is not None else f"of at least {kind.minimum}"
        parts.append(f"a {'hexadecimal' if kind.base == 16 else 'whole'} number {limits}" + (f" in steps of {kind.step}" if kind.step > 1 else ""))
    if kind.form:
        parts.append(FORMS[kind.form][1])
    return " or ".join(filter(None, [", ".join(parts[:-1]), parts[-1]]))
