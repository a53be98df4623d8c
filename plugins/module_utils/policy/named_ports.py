# SPDX-License-Identifier: Apache-2.0
"""Names of container ports to numbers, which may differ from pod to pod: a rule with names is split by what they mean."""
from __future__ import annotations

from typing import Optional, Sequence

from ..intent.state import Pod
from .address_set import AddressSet
from .rules import INGRESS, Part
from .selection import Selection
from .traffic import Ports, Traffic


def split_by_named_ports(part: Part, direction: str, selection: Selection) -> list[Part]:
    """The part as parts without port names. The names are those of the destination: a subject's (ingress) or a peer's (egress).

    Addresses that are no pod's have no port names. A name in an egress rule without peers means each pod's own (as in Antrea).
    """
    named = [one for one in part.traffic or () if isinstance(one, Ports) and isinstance(one.port, str)]
    if part.traffic is None or not named:
        return [part]
    destinations = part.subjects if direction == INGRESS else part.peers
    pods = (selection.all_pods() if destinations is None else destinations).pods
    by_port: dict[Ports, dict[str, Pod]] = {}
    for one in named:
        for pod in pods:
            found = _resolve(one, pod)
            if found:
                by_port.setdefault(found, {})[pod.key] = pod
    # Ports that the same pods have stay together; those of all destinations stay with the ports that have numbers.
    together: dict[tuple[str, ...], list[Ports]] = {}
    numbers: list[Traffic] = [one for one in part.traffic if one not in named]
    whole = destinations is not None and not destinations.blocks
    for resolved, having in by_port.items():
        if whole and len(having) == len(pods):
            numbers.append(resolved)
        else:
            together.setdefault(tuple(having), []).append(resolved)
    parts = [part._replace(traffic=tuple(dict.fromkeys(numbers)))] if numbers else []
    for keys, traffic in together.items():
        some = selection.subset(selection.state.pods[key] for key in keys)
        parts.append(_part(part, direction, some, traffic))
    return parts


def _resolve(named: Ports, pod: Pod) -> Optional[Ports]:
    """The first container port with the name and protocol, as Kubernetes finds it; an empty protocol is the container port's own."""
    for port in pod.ports:
        if port.name == named.port and named.protocol in ("", port.protocol):
            return named._replace(protocol=port.protocol, port=port.port)
    return None


def _part(part: Part, direction: str, some: AddressSet, traffic: Sequence[Ports]) -> Part:
    # All of each, as two port names may stand for one number in different pods.
    name = " ".join([part.name, *("/".join(str(word) for word in one if word is not None) for one in traffic)])
    if direction == INGRESS:
        return part._replace(name=name, subjects=some, traffic=tuple(traffic))
    return part._replace(name=name, peers=some, traffic=tuple(traffic))
