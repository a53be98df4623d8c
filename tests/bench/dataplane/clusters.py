# SPDX-License-Identifier: Apache-2.0
"""The ClusterStates that are measured. On each node pod 0 is a client and pod 1 a server."""
from __future__ import annotations

from dataclasses import replace

from sluice.intent.kinds import NetworkPolicy, NetworkPolicyPeer, NetworkPolicyPort, NetworkPolicyRule, Service
from sluice.intent.kinds.network_policy import IPBlock
from sluice.intent.kinds.selector import LabelSelector
from sluice.intent.kinds.service import ServicePort
from sluice.intent.state import ClusterState, Pod
from states import cluster_state

CLIENT = "default/pod-1-0"
SERVER = "default/pod-1-1"
REMOTE_SERVER = "default/pod-2-1"
SERVER_PORT = 8080
SERVICE_PORT = 80
ENDPOINT_PORT = 8081
"""Not SERVER_PORT: a client's port that a Service's connection had may be taken anew for a direct one, and to the server both are the same."""
CLUSTER_IP = "10.96.0.10"


def pods_only(nodes: int, datapath: str, traffic_mode: str = "encap", tunnel_type: str = "geneve", encryption: str = "none") -> ClusterState:
    """A cluster without policies or Services."""
    return cluster_state(nodes, 2, datapath=datapath, encryption=[encryption] * nodes if encryption != "none" else (),
                         traffic_mode=traffic_mode, tunnel_type=tunnel_type)


def with_service(state: ClusterState, server: str) -> ClusterState:
    """With a Service whose one endpoint is the pod ``server``."""
    ports = tuple(ServicePort(SERVICE_PORT, protocol, protocol.lower(), ENDPOINT_PORT) for protocol in ("TCP", "UDP"))
    service = Service("default", "web", cluster_ips=(CLUSTER_IP,), selector=(("app", "web"),), ports=ports)
    pods: dict[str, Pod] = {**state.pods, server: replace(state.pods[server], labels={"app": "web"})}
    return replace(state, cluster=replace(state.cluster, service_cidrs=("10.96.0.0/16",)), pods=pods, services={service.key: service})


def with_policies(state: ClusterState, count: int, server: str, client: str) -> ClusterState:
    """With so many policies that select the pod ``server``; the last of them lets ``client`` in, each other one addresses and a port that nobody has."""
    pods = {**state.pods, server: replace(state.pods[server], labels={"app": "web"}), client: replace(state.pods[client], labels={"app": "client"})}
    policies = {}
    for number in range(count):
        if number == count - 1:
            peer, port = NetworkPolicyPeer(LabelSelector((("app", "client"),))), None
        else:
            peer, port = NetworkPolicyPeer(ip_block=IPBlock(f"172.{20 + (number >> 8)}.{number & 255}.0/24")), 9000 + number
        rules = tuple(NetworkPolicyPort(protocol, port) for protocol in ("TCP", "UDP"))
        policy = NetworkPolicy("default", f"policy-{number:04}", pod_selector=LabelSelector((("app", "web"),)), ingress=(NetworkPolicyRule((peer,), rules),))
        policies[policy.key] = policy
    return replace(state, pods=pods, network_policies=policies)
