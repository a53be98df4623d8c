# SPDX-License-Identifier: Apache-2.0
"""v1 Service, with the API server's defaulting and validation (what it allocates, such as a clusterIP, is not filled in)."""
from __future__ import annotations

from dataclasses import dataclass
from typing import Union

from ..fields import PORT, Fields
from ..syntax import NOT_SPECIAL, address, canonical, dns_label, dns_subdomain, is_address, is_special, label_key
from .meta import Meta
from .pod import PROTOCOLS

TYPES = ("ClusterIP", "NodePort", "LoadBalancer", "ExternalName")
FAMILIES = ("IPv4", "IPv6")
TRAFFIC_POLICIES = ("Cluster", "Local")
AFFINITY_SECONDS_DEFAULT = 10800
AFFINITY_SECONDS_MAX = 86400


@dataclass(frozen=True)
class ServicePort:
    port: int
    protocol: str = "TCP"
    name: str = ""
    target_port: Union[int, str] = 0
    """Number or name of a container port; the API's default, ``port``, is filled in."""
    node_port: int = 0
    """0: none asked for."""
    app_protocol: str = ""


@dataclass(frozen=True)
class Service(Meta):
    type: str = "ClusterIP"
    """ClusterIP | NodePort | LoadBalancer | ExternalName"""
    cluster_ips: tuple[str, ...] = ()
    """Those asked for, at most one a family. Empty: none was asked for, or the Service is headless."""
    headless: bool = False
    ports: tuple[ServicePort, ...] = ()
    selector: tuple[tuple[str, str], ...] = ()
    """Sorted labels that its pods have. Empty: its EndpointSlices are written by hand."""
    session_affinity: str = "None"
    """None | ClientIP"""
    session_affinity_timeout: int = 0
    """Seconds; 0 without affinity."""
    external_traffic_policy: str = "Cluster"
    """Cluster | Local"""
    internal_traffic_policy: str = "Cluster"
    """Cluster | Local"""
    traffic_distribution: str = ""
    """Empty | PreferClose | PreferSameZone | PreferSameNode"""
    external_ips: tuple[str, ...] = ()
    load_balancer_ip: str = ""
    load_balancer_class: str = ""
    load_balancer_ingress: tuple[str, ...] = ()
    """Addresses in status.loadBalancer.ingress, which a load balancer outside has assigned."""
    load_balancer_source_ranges: tuple[str, ...] = ()
    allocate_load_balancer_node_ports: bool = True
    health_check_node_port: int = 0
    publish_not_ready_addresses: bool = False
    ip_families: tuple[str, ...] = ()
    """IPv4 and/or IPv6 in order of preference; empty: the cluster's first, or as ip_family_policy says."""
    ip_family_policy: str = ""
    """Empty | SingleStack | PreferDualStack | RequireDualStack"""
    external_name: str = ""


def read_service(meta: Meta, fields: Fields) -> Service:
    spec = fields.inside("spec")
    ingress = _read_status(fields.inside("status"))
    fields.no_others()
    kind = spec.string("type", "ClusterIP", choices=TYPES)
    headless, cluster_ips = _read_cluster_ips(spec, kind)
    families, family_policy = _read_families(spec, cluster_ips)
    affinity, timeout = _read_affinity(spec)
    external_ips = tuple(map(canonical, spec.addresses("externalIPs")))
    service = Service(
        meta.namespace,
        meta.name,
        meta.labels,
        meta.annotations,
        type=kind,
        cluster_ips=cluster_ips,
        headless=headless,
        ports=_read_ports(spec, kind, headless),
        selector=tuple(sorted(spec.labels("selector").items())),
        session_affinity=affinity,
        session_affinity_timeout=timeout,
        external_traffic_policy=spec.string("externalTrafficPolicy", "Cluster", choices=TRAFFIC_POLICIES),
        internal_traffic_policy=spec.string("internalTrafficPolicy", "Cluster", choices=TRAFFIC_POLICIES),
        traffic_distribution=spec.string("trafficDistribution", choices=("PreferClose", "PreferSameZone", "PreferSameNode")),
        external_ips=external_ips,
        load_balancer_ip=canonical(spec.string("loadBalancerIP", check=_address_or_empty)),
        load_balancer_class=spec.string("loadBalancerClass", check=label_key),
        load_balancer_ingress=ingress,
        load_balancer_source_ranges=spec.cidrs("loadBalancerSourceRanges"),
        allocate_load_balancer_node_ports=spec.boolean("allocateLoadBalancerNodePorts", True),
        health_check_node_port=spec.integer("healthCheckNodePort", 0, 0, 65535),
        publish_not_ready_addresses=spec.boolean("publishNotReadyAddresses"),
        ip_families=families,
        ip_family_policy=family_policy,
        external_name=spec.string("externalName", check=dns_subdomain),
    )
    spec.no_others()
    _check_type(spec, service)
    return service


def _address_or_empty(text: str) -> str:
    return is_address(text) if text else ""


def _read_status(status: Fields) -> tuple[str, ...]:
    entries = status.inside("loadBalancer").items("ingress")
    return tuple(canonical(ip) for ip in (entry.string("ip", check=is_address) for entry in entries) if ip)


def _read_cluster_ips(spec: Fields, kind: str) -> tuple[bool, tuple[str, ...]]:
    """Whether it is headless, and the addresses asked for; clusterIP is another word for the first of clusterIPs."""
    first = spec.string("clusterIP", check=lambda text: "" if text in ("", "None") else is_address(text))
    several = spec.strings("clusterIPs", lambda text: "" if text == "None" else is_address(text))
    if first and several and first != several[0]:
        spec.problem("clusterIPs[0]", f"is {several[0]}, but clusterIP is {first}", "the same address")
    wanted = several or ((first,) if first else ())
    if kind == "ExternalName" and wanted:
        spec.problem("clusterIP", "has no meaning for the type ExternalName", "no clusterIP")
    if "None" in wanted:
        if len(wanted) > 1:
            spec.problem("clusterIPs", "has addresses beside None", "None alone")
        if kind in ("NodePort", "LoadBalancer"):
            spec.problem("clusterIP", f"is None, but the type is {kind}", "a type ClusterIP, or no None")
        return True, ()
    addresses = [found for found in map(address, wanted) if found]
    if len({one.version for one in addresses}) < len(addresses):
        spec.problem("clusterIPs", "has two addresses of one family", "at most one IPv4 and one IPv6 address")
    return False, tuple(str(one) for one in addresses)


def _read_families(spec: Fields, cluster_ips: tuple[str, ...]) -> tuple[tuple[str, ...], str]:
    families = spec.strings("ipFamilies", choices=FAMILIES)
    if len(set(families)) < len(families):
        spec.problem("ipFamilies", "names a family twice", "IPv4 and IPv6 at most once")
    for index, (family, ip) in enumerate(zip(families, cluster_ips)):
        if (family == "IPv6") != (":" in ip):
            spec.problem(f"ipFamilies[{index}]", f"is {family}, but the clusterIP there is {ip}", "the family of the address")
    policy = spec.string("ipFamilyPolicy", choices=("SingleStack", "PreferDualStack", "RequireDualStack"))
    if policy == "SingleStack":
        for name, several in (("ipFamilies", families), ("clusterIPs", cluster_ips)):
            if len(several) > 1:
                spec.problem(name, f"has {' and '.join(several)}, but ipFamilyPolicy is SingleStack", "one, or another ipFamilyPolicy")
    return families, policy


def _read_affinity(spec: Fields) -> tuple[str, int]:
    affinity = spec.string("sessionAffinity", "None", choices=("None", "ClientIP"))
    config = spec.mapping("sessionAffinityConfig")
    if affinity == "None":
        if config:
            spec.problem("sessionAffinityConfig", "has no meaning without sessionAffinity: ClientIP", "no sessionAffinityConfig")
        return affinity, 0
    if config is None:
        return affinity, AFFINITY_SECONDS_DEFAULT
    client = config.inside("clientIP")
    timeout = client.integer("timeoutSeconds", AFFINITY_SECONDS_DEFAULT, 1, AFFINITY_SECONDS_MAX)
    client.no_others()
    config.no_others()
    return affinity, timeout


def _read_ports(spec: Fields, kind: str, headless: bool) -> tuple[ServicePort, ...]:
    items = list(spec.items("ports"))
    if not items and not headless and kind != "ExternalName":
        spec.problem("ports", "is missing", "at least one port (only a headless Service may have none)")
    ports: list[ServicePort] = []
    for item in items:
        item.required("port", "a port's number")
        port = item.integer("port", 0, *PORT)
        entry = ServicePort(
            port=port,
            protocol=item.string("protocol", "TCP", choices=PROTOCOLS),
            name=item.string("name", check=dns_label),
            target_port=item.port("targetPort") or port,
            node_port=item.integer("nodePort", 0, 0, 65535),
            app_protocol=item.string("appProtocol", check=label_key),
        )
        item.no_others()
        _check_port(item, entry, ports, kind, len(items))
        ports.append(entry)
    return tuple(ports)


def _check_port(item: Fields, entry: ServicePort, before: list[ServicePort], kind: str, count: int) -> None:
    if count > 1 and not item.has("name"):
        item.problem("name", "is missing", "a name for each port where a Service has several")
    if entry.name and entry.name in (other.name for other in before):
        item.problem("name", f"{entry.name!r} is the name of two ports", "another name")
    if entry.port and (entry.protocol, entry.port) in ((other.protocol, other.port) for other in before):
        item.problem("port", f"{entry.protocol} {entry.port} is there twice", "another port or protocol")
    if entry.node_port:
        if kind in ("ClusterIP", "ExternalName"):
            item.problem("nodePort", f"has no meaning for the type {kind}", "the type NodePort or LoadBalancer, or no nodePort")
        if (entry.protocol, entry.node_port) in ((other.protocol, other.node_port) for other in before):
            item.problem("nodePort", f"{entry.protocol} {entry.node_port} is there twice", "another nodePort")


def _check_type(spec: Fields, service: Service) -> None:
    """Fields that only some types have."""
    balanced = service.type == "LoadBalancer"
    external = balanced or service.type == "NodePort" or bool(service.external_ips)
    if spec.has("externalTrafficPolicy") and not external:
        spec.problem("externalTrafficPolicy", "has no meaning for a Service without external access", "the type NodePort or LoadBalancer")
    if service.load_balancer_source_ranges and not balanced:
        spec.problem("loadBalancerSourceRanges", f"has no meaning for the type {service.type}", "the type LoadBalancer")
    if service.load_balancer_class and not balanced:
        spec.problem("loadBalancerClass", f"has no meaning for the type {service.type}", "the type LoadBalancer")
    if spec.has("allocateLoadBalancerNodePorts") and not balanced:
        spec.problem("allocateLoadBalancerNodePorts", f"has no meaning for the type {service.type}", "the type LoadBalancer")
    if service.health_check_node_port and not (balanced and service.external_traffic_policy == "Local"):
        spec.problem("healthCheckNodePort", "needs the type LoadBalancer and externalTrafficPolicy: Local", "no healthCheckNodePort")
    if service.health_check_node_port and ("TCP", service.health_check_node_port) in ((port.protocol, port.node_port) for port in service.ports):
        spec.problem("healthCheckNodePort", f"is {service.health_check_node_port}, which is a nodePort too", "another port")
    if service.type == "ExternalName" and not spec.has("externalName"):
        spec.problem("externalName", "is missing", "the DNS name that the Service stands for")
    for index, ip in enumerate(service.external_ips):
        if is_special(ip):
            spec.problem(f"externalIPs[{index}]", f"is {ip}", NOT_SPECIAL)
