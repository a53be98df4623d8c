# SPDX-License-Identifier: Apache-2.0
"""What cannot be of Services that have all of their addresses, and what a user should know of them."""
from __future__ import annotations

from dataclasses import replace
from typing import Iterator, Mapping

from ..errors import Problem
from ..intent.kinds import EndpointSlice, Service
from ..intent.nodes import NodeIntent
from ..intent.objects import Objects, some_names
from ..intent.variables import some_hosts


def translatable(
    services: Mapping[str, Service], objects: Objects, nodes: Mapping[str, NodeIntent], unsupported: str
) -> tuple[dict[str, Service], list[str], list[Problem]]:
    """The Services without the ports that a node could not translate, warnings and problems.

    Those are the SCTP ports where a node has Open vSwitch's userspace datapath, whose connection tracking does not know SCTP. They are
    refused, or with ``unsupported`` warn left out.
    """
    userspace = sorted(name for name, node in nodes.items() if node.datapath == "netdev")
    kept = dict(services)
    warnings: list[str] = []
    problems: list[Problem] = []
    for key, service in services.items() if userspace else ():
        if not _has_addresses(service):
            continue
        for index, port in enumerate(service.ports):
            if port.protocol != "SCTP":
                continue
            message = f"SCTP {port.port} cannot be translated by the datapath netdev of {some_hosts(userspace)}, whose conntrack does not know SCTP"
            if unsupported == "warn":
                warnings.append(f"Service {key}: {message}; this port is left out")
                continue
            expected = "TCP or UDP, sluice_datapath: system on all nodes, or sluice_unsupported: warn, which leaves the port out"
            problems.append(objects.problem("Service", key, f"spec.ports[{index}]", message, expected))
        kept[key] = replace(service, ports=tuple(port for port in service.ports if port.protocol != "SCTP"))
    return kept, warnings, problems


def shared_addresses(services: Mapping[str, Service], objects: Objects) -> list[Problem]:
    """A problem for each address, protocol and port that two Services want. Apart from the port they may share an external address."""
    owners = {(ip, port.protocol, port.port): key for key, service in services.items() for ip in service.cluster_ips for port in service.ports}
    problems = []
    for key, service in services.items():
        for path, ip in _external(service):
            for port in service.ports:
                owner = owners.setdefault((ip, port.protocol, port.port), key)
                if owner != key:
                    message = f"{ip} with {port.protocol} {port.port} is taken by Service {owner}"
                    problems.append(objects.problem("Service", key, path, message, "another address or port"))
    return problems


def service_warnings(services: Mapping[str, Service], slices: Mapping[str, EndpointSlice]) -> list[str]:
    """What of Services and EndpointSlices is without effect."""
    warnings = []
    for key, service in services.items():
        external = list(_external(service))
        if service.type == "LoadBalancer" and not external:
            warnings.append(
                f"Service {key} is a LoadBalancer, but nothing here assigns it an address: without spec.loadBalancerIP, spec.externalIPs and "
                "status.loadBalancer.ingress it is reached by its cluster IP and node ports"
            )
        for path, ip in external:
            if service.cluster_ips and not any((":" in ip) == (":" in own) for own in service.cluster_ips):
                warnings.append(f"Service {key}: {path} {ip} is without effect, because the Service has no cluster IP of that family")
    pasted, stray, by_name = [], [], []
    for key, piece in sorted(slices.items()):
        owner = services.get(piece.service)
        if owner is None:
            stray.append(key)
        elif owner.selector:
            pasted.append(key)
        elif piece.address_type == "FQDN":
            by_name.append(key)
    for keys, reason in (
        (pasted, "their Services have selectors, which find the endpoints"),
        (stray, "there is no Service with the name in their label kubernetes.io/service-name"),
        (by_name, "connections cannot be sent to endpoints that have DNS names instead of addresses"),
    ):
        if keys:
            warnings.append(f"EndpointSlices are ignored, because {reason}: {some_names(keys)}")
    return warnings


def _has_addresses(service: Service) -> bool:
    return not (service.headless or service.type == "ExternalName")


def _external(service: Service) -> Iterator[tuple[str, str]]:
    """The addresses by which a Service is reached from outside, each with the field that it is in."""
    if not _has_addresses(service):
        return
    for index, ip in enumerate(service.external_ips):
        yield f"spec.externalIPs[{index}]", ip
    if service.type == "LoadBalancer":
        if service.load_balancer_ip:
            yield "spec.loadBalancerIP", service.load_balancer_ip
        for index, ip in enumerate(service.load_balancer_ingress):
            yield f"status.loadBalancer.ingress[{index}].ip", ip
