# SPDX-License-Identifier: Apache-2.0
"""The flows of pods that no inventory knows; those of planned pods are on the bridge before the pod is.

What they need is imported where it is used: a planned pod must not wait for OpenFlow to be loaded.
"""
from __future__ import annotations

import os
import socket

from .attachment import Attachment
from .request import Config


def with_flows(attachment: Attachment) -> Attachment:
    """The attachment with the flows that it needs."""
    from ...connectivity.endpoints import Endpoint, endpoint_flows
    from ...ovs.flow import render_flow
    from ...pipeline.cookie import OWNER_DYNAMIC

    # The container's name, where it is no pod, keeps the cookies of two such containers apart.
    endpoint = Endpoint(attachment.namespace, attachment.name or attachment.container_id, attachment.ips, attachment.mac, attachment.ofport)
    return attachment._replace(flows=tuple(render_flow(flow) for flow in endpoint_flows(endpoint, OWNER_DYNAMIC)))


def add(config: Config, attachment: Attachment) -> None:
    """Put the attachment's flows on the bridge, all or none. Raises SluiceError."""
    if attachment.flows:
        _apply(_management(config), attachment, "merged")


def remove(config: Config, attachment: Attachment) -> None:
    """Remove exactly these flows, whose matches are no other attachment's. Raises SluiceError."""
    if attachment.flows and _is_listening(_management(config)):
        _apply(_management(config), attachment, "deleted")


def _apply(management: str, attachment: Attachment, state: str) -> None:
    from ...ovs.encode import encode_program
    from ...ovs.flow_apply import apply_program
    from ...ovs.program import Owner
    from ...pipeline.cookie import OWNER_DYNAMIC, OWNER_MASK
    from ...pipeline.tables import FLOW_TABLES

    owner = Owner(OWNER_DYNAMIC << 48, OWNER_MASK)
    apply_program(f"unix:{management}", encode_program(attachment.flows, None, None, FLOW_TABLES, owner), FLOW_TABLES, owner, state)


def _management(config: Config) -> str:
    """The bridge's management socket, which is beside the database's."""
    return os.path.join(os.path.dirname(config.database.partition(":")[2]), f"{config.bridge}.mgmt")


def _is_listening(path: str) -> bool:
    """Whether there is a switch: flows end with ovs-vswitchd, and with their bridge."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        try:
            probe.connect(path)
        except (FileNotFoundError, ConnectionRefusedError):
            return False
        return True
