# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import Any

import pytest

from sluice.node.cni.request import CniError, parse_config, parse_document, parse_request, parse_version

CONFIG: dict[str, Any] = {
    "cniVersion": "1.0.0", "bridge": "br-sluice", "mtu": 1450, "gateways": ["10.10.0.1"], "node_cidrs": ["10.10.0.0/24"]}
ENVIRONMENT = {"CNI_COMMAND": "ADD", "CNI_CONTAINERID": "a1", "CNI_NETNS": "/run/netns/x", "CNI_IFNAME": "eth0"}


def test_what_is_left_out_has_its_usual_value() -> None:
    config = parse_config(CONFIG)
    assert (config.datapath, config.pods, config.state_dir) == ("system", "/etc/sluice/pods.json", "/var/lib/sluice/pods")
    assert config.database == "unix:/var/run/openvswitch/db.sock"


@pytest.mark.parametrize(("text", "code"), [("{", 6), ("[]", 6)])
def test_what_is_no_configuration_cannot_be_decoded(text: str, code: int) -> None:
    with pytest.raises(CniError) as caught:
        parse_document(text)
    assert caught.value.code == code


@pytest.mark.parametrize("version", ["0.1.0", "0.2.0", "0.3.0", "1.2.0", None])
def test_other_versions_are_incompatible(version: str | None) -> None:
    with pytest.raises(CniError) as caught:
        parse_version({"cniVersion": version} if version else {})
    assert caught.value.code == 1


def test_everything_that_is_wrong_with_the_configuration_is_said_at_once() -> None:
    with pytest.raises(CniError) as caught:
        parse_config({"cniVersion": "1.0.0", "mtu": "1450", "gateways": "10.10.0.1", "node_cidrs": [], "datapath": "dpdk"})
    assert caught.value.code == 7
    for part in ("'bridge' is missing", "'mtu' is not of type int", "'gateways' is not a list", "'datapath' is 'dpdk'"):
        assert part in str(caught.value)


def test_each_cidr_needs_its_gateway() -> None:
    with pytest.raises(CniError, match="one address for each"):
        parse_config({**CONFIG, "gateways": []})


@pytest.mark.parametrize(("change", "message"), [
    ({"CNI_COMMAND": "GC"}, "expected ADD, DEL, CHECK or VERSION"),
    ({"CNI_NETNS": ""}, "CNI_NETNS is not set"),
    ({"CNI_CONTAINERID": "../../etc"}, "has characters"),
    ({"CNI_CONTAINERID": "é"}, "has characters"),
    ({"CNI_IFNAME": "a/b"}, "not the name of an interface"),
    ({"CNI_IFNAME": "longer-than-fifteen"}, "not the name of an interface"),
])
def test_a_wrong_environment_is_refused(change: dict[str, str], message: str) -> None:
    with pytest.raises(CniError, match=message) as caught:
        parse_request({**ENVIRONMENT, **change})
    assert caught.value.code == 4


def test_del_needs_no_namespace() -> None:
    assert parse_request({**ENVIRONMENT, "CNI_COMMAND": "DEL", "CNI_NETNS": ""}).netns == ""


def test_kubernetes_names_come_from_the_arguments() -> None:
    request = parse_request({**ENVIRONMENT, "CNI_ARGS": "IgnoreUnknown=1;K8S_POD_NAMESPACE=shop;K8S_POD_NAME=cart;"})
    assert (request.namespace, request.name) == ("shop", "cart")
