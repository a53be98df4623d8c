# SPDX-License-Identifier: Apache-2.0
"""How new connections to a Service's port are spread over endpoints: the group, the flows of session affinity, and what to do with none."""
from __future__ import annotations

from typing import NamedTuple, Sequence

from ..ovs.flow import Flow
from ..pipeline.build import Family, flow, goto
from ..pipeline.cookie import OWNER_LEARNED, cookie
from ..pipeline.notify import METER_SERVICES, REJECT, notify
from ..pipeline.stable_id import stable_id, stable_ids
from ..pipeline.tables import AFFINITY, AFFINITY_ENDPOINT, AFFINITY_GROUP, ENDPOINT, POLICY_EXEMPT, SERVICE_MARK, ZONE
from ..plan.addresses import with_port
from .endpoints import Endpoint
from .groups import Bucket, select_group

AFFINITY_SECONDS_MAX = 0xFFFF
"""A flow's timeout has 16 bits: longer affinity ends after 18 hours, too."""
AFFINE_CLIENTS_MAX = 4096
"""Clients that the switch remembers for one endpoint, so that clients who invent addresses cannot fill it."""

_LEARNED_CLIENT = {4: "eth_type=0x800,NXM_OF_IP_SRC[]", 6: "eth_type=0x86dd,NXM_NX_IPV6_SRC[]"}
_HASHED_CLIENT = {4: "ip_src", 6: "ipv6_src"}


class Balance(NamedTuple):
    """Endpoints between which the new connections to some of the addresses of one port of a Service are spread."""

    name: str
    """Of the group."""
    owner: str
    """Name of the Service's flows."""
    service: str
    """``namespace/name``"""
    ip: Family
    endpoints: tuple[Endpoint, ...]
    affinity_seconds: int
    """0: each connection by itself."""
    group_id: int
    part_ids: Sequence[int]
    refused: bool
    """Whether the client is told that there is no endpoint. It is not where there are some, but only on other nodes."""
    is_local: bool = False
    """Whether they are those of one node."""

    def actions(self) -> list[str]:
        """What is done with the first packet of a connection.

        None for a traffic policy Local without an endpoint on this node: Kubernetes drops those packets ("Virtual IPs and Service
        Proxies", Traffic policies).
        """
        if not self.endpoints:
            return [notify(REJECT, METER_SERVICES)] if self.refused else []
        if not self.affinity_seconds:
            return [f"group:{self.group_id}"]
        return [f"set_field:{self.group_id:#x}->{AFFINITY_GROUP}", f"resubmit(,{AFFINITY})", goto(ENDPOINT)]

    def groups(self) -> list[str]:
        """The group and the parts it consists of, as lines for ovs-ofctl; none without endpoints."""
        if not self.endpoints:
            return []
        if self.affinity_seconds:
            buckets = [Bucket(number, f"set_field:{number:#x}->{AFFINITY_ENDPOINT},resubmit(,{ENDPOINT})") for number, _endpoint in self._numbered()]
        else:
            mark = stable_id(self.service)
            buckets = [Bucket(number, _translate(endpoint, mark)) for number, endpoint in self._numbered()]
        return select_group(self.group_id, buckets, self.part_ids, _HASHED_CLIENT[self.ip.version], bool(self.affinity_seconds))

    def affinity_flows(self) -> list[Flow]:
        """With session affinity: each endpoint's flow, which remembers the client anew with each of its connections, as kube-proxy does.

        A learned flow goes with its endpoint's. It holds for all addresses of the port, and only for the group that chose, so that an
        endpoint is never chosen where a traffic policy has another group.
        """
        if not self.affinity_seconds or not self.endpoints:
            return []
        chosen_by = f"{AFFINITY_GROUP}={self.group_id:#x}"
        flows = [flow(ENDPOINT, 100, [self.ip.ip, chosen_by], [f"group:{self.group_id}"], self.owner)]
        mark = stable_id(self.service)
        for number, endpoint in self._numbered():
            flows.append(flow(ENDPOINT, 200, [self.ip.ip, chosen_by, f"{AFFINITY_ENDPOINT}={number:#x}"],
                              [self._learn(endpoint), _translate(endpoint, mark)], self.owner))
        return flows

    def _numbered(self) -> list[tuple[int, Endpoint]]:
        named = {f"{endpoint.ip} {endpoint.port}": endpoint for endpoint in self.endpoints}
        return sorted((number, named[name]) for name, number in stable_ids(named).items())

    def _learn(self, endpoint: Endpoint) -> str:
        seconds = min(self.affinity_seconds, AFFINITY_SECONDS_MAX)
        owner = cookie(OWNER_LEARNED, f"{self.name} {endpoint.ip} {endpoint.port}")
        return (f"learn(table={AFFINITY},hard_timeout={seconds},priority=200,delete_learned,cookie={owner:#x},limit={AFFINE_CLIENTS_MAX},"
                f"{_LEARNED_CLIENT[self.ip.version]},NXM_NX_REG5[],load:NXM_NX_REG4[]->NXM_NX_REG4[])")


def _translate(endpoint: Endpoint, mark: int) -> str:
    place = with_port(endpoint.ip, endpoint.port)
    return f"ct(commit,table={POLICY_EXEMPT},zone={ZONE:#x},nat(dst={place}),exec(set_field:{mark:#x}->{SERVICE_MARK}))"
