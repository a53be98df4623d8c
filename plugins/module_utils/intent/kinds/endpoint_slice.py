# SPDX-License-Identifier: Apache-2.0
"""discovery.k8s.io/v1 EndpointSlice."""
from __future__ import annotations

from dataclasses import dataclass

from ..fields import PORT, Fields, one_of
from ..syntax import NOT_SPECIAL, Check, address, canonical, dns_label, dns_subdomain, is_special, label_key
from .meta import Meta
from .pod import PROTOCOLS

SERVICE_LABEL = "kubernetes.io/service-name"
ADDRESS_TYPES = ("IPv4", "IPv6", "FQDN")
ADDRESSES_MAX = 100


@dataclass(frozen=True)
class Endpoint:
    addresses: tuple[str, ...]
    ready: bool = True
    """The API's nil counts as true for ready, as ready for serving, and as false for terminating."""
    serving: bool = True
    terminating: bool = False
    hostname: str = ""
    node_name: str = ""
    zone: str = ""
    target: str = ""
    """``namespace/name`` of the Pod that it is, where targetRef says so."""
    hint_zones: tuple[str, ...] = ()
    hint_nodes: tuple[str, ...] = ()


@dataclass(frozen=True)
class EndpointPort:
    port: int
    """0: all ports."""
    protocol: str = "TCP"
    name: str = ""
    app_protocol: str = ""


@dataclass(frozen=True)
class EndpointSlice(Meta):
    address_type: str = "IPv4"
    """IPv4 | IPv6 | FQDN"""
    endpoints: tuple[Endpoint, ...] = ()
    ports: tuple[EndpointPort, ...] = ()

    @property
    def service(self) -> str:
        """``namespace/name`` of the Service it belongs to; empty if it says none."""
        name = self.labels.get(SERVICE_LABEL, "")
        return f"{self.namespace}/{name}" if name else ""


def read_endpoint_slice(meta: Meta, fields: Fields) -> EndpointSlice:
    fields.required("addressType", one_of(ADDRESS_TYPES))
    address_type = fields.string("addressType", choices=ADDRESS_TYPES)
    endpoints = tuple(_read_endpoint(item, meta, address_type) for item in fields.items("endpoints"))
    ports = tuple(_read_port(item) for item in fields.items("ports"))
    fields.no_others()
    _check_ports(fields, ports)
    return EndpointSlice(meta.namespace, meta.name, meta.labels, meta.annotations, address_type, endpoints, ports)


def _address_check(address_type: str) -> Check:
    if address_type == "FQDN":
        return dns_subdomain
    version = {"IPv4": 4, "IPv6": 6}.get(address_type)

    def check(text: str) -> str:
        found = address(text)
        if version is None:
            return ""
        if not found or found.version != version:
            return f"an {address_type} address"
        return NOT_SPECIAL if is_special(text) else ""

    return check


def _read_endpoint(fields: Fields, meta: Meta, address_type: str) -> Endpoint:
    addresses = fields.strings("addresses", _address_check(address_type))
    if not 1 <= len(fields.list("addresses")) <= ADDRESSES_MAX:
        fields.problem("addresses", f"has {len(fields.list('addresses'))} addresses", f"1 to {ADDRESSES_MAX}")
    conditions = fields.inside("conditions")
    ready = conditions.boolean("ready", True)
    serving = conditions.boolean("serving", ready)
    terminating = conditions.boolean("terminating", False)
    conditions.no_others()
    target = fields.inside("targetRef")
    name = target.string("name") if target.string("kind") == "Pod" else ""
    hints = fields.inside("hints")
    endpoint = Endpoint(
        addresses=tuple(map(canonical, addresses)),
        ready=ready,
        serving=serving,
        terminating=terminating,
        hostname=fields.string("hostname", check=dns_label),
        node_name=fields.string("nodeName"),
        zone=fields.string("zone"),
        target=f"{target.string('namespace', meta.namespace)}/{name}" if name else "",
        hint_zones=tuple(zone.string("name") for zone in hints.items("forZones")),
        hint_nodes=tuple(node.string("name") for node in hints.items("forNodes")),
    )
    hints.no_others()
    fields.ignore("deprecatedTopology")
    fields.no_others()
    return endpoint


def _read_port(fields: Fields) -> EndpointPort:
    port = EndpointPort(
        port=fields.integer("port", 0, *PORT),
        protocol=fields.string("protocol", "TCP", choices=PROTOCOLS),
        name=fields.string("name", check=lambda text: dns_label(text) if text else ""),
        app_protocol=fields.string("appProtocol", check=label_key),
    )
    fields.no_others()
    return port


def _check_ports(fields: Fields, ports: tuple[EndpointPort, ...]) -> None:
    names = [port.name for port in ports]
    for index, name in enumerate(names):
        if name in names[:index]:
            fields.problem(f"ports[{index}].name", f"{name!r} is the name of two ports", "another name")
