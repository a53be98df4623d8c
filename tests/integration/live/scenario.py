# SPDX-License-Identifier: Apache-2.0
"""The pods, what they send each other, and what of it is always allowed, never allowed, or as the policies of the moment say."""
from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from live.live_site import NAMESPACE, LiveSite, Object, Site, pod
from live.load import RATE, Load
from live.path import ICMP, SYN, TCP, UDP, Path

from sluice.audit.reachability import Reachability
from sluice.audit.verdict import ALLOW
from sluice.intent.state import ClusterState

NODES = (1, 2)
"""The planner places ``…-1`` on node1 and ``…-2`` on node2."""
DATA, STREAM, CHANGING, WALLED, SERVICE_PORT = 5000, 5001, 5005, 5007, 6000
PORTS = {UDP: (DATA, CHANGING, WALLED), TCP: (STREAM,)}
SERVICE, SERVICE_ADDRESS = "svc:live/back", "10.96.0.10"


def pairs(source: str, destination: str) -> list[tuple[str, str]]:
    """From each pod of one app to each of another: on one node, and across."""
    return [(f"{NAMESPACE}/{source}-{one}", f"{NAMESPACE}/{destination}-{other}") for one in NODES for other in NODES]


FREE = [Path(source, destination, protocol, DATA if protocol == UDP else 0)
        for source, destination in (("live/free-1", "live/free-2"), ("live/free-2", "live/free-1")) for protocol in (UDP, ICMP)]
"""Between pods that no policy is about: what these lose is lost to the machine."""
ALLOWED = [
    *(Path(*pair, UDP, DATA) for pair in pairs("front", "back") + pairs("back", "db")),
    *(Path(*pair, ICMP) for pair in pairs("front", "back") + pairs("back", "db")),
    *(Path(*pair, TCP, STREAM) for pair in pairs("front", "back")), *(Path(f"live/front-{one}", SERVICE, UDP, SERVICE_PORT) for one in NODES)]
FORBIDDEN = [
    *(Path(*pair, UDP, DATA) for pair in pairs("front", "db") + pairs("db", "front")),
    *(Path(*pair, ICMP) for pair in pairs("front", "db") + pairs("db", "front")),
    *(Path(*pair, SYN, STREAM) for pair in pairs("front", "db")),
    # On one node, so that a change may move the refusal from the one's egress to the other's ingress.
    *(Path(f"live/back-{one}", f"live/db-{one}", UDP, WALLED) for one in NODES)]
FLEETING = [Path(*pair, UDP, CHANGING) for pair in pairs("front", "back") + pairs("back", "front") + pairs("db", "back")]
"""What the changes are about."""
PATHS = [*FREE, *ALLOWED, *FORBIDDEN, *FLEETING]


def app(name: str, **labels: str) -> Object:
    return {"podSelector": {"matchLabels": {"app": name, **labels}}}


def network_policy(name: str, subject: str, **spec: Any) -> Object:
    types = [kind for kind, key in (("Ingress", "ingress"), ("Egress", "egress")) if key in spec]
    return {"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": {"namespace": NAMESPACE, "name": name},
            "spec": {"podSelector": {"matchLabels": {"app": subject}}, "policyTypes": types, **spec}}


def cluster_policy(name: str, tier: str, priority: float, subject: Object, **rules: Any) -> Object:
    """A ClusterNetworkPolicy of Antrea."""
    return {"apiVersion": "crd.antrea.io/v1beta1", "kind": "ClusterNetworkPolicy", "metadata": {"name": name},
            "spec": {"tier": tier, "priority": priority, "appliedTo": [subject], **rules}}


def port(protocol: str, number: int) -> Object:
    return {"protocol": protocol, "port": number}


def _data(source: str) -> Object:
    return {"from": [app(source)], "ports": [port("UDP", DATA), port("TCP", STREAM)]}


FIXED = (
    network_policy("back", "back", ingress=[]),
    network_policy("db", "db", ingress=[_data("back"), {"from": [app("back")], "ports": [port("UDP", WALLED)]}], egress=[]),
    cluster_policy("pings", "application", 50, app("back"), ingress=[{"action": "Allow", "from": [app("front")], "protocols": [{"icmp": {"icmpType": 8}}]}]),
    cluster_policy("db-pings", "application", 50, app("db"), ingress=[{"action": "Allow", "from": [app("back")], "protocols": [{"icmp": {"icmpType": 8}}]}]))
"""Policies that stay. The gate and the wall (`gate`, `wall`) are what else there has to be, in any of their forms."""


def gate(form: str) -> list[Object]:
    """What lets front come to back, and makes no difference otherwise: ``network``, ``cluster`` or ``both``."""
    network = network_policy("gate", "back", ingress=[_data("front")])
    cluster = cluster_policy("gate", "emergency", 10, app("back"), ingress=[{"action": "Allow", **_data("front")}])
    return {"network": [network], "cluster": [cluster], "both": [network, cluster]}[form]


def wall(form: str) -> list[Object]:
    """What keeps back from a port of db on its own node: a drop or a refusal at either end, ``egress``, ``ingress`` or ``reject``."""
    def rule(action: str, key: str, other: str, side: int) -> Object:
        return {"action": action, key: [app(other, side=str(side))], "ports": [port("UDP", WALLED)]}

    if form == "egress":
        return [cluster_policy(f"wall-{side}", "emergency", 5, app("back", side=str(side)), egress=[rule("Drop", "to", "db", side)]) for side in NODES]
    action = "Reject" if form == "reject" else "Drop"
    return [cluster_policy(f"wall-{side}", "platform", 5, app("db", side=str(side)), ingress=[rule(action, "from", "back", side)]) for side in NODES]


def site(policies: list[Object], back_ready: bool = True) -> Site:
    """The site with these policies beside the fixed ones; one of the two endpoints of the Service is there always."""
    pods = tuple(pod(f"{name}-{side}", ready=back_ready or (name, side) != ("back", 2), app=name, side=str(side))
                 for name in ("back", "db", "free", "front") for side in NODES)
    service = {"apiVersion": "v1", "kind": "Service", "metadata": {"namespace": NAMESPACE, "name": "back"},
               "spec": {"selector": {"app": "back"}, "clusterIP": SERVICE_ADDRESS, "ports": [{"port": SERVICE_PORT, "targetPort": DATA, "protocol": "UDP"}]}}
    return Site(pods, (service,), (*FIXED, *policies))


def start_load(live: LiveSite, paths: Sequence[Path] = PATHS, rate: float = RATE) -> Load:
    """What is sent, from now on."""
    places = {key: live.place(key) for key in live.program.state.pods}
    return Load(places, paths, {**{key: place.address for key, place in places.items()}, SERVICE: SERVICE_ADDRESS}, PORTS, rate)


class Verdicts:
    """What a state says of the paths, by the engine that shares nothing with the compiler of flows."""

    def __init__(self, state: ClusterState) -> None:
        engine = Reachability(state)
        self.egress: dict[Path, bool] = {}
        self.ingress: dict[Path, bool] = {}
        for path in PATHS:
            protocol = "TCP" if path.protocol == SYN else path.protocol
            verdict = engine.verdict(path.source, path.destination, path.port or None, protocol)
            # Of a Service: whether all of its endpoints are allowed.
            self.egress[path], self.ingress[path] = verdict.egress.action == ALLOW, verdict.ingress.action == ALLOW

    def allowed(self, path: Path) -> bool:
        return self.egress[path] and self.ingress[path]

    def keep_the_rules(self) -> bool:
        """Whether what is always allowed is, and what never is is not."""
        return all(self.allowed(path) for path in FREE + ALLOWED) and not any(self.allowed(path) for path in FORBIDDEN)
