# SPDX-License-Identifier: Apache-2.0
"""The CNI plugin (CNI spec 1.1.0: ADD, DEL, CHECK, VERSION): attaches a container to the bridge, and takes it off again."""
from __future__ import annotations

import json
import os
from contextlib import suppress
from typing import Any, Mapping, TextIO

from ...errors import SluiceError
from . import attachment as attachments
from . import bypass, flows, links, ports, vf
from .attachment import Attachment
from .ipam import dynamic, find_planned, planned, read_pods
from .request import (
    CHECK_FAILED,
    INCOMPATIBLE_VERSION,
    INVALID_CONFIG,
    INVALID_ENVIRONMENT,
    IO_FAILURE,
    SWITCH_FAILURE,
    VERSIONS,
    CniError,
    Config,
    Request,
    parse_config,
    parse_document,
    parse_request,
    parse_version,
)
from .result import failure, link_addresses, success, versions


def main(environment: Mapping[str, str], stdin: TextIO, stdout: TextIO) -> int:
    """One call of the plugin; its answer is written to ``stdout``, the exit status is returned."""
    version = VERSIONS[-1]
    try:
        document = parse_document(stdin.read())
        if environment["CNI_COMMAND"] == "VERSION":
            answer: dict[str, Any] | None = versions(str(document.get("cniVersion", version)))
        else:
            version = parse_version(document)
            answer = _perform(parse_config(document), parse_request(environment))
    except SluiceError as error:
        cause = error if isinstance(error, CniError) else CniError(SWITCH_FAILURE, str(error))
        json.dump(failure(version, cause), stdout)
        return 1
    if answer is not None:
        json.dump(answer, stdout)
    return 0


def _perform(config: Config, request: Request) -> dict[str, Any] | None:
    try:
        if request.command == "ADD":
            return _add(config, request)
        if request.command == "CHECK":
            _check(config, request)
        else:
            _delete(config, request)
    except OSError as error:
        raise CniError(IO_FAILURE, f"{request.command} of {request.container_id} failed: {error}") from None
    return None


def _add(config: Config, request: Request) -> dict[str, Any]:
    pod = find_planned(read_pods(config.pods), request)
    with _netns(request) as netns:
        # The lock is held until the veth pair is there: an attachment without one counts as dead, and its addresses as free.
        with attachments.locked(config.state_dir):
            if pod:
                attachment = planned(pod, request)
            else:
                others = _reclaim(config, request)
                attachment = flows.with_flows(dynamic(request, config.node_cidrs, [ip for other in others for ip in other.ips]))
            _take_over(config, attachment)
            attachment = _with_vf(config, attachment, pod)
            attachments.save(config.state_dir, attachment)
            link = _link(config, attachment)
            try:
                if attachment.device:
                    vf.give(attachment, link, netns)
                else:
                    links.create(link, netns)
                if config.datapath == "netdev":
                    bypass.close(attachment.interface)
            except (SluiceError, OSError) as error:
                _delete_link(attachment.interface, attachment)
                attachments.forget(config.state_dir, request.container_id, request.ifname)
                raise CniError(IO_FAILURE, f"{request.ifname} cannot be made in {request.netns}: {error}") from None
        try:
            host_mac = links.configure(link, netns)
            ports.add(config, attachment)
            flows.add(config, attachment)
        except (SluiceError, OSError):
            # What cannot be undone either is still in the file, and reclaimed by a later ADD or DEL.
            with suppress(SluiceError, OSError):
                _remove(config, [attachment.interface], attachment)
                _close_down(config)
            raise
    return success(config.version, link, host_mac, request.netns, attachment.device)


def _with_vf(config: Config, attachment: Attachment, pod: Mapping[str, Any] | None) -> Attachment:
    """The attachment with the VF that the runtime names, or else the inventory; as it is if neither does."""
    wanted = pod.get("vf") if pod else None
    if not config.device and not wanted:
        return attachment
    ports.require_offload(config)
    address = config.device or vf.address_of(wanted["interface"], wanted["number"]) if wanted else config.device
    return vf.remembering(attachment, vf.find(address))


def _reclaim(config: Config, request: Request) -> list[Attachment]:
    """Clear away what containers left that died without a DEL, as all do when the node restarts. Gives the live attachments."""
    live = []
    for known in attachments.load_all(config.state_dir):
        if (known.container_id, known.ifname) == (request.container_id, request.ifname) or not attachments.is_live(known):
            _remove(config, [known.interface], known)
        else:
            live.append(known)
    return live


def _take_over(config: Config, attachment: Attachment) -> None:
    """A pod's new container may come before the DEL of its old one: the pod's interface and port go to the new one."""
    ports.remove(config, [attachment.interface], wait=True)
    for known in attachments.load_all(config.state_dir):
        if known.interface == attachment.interface:
            if known.device:
                vf.take_back(known)
            attachments.forget(config.state_dir, known.container_id, known.ifname)
    links.delete(attachment.interface)


def _delete(config: Config, request: Request) -> None:
    attachment = attachments.load(config.state_dir, request.container_id, request.ifname)
    # Asked of the switch and not of the file, which a disk may have lost; and the port may have gone to the pod's next container.
    interfaces = ports.of_container(config, request.container_id, request.ifname)
    if attachment and (attachment.dynamic or attachment.device):
        interfaces = sorted({*interfaces, attachment.interface})
    _remove(config, interfaces, attachment)
    _close_down(config)


def _close_down(config: Config) -> None:
    """The last attachment takes along what all of them share."""
    if config.datapath == "netdev":
        with attachments.locked(config.state_dir):
            if not attachments.load_all(config.state_dir):
                bypass.forget_all()


def _remove(config: Config, interfaces: list[str], attachment: Attachment | None) -> None:
    """Take away ports, flows, links, and last the file, so that what fails in between can be tried again."""
    try:
        ports.remove(config, interfaces)
        if attachment:
            flows.remove(config, attachment)
    finally:
        for interface in interfaces:
            _delete_link(interface, attachment)
            if config.datapath == "netdev":
                bypass.forget(interface)
    if attachment:
        attachments.forget(config.state_dir, attachment.container_id, attachment.ifname)


def _delete_link(interface: str, attachment: Attachment | None) -> None:
    """The pod's veth pair goes, its VF goes back to the host."""
    if attachment and attachment.device and interface == attachment.interface:
        vf.take_back(attachment)
    else:
        links.delete(interface)


def _check(config: Config, request: Request) -> None:
    if config.version == "0.3.1":
        raise CniError(INCOMPATIBLE_VERSION, "CHECK came with cniVersion 0.4.0, this network configuration is of 0.3.1")
    if not config.previous:
        raise CniError(INVALID_CONFIG, "CHECK needs the result of the ADD as 'prevResult'")
    attachment = attachments.load(config.state_dir, request.container_id, request.ifname)
    if not attachment:
        raise CniError(CHECK_FAILED, f"{request.container_id} has no attachment {request.ifname}")
    link = _link(config, attachment)
    with _netns(request) as netns:
        wrong = links.differences(link, netns)
    wrong += ports.differences(config, attachment)
    given = sorted(ip.get("address", "") for ip in config.previous.get("ips", []))
    if given != sorted(link.addresses):
        wrong.append(f"the runtime has the addresses {', '.join(given)}, the attachment {', '.join(sorted(link.addresses))}")
    if wrong:
        raise CniError(CHECK_FAILED, f"{request.container_id} is not attached as it was: {'; '.join(wrong)}")


def _netns(request: Request) -> links.Netns:
    try:
        netns = links.Netns(request.netns)
    except OSError as error:
        raise CniError(INVALID_ENVIRONMENT, f"CNI_NETNS {request.netns} cannot be opened: {error.strerror}") from None
    if netns.is_own:
        os.close(netns.descriptor)
        raise CniError(INVALID_ENVIRONMENT, f"CNI_NETNS {request.netns} is the host's own network namespace")
    return netns


def _link(config: Config, attachment: Attachment) -> links.PodLink:
    return links.PodLink(
        interface=attachment.interface, ifname=attachment.ifname, mac=attachment.mac, mtu=config.mtu,
        addresses=link_addresses(attachment, config.node_cidrs), gateways=config.gateways, tx_checksum=config.datapath != "netdev")
