# SPDX-License-Identifier: Apache-2.0
"""networking.k8s.io/v1 Ingress."""
from __future__ import annotations

from dataclasses import dataclass
from typing import Optional, Union

from ..fields import PORT, Fields, one_of
from ..syntax import dns_label, dns_subdomain, host_pattern, port_name
from .meta import Meta

PATH_TYPES = ("Exact", "Prefix", "ImplementationSpecific")


@dataclass(frozen=True)
class IngressBackend:
    """A port of a Service; ``service`` is empty where the backend is another resource."""

    service: str = ""
    port: Union[int, str, None] = None


@dataclass(frozen=True)
class IngressPath:
    path: str
    path_type: str
    """Exact | Prefix | ImplementationSpecific"""
    backend: IngressBackend


@dataclass(frozen=True)
class IngressRule:
    host: str = ""
    """Empty: any host."""
    paths: tuple[IngressPath, ...] = ()


@dataclass(frozen=True)
class IngressTLS:
    hosts: tuple[str, ...] = ()
    secret_name: str = ""


@dataclass(frozen=True)
class Ingress(Meta):
    ingress_class_name: str = ""
    default_backend: Optional[IngressBackend] = None
    rules: tuple[IngressRule, ...] = ()
    tls: tuple[IngressTLS, ...] = ()


def read_ingress(meta: Meta, fields: Fields) -> Ingress:
    spec = fields.inside("spec")
    fields.ignore("status")
    fields.no_others()
    backend = spec.mapping("defaultBackend")
    rules = tuple(_read_rule(item) for item in spec.items("rules"))
    if backend is None and not rules:
        spec.problem("", "has neither rules nor a default backend", "rules or defaultBackend")
    ingress = Ingress(
        meta.namespace,
        meta.name,
        meta.labels,
        meta.annotations,
        spec.string("ingressClassName", check=dns_subdomain),
        _read_backend(backend) if backend else None,
        rules,
        tuple(_read_tls(item) for item in spec.items("tls")),
    )
    spec.no_others()
    return ingress


def _read_rule(fields: Fields) -> IngressRule:
    host = fields.string("host", check=host_pattern)
    http = fields.inside("http")
    rule = IngressRule(host, tuple(_read_path(item) for item in http.items("paths")))
    http.no_others()
    fields.no_others()
    if fields.has("http") and not rule.paths:
        http.problem("paths", "is missing", "at least one path")
    return rule


def _read_path(fields: Fields) -> IngressPath:
    fields.required("pathType", one_of(PATH_TYPES))
    fields.required("backend", "service or resource")
    path_type = fields.string("pathType", choices=PATH_TYPES)
    path = fields.string("path")
    absolute = path.startswith("/") or (path_type == "ImplementationSpecific" and not path)
    if path_type and not absolute:
        fields.problem("path", f"is {path!r}", "an absolute path, such as /")
    backend = _read_backend(fields.inside("backend")) if fields.has("backend") else IngressBackend()
    fields.ignore("backend")
    fields.no_others()
    return IngressPath(path, path_type, backend)


def _read_backend(fields: Fields) -> IngressBackend:
    service, resource = fields.mapping("service"), fields.mapping("resource")
    fields.no_others()
    if (service is None) == (resource is None):
        fields.problem("", "has to name one thing", "either service or resource")
    if service is None:
        return IngressBackend()
    service.required("name", "the name of a Service")
    name = service.string("name", check=dns_label)
    port = service.inside("port")
    number, text = port.integer("number", 0, *PORT), port.string("name", check=port_name)
    port.no_others()
    service.no_others()
    if port.has("number") == port.has("name"):
        port.problem("", "has to name one port", "either number or name")
    return IngressBackend(name, number or text or None)


def _read_tls(fields: Fields) -> IngressTLS:
    tls = IngressTLS(fields.strings("hosts", host_pattern), fields.string("secretName"))
    fields.no_others()
    return tls
