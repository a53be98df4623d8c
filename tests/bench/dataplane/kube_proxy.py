# SPDX-License-Identifier: Apache-2.0
"""One Service with one endpoint in the kernel, in the shape that kube-proxy gives it: the same chains to go through, of the same kinds of rules.

(Kubernetes, "Virtual IPs and Service Proxies", proxy modes iptables and nftables.) Both look a Service up for the first packet of a connection
only; the connections themselves are the kernel's.
"""
from __future__ import annotations

from dataclasses import dataclass

MASQUERADE = 0x4000
"""The mark of packets whose source is to be translated, too: here none, as the client is a pod."""


@dataclass(frozen=True)
class KernelService:
    address: str
    port: int
    endpoint: str
    endpoint_port: int
    pod_cidr: str


def iptables_rules(service: KernelService) -> str:
    """Input of iptables-restore."""
    filters = ["*filter", ":FORWARD-SERVICES - [0:0]", "-A FORWARD -j FORWARD-SERVICES", "-A FORWARD-SERVICES -m conntrack --ctstate INVALID -j DROP",
               f"-A FORWARD-SERVICES -m mark --mark {MASQUERADE:#x}/{MASQUERADE:#x} -j ACCEPT",
               "-A FORWARD-SERVICES -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT", "COMMIT"]
    nat = ["*nat", *(f":{chain} - [0:0]" for chain in ("SERVICES", "MARK-MASQUERADE", "MASQUERADING")),
           "-A PREROUTING -j SERVICES", "-A OUTPUT -j SERVICES", "-A POSTROUTING -j MASQUERADING",
           f"-A MARK-MASQUERADE -j MARK --or-mark {MASQUERADE:#x}",
           f"-A MASQUERADING -m mark ! --mark {MASQUERADE:#x}/{MASQUERADE:#x} -j RETURN", f"-A MASQUERADING -j MARK --xor-mark {MASQUERADE:#x}",
           "-A MASQUERADING -j MASQUERADE --random-fully"]
    for protocol in ("tcp", "udp"):
        own, endpoint = f"SVC-{protocol}", f"SEP-{protocol}"
        nat += [f":{own} - [0:0]", f":{endpoint} - [0:0]", f"-A SERVICES -d {service.address}/32 -p {protocol} -m {protocol} --dport {service.port} -j {own}",
                f"-A {own} ! -s {service.pod_cidr} -d {service.address}/32 -p {protocol} -m {protocol} --dport {service.port} -j MARK-MASQUERADE",
                f"-A {own} -j {endpoint}", f"-A {endpoint} -s {service.endpoint}/32 -j MARK-MASQUERADE",
                f"-A {endpoint} -p {protocol} -m {protocol} -j DNAT --to-destination {service.endpoint}:{service.endpoint_port}"]
    # Chains have to be declared before rules.
    declared = [line for line in nat if line.startswith((":", "*"))]
    return "\n".join([*filters, *declared, *(line for line in nat if line not in declared), "COMMIT", ""])


def nftables_rules(service: KernelService) -> str:
    """Input of nft -f."""
    chains, elements = [], []
    for protocol in ("tcp", "udp"):
        elements.append(f"{service.address} . {protocol} . {service.port} : goto service-{protocol}")
        chains.append(f"""
    chain endpoint-{protocol} {{
        ip saddr {service.endpoint} jump mark-masquerade
        meta l4proto {protocol} dnat to {service.endpoint}:{service.endpoint_port}
    }}
    chain service-{protocol} {{
        ip daddr {service.address} {protocol} dport {service.port} ip saddr != {service.pod_cidr} jump mark-masquerade
        numgen random mod 1 vmap {{ 0 : goto endpoint-{protocol} }}
    }}""")
    return f"""table ip services {{
    chain mark-masquerade {{
        meta mark set meta mark or {MASQUERADE:#x}
    }}{''.join(chains)}
    map service-ips {{
        type ipv4_addr . inet_proto . inet_service : verdict
        elements = {{ {', '.join(elements)} }}
    }}
    chain services {{
        ip daddr . meta l4proto . th dport vmap @service-ips
    }}
    chain nat-prerouting {{
        type nat hook prerouting priority dstnat
        jump services
    }}
    chain nat-output {{
        type nat hook output priority -100
        jump services
    }}
    chain nat-postrouting {{
        type nat hook postrouting priority srcnat
        meta mark and {MASQUERADE:#x} == {MASQUERADE:#x} meta mark set meta mark xor {MASQUERADE:#x} masquerade fully-random
    }}
    chain filter-forward {{
        type filter hook forward priority filter - 110
        ct state invalid drop
    }}
}}
"""
