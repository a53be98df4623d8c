# SPDX-License-Identifier: Apache-2.0
"""Which addresses, MAC and port number an attachment gets: the inventory's, or the lowest free place in the node's dynamic range."""
from __future__ import annotations

import hashlib
import json
from typing import Any, Iterable, Mapping, Sequence

from ...plan.addresses import OFPORT_FIRST_DYNAMIC, address_slot, planned_slots, slot_address, slots
from .attachment import Attachment
from .request import INVALID_CONFIG, NO_ADDRESS_LEFT, CniError, Request


def read_pods(path: str) -> list[Mapping[str, Any]]:
    """The planned pods of the node; none if the file is absent. Raises CniError."""
    try:
        with open(path, encoding="utf-8") as file:
            return list(json.load(file)["pods"])
    except FileNotFoundError:
        return []
    except (ValueError, TypeError, KeyError, OSError) as error:
        raise CniError(INVALID_CONFIG, f"{path} cannot be read as the planned pods; run the site playbook again", str(error)) from None


def find_planned(pods: Iterable[Mapping[str, Any]], request: Request) -> Mapping[str, Any] | None:
    """The planned pod whose container this is, by the Kubernetes names where the runtime gives them, else by the container's."""
    for pod in pods:
        if request.name:
            if (pod["namespace"], pod["name"]) == (request.namespace, request.name):
                return pod
        elif pod["container_id"] == request.container_id:
            return pod
    return None


def planned(pod: Mapping[str, Any], request: Request) -> Attachment:
    return Attachment(
        container_id=request.container_id, ifname=request.ifname, netns=request.netns, namespace=pod["namespace"], name=pod["name"],
        interface=pod["interface"], mac=pod["mac"], ips=tuple(pod["ips"]), ofport=pod["ofport"], dynamic=False)


def dynamic(request: Request, node_cidrs: Sequence[str], taken: Iterable[str]) -> Attachment:
    """The lowest place of the dynamic range at which no family's address is ``taken``. Raises CniError if there is none left.

    It is the same place in every family, and the port number follows from it, so that there is one number to find.
    """
    first, end = dynamic_range(node_cidrs)
    used = {address_slot(cidr, address) for address in taken for cidr in node_cidrs if (":" in cidr) == (":" in address)}
    slot = next((slot for slot in range(first, end) if slot not in used), None)
    if slot is None:
        raise CniError(NO_ADDRESS_LEFT, f"all {end - first} addresses of {', '.join(node_cidrs)} that are not reserved for planned pods "
                                        "are in use; remove pods from this node, or give it a larger range")
    digest = hashlib.sha256(f"{request.container_id}/{request.ifname}".encode()).hexdigest()
    return Attachment(
        container_id=request.container_id, ifname=request.ifname, netns=request.netns, namespace=request.namespace, name=request.name,
        interface=f"spd{digest[:12]}", mac="0e:" + ":".join(digest[place:place + 2] for place in range(0, 10, 2)),
        ips=tuple(slot_address(cidr, slot) for cidr in node_cidrs), ofport=OFPORT_FIRST_DYNAMIC + slot - first, dynamic=True)


def dynamic_range(node_cidrs: Sequence[str]) -> tuple[int, int]:
    """The plugin's first slot and the one after its last: the last quarter of the smallest CIDR, which is the one that runs out."""
    smallest = min(node_cidrs, key=slots)
    return planned_slots(smallest), slots(smallest)
