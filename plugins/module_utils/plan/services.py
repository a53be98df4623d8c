# SPDX-License-Identifier: Apache-2.0
"""Giving out cluster IPs and node ports: what a Service asks for, what it has already, else the lowest free."""
from __future__ import annotations

from dataclasses import replace
from typing import Mapping, NamedTuple, Optional, Sequence

from ..errors import Problem
from ..intent.kinds import Service
from ..intent.kinds.service import ServicePort
from ..intent.objects import Objects
from ..intent.variables import INVENTORY
from .addresses import network
from .allocations_file import NODE_PORT, ServiceAllocation
from .ranges import to_number, to_text

CIDRS = "sluice_service_cidrs"
HEALTH = "TCP/health"
"""What a node port is used for that is no port of the Service: its health check, by HTTP."""


def port_key(port: ServicePort) -> str:
    """What identifies a port within its Service, as in the API (listMapKey): its protocol and number."""
    return f"{port.protocol}/{port.port}"


def allocate_services(
    objects: Objects, cidrs: Sequence[str], previous: Mapping[str, ServiceAllocation]
) -> tuple[dict[str, Service], dict[str, ServiceAllocation], list[Problem]]:
    """The Services with all of their addresses and ports, and what of it was given out: what is written in a Service is not.

    ``previous`` has to be free of problems. Nothing in it moves while its Service lives and wants it: another Service that asks for the
    same is refused. The first of ``cidrs`` is the family of a Service that names none.
    """
    allocator = _Allocator(objects, cidrs)
    wanting = {key: service for key, service in sorted(objects.services.items()) if not (service.headless or service.type == "ExternalName")}
    wants = {key: allocator.wants(key, service, previous.get(key, ServiceAllocation())) for key, service in wanting.items()}
    # What was given before goes before what is asked for now, and both before what may be anything.
    for key, want in wants.items():
        allocator.keep(key, want)
    for key, want in wants.items():
        allocator.claim(key, wanting[key], want)
    services, given = dict(sorted(objects.services.items())), {}
    for key, want in wants.items():
        services[key], allocation = allocator.complete(key, wanting[key], want)
        if allocation != ServiceAllocation():
            given[key] = allocation
    return services, given, allocator.problems + allocator.lacks()


def check_service_allocations(allocations: Mapping[str, ServiceAllocation], cidrs: Sequence[str], file: str) -> list[Problem]:
    """What is wrong with the Services of an allocations file; an empty list says that all of it can be kept."""
    problems = []
    ranges = [_Range(cidr) for cidr in cidrs]
    owners: dict[str, str] = {}
    for key, given in sorted(allocations.items()):
        path = f"services.{key}"
        for ip in given.ips:
            if not any(own.has(ip) for own in ranges):
                expected = f"an address of {_several(cidrs)}, or no line for this Service, to have it addressed anew"
                problems.append(Problem(file, "", f"{path}.ips", f"{ip} is no address for Services", expected))
        numbers = [(_protocol(name), number) for name, number in given.node_ports.items()]
        numbers += [("TCP", given.health_check_node_port)] if given.health_check_node_port else []
        claims = [f"the address {ip}" for ip in given.ips] + [f"the node port {protocol} {number}" for protocol, number in numbers]
        for place, what in enumerate(claims):
            first = owners.setdefault(what, path)
            if first != path or what in claims[:place]:
                problems.append(Problem(file, "", path, f"{what} is that of {first} too", "each once; remove one of the lines"))
    return problems


class _Want(NamedTuple):
    """What a Service is to have, and what of it was given before."""

    versions: tuple[int, ...]
    """Of its cluster IPs, in order; not those that cannot be had."""
    kept_ips: Mapping[int, str]
    kept_ports: Mapping[str, int]
    """By port_key()."""
    kept_health: int


class _Allocator:
    def __init__(self, objects: Objects, cidrs: Sequence[str]) -> None:
        self.problems: list[Problem] = []
        self._objects = objects
        self._ranges: dict[int, _Range] = {own.version: own for own in map(_Range, cidrs)}
        self._cidrs = tuple(cidrs)
        self._ips: dict[str, str] = {}
        """Address to the Service that has it."""
        self._ports: dict[tuple[str, int], tuple[str, str]] = {}
        """Protocol and node port to the Service that has it, and for what: port_key(), or HEALTH."""
        self._numbers: set[int] = set()
        """Node ports that are not free, in whatever protocol."""
        self._next_port = NODE_PORT[0]
        self._unaddressed: list[str] = []
        """Services that need an address while there is no network for any."""
        self._full: dict[str, list[str]] = {}
        """What has no room, to the Services that lack it."""

    def wants(self, key: str, service: Service, before: ServiceAllocation) -> _Want:
        versions = self._versions(key, service, before)
        stated = {_version(ip) for ip in service.cluster_ips}
        ips = {_version(ip): ip for ip in before.ips if _version(ip) in versions and _version(ip) not in stated}
        open_ports = {port_key(port) for port in service.ports if not port.node_port} if _has_node_ports(service) else set()
        ports = {name: number for name, number in before.node_ports.items() if name in open_ports}
        health = before.health_check_node_port if _has_health_check(service) and not service.health_check_node_port else 0
        return _Want(versions, ips, ports, health)

    def _versions(self, key: str, service: Service, before: ServiceAllocation) -> tuple[int, ...]:
        """The IP versions of the Service's addresses, as the API server chooses them (KEP-563)."""
        if not self._ranges:
            self._unaddressed.append(key)
            return ()
        named = dict.fromkeys([*(int(family[-1]) for family in service.ip_families), *map(_version, service.cluster_ips)])
        versions = list(named or dict.fromkeys([*map(_version, before.ips), *self._ranges]))
        policy = service.ip_family_policy or ("RequireDualStack" if len(named) > 1 else "SingleStack")
        if policy == "SingleStack":
            versions = versions[:1]
        elif len(versions) == 1 and (policy == "RequireDualStack" or len(self._ranges) > 1):
            versions.append(10 - versions[0])
        for version in versions:
            if version not in self._ranges:
                path = "spec.ipFamilies" if version in named else "spec.ipFamilyPolicy"
                message = f"needs an IPv{version} address, but {CIDRS} has only {_several(self._cidrs)}"
                self._refuse(key, path, message, f"a family that it has, or an IPv{version} network in {CIDRS}")
        return tuple(version for version in versions if version in self._ranges)

    def keep(self, key: str, want: _Want) -> None:
        for ip in want.kept_ips.values():
            self._ips[ip] = key
        for name, number in want.kept_ports.items():
            self._take_port((key, name), number)
        if want.kept_health:
            self._take_port((key, HEALTH), want.kept_health)

    def claim(self, key: str, service: Service, want: _Want) -> None:
        """Takes what is written in the Service."""
        for ip in service.cluster_ips:
            own = self._ranges.get(_version(ip))
            if own is None or _version(ip) not in want.versions:
                continue
            if not own.has(ip):
                self._refuse(key, "spec.clusterIP", f"{ip} is no address for Services", f"one from {own.first} to {own.last} ({CIDRS})")
            elif self._ips.setdefault(ip, key) != key:
                self._refuse(key, "spec.clusterIP", f"{ip} is taken by Service {self._ips[ip]}", "another one")
        ports = [(f"spec.ports[{index}].nodePort", port_key(port), port.node_port) for index, port in enumerate(service.ports)]
        ports.append(("spec.healthCheckNodePort", HEALTH, service.health_check_node_port))
        for path, use, number in ports:
            protocol = _protocol(use)
            if not number:
                continue
            if not NODE_PORT[0] <= number <= NODE_PORT[1]:
                self._refuse(key, path, f"is {number}", f"a number from {NODE_PORT[0]} to {NODE_PORT[1]}")
            elif not self._take_port((key, use), number):
                self._refuse(key, path, f"{protocol} {number} is taken by Service {self._ports[protocol, number][0]}", "another one")

    def complete(self, key: str, service: Service, want: _Want) -> tuple[Service, ServiceAllocation]:
        """The Service with all that it wants, and what of it is not written in it."""
        stated = {_version(ip): ip for ip in service.cluster_ips}
        ips = {version: stated.get(version) or want.kept_ips.get(version) or self._free_ip(key, version) for version in want.versions}
        ports = self._node_ports(key, service, want) if _has_node_ports(service) else {}
        health = service.health_check_node_port or want.kept_health
        if _has_health_check(service) and not health:
            health = self._free_port((key, HEALTH))
        allocation = ServiceAllocation(
            tuple(ip for version, ip in ips.items() if ip and version not in stated),
            dict(sorted(ports.items())),
            0 if service.health_check_node_port else health,
        )
        final = tuple(replace(port, node_port=port.node_port or ports.get(port_key(port), 0)) for port in service.ports)
        return replace(service, cluster_ips=tuple(filter(None, ips.values())), ports=final, health_check_node_port=health), allocation

    def _node_ports(self, key: str, service: Service, want: _Want) -> dict[str, int]:
        """A node port for each port that has none in the Service. What differs in the protocol alone shares one number, as in the API server."""
        given: dict[str, int] = {}
        shared = {port.port: port.node_port for port in service.ports if port.node_port}
        shared.update({port.port: want.kept_ports[port_key(port)] for port in service.ports if port_key(port) in want.kept_ports})
        for port in service.ports:
            if port.node_port:
                continue
            number = want.kept_ports.get(port_key(port)) or shared.get(port.port, 0)
            if not (number and self._take_port((key, port_key(port)), number)):
                number = self._free_port((key, port_key(port)))
            if number:
                given[port_key(port)] = shared[port.port] = number
        return given

    def _take_port(self, user: tuple[str, str], number: int) -> bool:
        """Whether that node port is now this Service's, for this use."""
        if self._ports.setdefault((_protocol(user[1]), number), user) != user:
            return False
        self._numbers.add(number)
        return True

    def _free_ip(self, key: str, version: int) -> str:
        own = self._ranges[version]
        ip = own.free(self._ips)
        if ip is None:
            self._full.setdefault(own.cidr, []).append(key)
            return ""
        self._ips[ip] = key
        return ip

    def _free_port(self, user: tuple[str, str]) -> int:
        while self._next_port in self._numbers:
            self._next_port += 1
        if self._next_port > NODE_PORT[1]:
            self._full.setdefault("", []).append(user[0])
            return 0
        self._take_port(user, self._next_port)
        return self._next_port

    def _refuse(self, key: str, path: str, message: str, expected: str) -> None:
        self.problems.append(self._objects.problem("Service", key, path, message, expected))

    def lacks(self) -> list[Problem]:
        """One problem for each thing that there is not enough of."""
        problems = []
        if self._unaddressed:
            message = f"has no network for the addresses of {_count(self._unaddressed)}"
            problems.append(Problem(INVENTORY, "", CIDRS, message, "a network that nothing else uses, such as 10.96.0.0/16"))
        for cidr, keys in self._full.items():
            if cidr:
                message = f"{cidr} has no free address for {_count(keys)}"
                problems.append(Problem(INVENTORY, "", CIDRS, message, "a larger network, or fewer Services"))
            else:
                message = f"no node port from {NODE_PORT[0]} to {NODE_PORT[1]} is free for {_count(keys)}"
                problems.append(Problem(INVENTORY, "", "", message, "fewer Services of the types NodePort and LoadBalancer"))
        return problems


class _Range:
    """The addresses of one CIDR that Services may have: not the network's own, and not IPv4's broadcast address."""

    def __init__(self, cidr: str) -> None:
        whole = network(cidr)
        self.cidr = cidr
        self.version = whole.version
        self._first = int(whole.network_address) + 1
        self._last = int(whole.broadcast_address) - (1 if whole.version == 4 else 0)
        self._next = self._first

    @property
    def first(self) -> str:
        return to_text(self.version, self._first)

    @property
    def last(self) -> str:
        return to_text(self.version, self._last)

    def has(self, ip: str) -> bool:
        number = to_number(self.version, ip)
        return number is not None and self._first <= number <= self._last

    def free(self, taken: Mapping[str, str]) -> Optional[str]:
        """The lowest address that is not taken. What was taken once must not become free again."""
        while self._next <= self._last:
            ip = to_text(self.version, self._next)
            if ip not in taken:
                return ip
            self._next += 1
        return None


def _version(ip: str) -> int:
    return 6 if ":" in ip else 4


def _protocol(use: str) -> str:
    return use.partition("/")[0]


def _has_node_ports(service: Service) -> bool:
    return service.type == "NodePort" or (service.type == "LoadBalancer" and service.allocate_load_balancer_node_ports)


def _has_health_check(service: Service) -> bool:
    return service.type == "LoadBalancer" and service.external_traffic_policy == "Local"


def _several(words: Sequence[str]) -> str:
    return " and ".join(words)


def _count(keys: Sequence[str]) -> str:
    return f"Service {keys[0]}" if len(keys) == 1 else f"{len(keys)} Services ({keys[0]} among them)"
