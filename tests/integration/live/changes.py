# SPDX-License-Identifier: Apache-2.0
"""Random changes of a site's policies and endpoints, of all kinds, under which some paths have to stay as they are."""
from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from random import Random
from typing import Any

from live.live_site import NAMESPACE, Object, Program, Site, compile_site
from live.path import Path
from live.scenario import CHANGING, DATA, PATHS, STREAM, Verdicts, app, cluster_policy, gate, network_policy, site, wall

from sluice.errors import InputError

APPS = ("front", "back", "db")
KINDS = {"policy": 10, "gate": 2, "wall": 2, "endpoint": 2}
"""What a change may be about, and how often it is."""
GATES, WALLS = ("network", "cluster", "both"), ("egress", "ingress", "reject")
NETWORK_POLICIES, CLUSTER_POLICIES, ADMIN_POLICIES = (
    tuple(f"{kind}-{number}" for number in range(count)) for kind, count in (("np", 4), ("acnp", 4), ("anp", 2)))


@dataclass
class Objects:
    """What the next change is made of."""

    policies: dict[str, Object] = field(default_factory=dict)
    """The random ones, by name."""
    gate: str = "network"
    wall: str = "ingress"
    back_ready: bool = True

    def site(self) -> Site:
        return site([*gate(self.gate), *wall(self.wall), *self.policies.values()], self.back_ready)


@dataclass(frozen=True)
class Change:
    """A change that may be made: what it does, in words, and what comes of it."""

    what: str
    objects: Objects
    program: Program
    verdicts: Verdicts


class Changes:
    """One random change after the other. Those under which a path would not stay as it has to are drawn again."""

    def __init__(self, seed: int, kinds: Sequence[str] = tuple(KINDS)) -> None:
        self._random = Random(seed)
        self._kinds = kinds
        self.drawn_again = 0
        """Changes that were drawn again."""
        objects = Objects()
        program = compile_site(objects.site())
        self.last = Change("begin", objects, program, Verdicts(program.state))
        assert self.last.verdicts.keep_the_rules()

    def next(self) -> Change:
        while True:
            objects = deepcopy(self.last.objects)
            words = [self._alter(objects) for _number in range(self._random.choice((1, 1, 1, 2, 3)))]
            if objects != self.last.objects:
                change = self._take(", ".join(words), objects)
                if change:
                    self.last = change
                    return change
            self.drawn_again += 1

    def _take(self, what: str, objects: Objects) -> Change | None:
        try:
            program = compile_site(objects.site(), self.last.program)
        except InputError as error:
            raise AssertionError(f"{what} is no valid input: {error}") from error
        verdicts = Verdicts(program.state)
        good = verdicts.keep_the_rules() and not _opens_midway(self.last.verdicts, verdicts, PATHS)
        return Change(what, objects, program, verdicts) if good else None

    def _alter(self, objects: Objects) -> str:
        """One step; what it was."""
        kind = self._random.choices(self._kinds, [KINDS[kind] for kind in self._kinds])[0]
        if kind == "gate":
            objects.gate = self._random.choice(GATES)
            return f"gate {objects.gate}"
        if kind == "wall":
            objects.wall = self._random.choice(WALLS)
            return f"wall {objects.wall}"
        if kind == "endpoint":
            objects.back_ready = not objects.back_ready
            return f"endpoint {'comes' if objects.back_ready else 'goes'}"
        name = self._random.choice((*NETWORK_POLICIES, *CLUSTER_POLICIES, *ADMIN_POLICIES))
        if name not in objects.policies:
            objects.policies[name] = self._policy(name)
            return f"add {name}"
        if self._random.random() < 0.4:
            del objects.policies[name]
            return f"remove {name}"
        return self._edit(name, objects.policies[name])

    def _policy(self, name: str) -> Object:
        draw, subject = self._random, self._random.choice(APPS)
        directions = draw.choice((("ingress",), ("egress",), ("ingress", "egress")))
        if name in NETWORK_POLICIES:
            return network_policy(name, subject, **{way: [self._rule(way) for _number in range(draw.randint(0, 2))] for way in directions})
        if name in CLUSTER_POLICIES:
            rules = {way: [{"action": self._action(), **self._rule(way)} for _number in range(draw.randint(1, 3))] for way in directions}
            return cluster_policy(name, draw.choice(("emergency", "securityops", "application")), self._priority(name), app(subject), **rules)
        spec = {way: [self._admin_rule(way) for _number in range(draw.randint(1, 2))] for way in directions}
        return {"apiVersion": "policy.networking.k8s.io/v1alpha1", "kind": "AdminNetworkPolicy", "metadata": {"name": name},
                "spec": {"priority": 10 + ADMIN_POLICIES.index(name) * 100 + draw.randrange(50), "subject": {"pods": _admin_pods(subject)}, **spec}}

    def _edit(self, name: str, policy: Object) -> str:
        spec, draw = policy["spec"], self._random
        ways = [way for way in ("ingress", "egress") if spec.get(way)]
        what = draw.choice(("rule", "rule", "priority", "order")) if ways else "rule"
        if what == "priority" and "tier" in spec:
            spec["priority"] = self._priority(name)
        elif what == "priority" and "priority" in spec:
            spec["priority"] += 1 if spec["priority"] % 100 < 90 else -50
        elif what == "order" and ways:
            draw.shuffle(spec[draw.choice(ways)])
        elif ways:
            way = draw.choice(ways)
            spec[way][draw.randrange(len(spec[way]))] = self._other_rule(name, way)
        else:
            policy.update(self._policy(name))
        return f"edit {name} ({what})"

    def _other_rule(self, name: str, way: str) -> Object:
        if name in ADMIN_POLICIES:
            return self._admin_rule(way)
        return {**({"action": self._action()} if name in CLUSTER_POLICIES else {}), **self._rule(way)}

    def _action(self) -> str:
        return self._random.choice(("Allow", "Allow", "Drop", "Drop", "Reject", "Pass"))

    def _priority(self, name: str) -> float:
        """None that another policy has: the flows of policies with one tier and priority depend on each other."""
        return self._random.choice((1, 3, 20, 40, 60)) + 0.25 * CLUSTER_POLICIES.index(name)

    def _rule(self, way: str) -> Object:
        """Peers and ports as NetworkPolicies and Antrea's policies have them alike."""
        draw = self._random
        peers: list[Any] = [draw.choice((app(draw.choice(APPS)), {"podSelector": {"matchLabels": {"side": draw.choice("12")}}},
                                         {"podSelector": {"matchExpressions": [{"key": "app", "operator": "In", "values": list(draw.sample(APPS, 2))}]}},
                                         {"ipBlock": {"cidr": f"10.244.{draw.choice('12')}.0/28"}})) for _number in range(draw.randint(1, 2))]
        port = draw.choice(({"port": CHANGING}, {"port": CHANGING}, {"port": CHANGING}, {"port": CHANGING - 1, "endPort": CHANGING + 1},
                            {"port": DATA, "endPort": CHANGING}, {"port": STREAM}, {"port": 9000 + draw.randrange(50)}))
        return {"from" if way == "ingress" else "to": peers, "ports": [{"protocol": "UDP", **port}]}

    def _admin_rule(self, way: str) -> Object:
        draw = self._random
        return {"action": draw.choice(("Allow", "Deny", "Pass")), "from" if way == "ingress" else "to": [{"pods": _admin_pods(draw.choice(APPS))}],
                "ports": [{"portNumber": {"protocol": "UDP", "port": draw.choice((CHANGING, CHANGING, 9000 + draw.randrange(50)))}}]}


def _admin_pods(name: str) -> Object:
    return {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": NAMESPACE}}, "podSelector": {"matchLabels": {"app": name}}}


def _opens_midway(before: Verdicts, after: Verdicts, paths: Sequence[Path]) -> bool:
    """Whether a change moves a refusal between nodes, so that while one node has it and the other has not, nobody refuses.

    A node's change is atomic; that of several is not, and no order of the nodes is right for all pairs. Such a move takes two changes.
    """
    return any(not before.allowed(path) and not after.allowed(path) and path.source[-1] != path.destination[-1] and (
        (before.egress[path] and after.ingress[path]) or (after.egress[path] and before.ingress[path])) for path in paths)
