# SPDX-License-Identifier: Apache-2.0
"""The flows of pods that no inventory knows; those of planned pods are on the bridge before the pod is."""
from __future__ import annotations

import os

from ...connectivity.endpoints import Endpoint, endpoint_flows
from ...ovs.flow import render_flow
from ...pipeline.cookie import OWNER_DYNAMIC
from .attachment import Attachment
from .request import SWITCH_FAILURE, CniError, Config


def with_flows(attachment: Attachment) -> Attachment:
    """The attachment with the flows that it needs."""
    # The container's name, where it is no pod, keeps the cookies of two such containers apart.
    endpoint = Endpoint(attachment.namespace, attachment.name or attachment.container_id, attachment.ips, attachment.mac, attachment.ofport)
    return attachment._replace(flows=tuple(render_flow(flow) for flow in endpoint_flows(endpoint, OWNER_DYNAMIC)))


def add(config: Config, attachment: Attachment) -> None:
    if attachment.flows:
        _bundle(config, "\n".join(f"add {flow}" for flow in attachment.flows))


def remove(config: Config, attachment: Attachment) -> None:
    """Remove exactly these flows: a pod's next container has others under the same cookie."""
    if attachment.flows:
        _bundle(config, "\n".join("delete_strict " + flow.partition(" actions=")[0].replace("cookie=", "", 1).partition(", ")[2] for flow in attachment.flows))


def _bundle(config: Config, text: str) -> None:
    import subprocess
    management = os.path.join(os.path.dirname(config.database.partition(":")[2]), f"{config.bridge}.mgmt")
    done = subprocess.run(["ovs-ofctl", "-O", "OpenFlow15", "--bundle", "--names", "add-flows", f"unix:{management}", "-"], input=text, text=True, capture_output=True, check=False)
    if done.returncode:
        raise CniError(SWITCH_FAILURE, f"{config.bridge} did not take the pod's flows: {done.stderr.strip()}")
