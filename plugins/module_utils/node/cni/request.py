# SPDX-License-Identifier: Apache-2.0
"""What a container runtime asks of the plugin (CNI spec 1.1.0, section 2), as checked values; and how it is told what went wrong."""
from __future__ import annotations

import json
import re
from typing import Any, Mapping, NamedTuple

from ...errors import SluiceError

VERSIONS = ("0.3.1", "0.4.0", "1.0.0", "1.1.0")

# CNI spec, "Error": the well-known codes; from 100 on they are the plugin's own.
INCOMPATIBLE_VERSION = 1
INVALID_ENVIRONMENT = 4
IO_FAILURE = 5
DECODING_FAILURE = 6
INVALID_CONFIG = 7
TRY_AGAIN_LATER = 11
NO_ADDRESS_LEFT = 100
SWITCH_FAILURE = 101
CHECK_FAILED = 102

_IFNAME_MAX = 15
_PCI_ADDRESS = re.compile(r"[0-9a-f]{4,8}:[0-9a-f]{2}:[0-9a-f]{2}\.[0-7]")
_SEPARATORS = str.maketrans("", "", "._-")


class CniError(SluiceError):
    """A failure with its CNI error code."""

    def __init__(self, code: int, message: str, details: str = "") -> None:
        super().__init__(message)
        self.code = code
        self.details = details


class Config(NamedTuple):
    """The plugin's entry of the network configuration list."""

    version: str
    bridge: str
    mtu: int
    datapath: str
    """system | netdev"""
    gateways: tuple[str, ...]
    node_cidrs: tuple[str, ...]
    """In the same order of families as ``gateways``."""
    database: str
    pods: str
    """File of the node's planned pods."""
    state_dir: str
    device: str
    """PCI address of the VF that the pod is to have; empty for a veth pair."""
    previous: Mapping[str, Any]
    """prevResult, empty if there is none."""


class Request(NamedTuple):
    command: str
    container_id: str
    netns: str
    """Empty on DEL if the namespace is gone."""
    ifname: str
    namespace: str
    """Of the Kubernetes pod, empty if the runtime knows of none, as ``name``."""
    name: str


_REQUIRED_ENVIRONMENT = {
    "ADD": ("CNI_CONTAINERID", "CNI_NETNS", "CNI_IFNAME"),
    "CHECK": ("CNI_CONTAINERID", "CNI_NETNS", "CNI_IFNAME"),
    "DEL": ("CNI_CONTAINERID", "CNI_IFNAME"),
}


def parse_document(text: str) -> dict[str, Any]:
    """The configuration as the runtime wrote it to standard input. Raises CniError."""
    try:
        document = json.loads(text)
    except ValueError as error:
        raise CniError(DECODING_FAILURE, "the network configuration on standard input is not JSON", str(error)) from None
    if not isinstance(document, dict):
        raise CniError(DECODING_FAILURE, "the network configuration on standard input is not a JSON object")
    return document


def parse_version(document: Mapping[str, Any]) -> str:
    """The version of the specification in which to answer. Raises CniError if this plugin does not speak it."""
    # An absent version means 0.1.0, says the spec of that time, which this plugin does not speak.
    version = document.get("cniVersion", "0.1.0")
    if version not in VERSIONS:
        raise CniError(INCOMPATIBLE_VERSION, f"cniVersion {version} is not supported; expected one of {', '.join(VERSIONS)}")
    return str(version)


def parse_config(document: Mapping[str, Any]) -> Config:
    """Raises CniError, which names everything that is missing or wrong."""
    version = parse_version(document)
    wrong = [f"'{key}' is missing" for key in ("bridge", "mtu", "gateways", "node_cidrs") if key not in document]
    for key, kind in (("bridge", str), ("mtu", int), ("database", str), ("pods", str), ("state_dir", str), ("prevResult", dict)):
        if key in document and not isinstance(document[key], kind):
            wrong.append(f"'{key}' is not of type {kind.__name__}")
    for key in ("gateways", "node_cidrs"):
        value = document.get(key, [])
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            wrong.append(f"'{key}' is not a list of strings")
    datapath = document.get("datapath", "system")
    if datapath not in ("system", "netdev"):
        wrong.append(f"'datapath' is {datapath!r}, expected system or netdev")
    device, problem = _device(document)
    wrong += [problem] if problem else []
    if device and datapath == "netdev":
        wrong.append("'deviceID' is given, but a VF's flows are only offloaded by the kernel's datapath ('datapath' system)")
    if not wrong and len(document["gateways"]) != len(document["node_cidrs"]):
        wrong.append("'gateways' has to have one address for each of 'node_cidrs'")
    if wrong:
        raise CniError(INVALID_CONFIG, "the network configuration is wrong: " + "; ".join(wrong))
    return Config(
        version=version, bridge=document["bridge"], mtu=document["mtu"], datapath=datapath,
        gateways=tuple(document["gateways"]), node_cidrs=tuple(document["node_cidrs"]),
        database=document.get("database", "unix:/var/run/openvswitch/db.sock"),
        pods=document.get("pods", "/etc/sluice/pods.json"), state_dir=document.get("state_dir", "/var/lib/sluice/pods"),
        device=device, previous=document.get("prevResult", {}))


def _device(document: Mapping[str, Any]) -> tuple[str, str]:
    """The VF that the runtime asks for, and what is wrong with it.

    Multus gives a delegate what the SR-IOV device plugin has allocated, as ``deviceID`` of its configuration and, to plugins with that
    capability, of ``runtimeConfig``.
    """
    capabilities = document.get("runtimeConfig", {})
    given = {value for value in (document.get("deviceID"), capabilities.get("deviceID") if isinstance(capabilities, dict) else None) if value}
    if not given:
        return "", ""
    device = given.pop()
    if given:
        return "", f"'deviceID' is {device!r} and {given.pop()!r} of runtimeConfig"
    if not isinstance(device, str) or not _PCI_ADDRESS.fullmatch(device):
        return "", f"'deviceID' is {device!r}, expected a PCI address such as 0000:03:00.2"
    return device, ""


def parse_request(environment: Mapping[str, str]) -> Request:
    """The parameters that the runtime passes in the environment. Raises CniError, which names everything that is missing or wrong."""
    command = environment.get("CNI_COMMAND", "")
    if command not in _REQUIRED_ENVIRONMENT:
        raise CniError(INVALID_ENVIRONMENT, f"CNI_COMMAND is {command!r}, expected ADD, DEL, CHECK or VERSION")
    wrong = [f"{name} is not set" for name in _REQUIRED_ENVIRONMENT[command] if not environment.get(name)]
    container_id, ifname = environment.get("CNI_CONTAINERID", ""), environment.get("CNI_IFNAME", "")
    # Both become part of a file's name.
    if container_id and not _is_legal_id(container_id):
        wrong.append(f"CNI_CONTAINERID {container_id!r} has characters other than letters, digits, '.', '_' and '-'")
    if ifname in (".", "..") or len(ifname) > _IFNAME_MAX or any(character in "/: \t\n" for character in ifname):
        wrong.append(f"CNI_IFNAME {ifname!r} is not the name of an interface")
    if wrong:
        raise CniError(INVALID_ENVIRONMENT, "the plugin's environment is wrong: " + "; ".join(wrong))
    arguments = dict(pair.partition("=")[::2] for pair in environment.get("CNI_ARGS", "").split(";") if pair)
    return Request(command, container_id, environment.get("CNI_NETNS", ""), ifname,
                   arguments.get("K8S_POD_NAMESPACE", ""), arguments.get("K8S_POD_NAME", ""))


def _is_legal_id(container_id: str) -> bool:
    return container_id.isascii() and container_id[0].isalnum() and container_id.translate(_SEPARATORS).isalnum()
