# SPDX-License-Identifier: Apache-2.0
"""Tests of the comparison: it finds nothing wrong with the compiler as it is, and something with each that is broken on purpose."""
from __future__ import annotations

import dataclasses
from itertools import product
from pathlib import Path
from typing import Any

import pytest
import yaml

from agreement.comparison import Comparison
from agreement.mutants import MUTANTS
from agreement.switches import Switches
from policy_states import policy_state
from sluice.intent.state import ClusterState
from states_strategy import Probe

GIVEN: dict[str, Any] = yaml.safe_load(Path(__file__).with_name("mutants.yml").read_text())
API = {"NetworkPolicy": "networking.k8s.io/v1", "AdminNetworkPolicy": "policy.networking.k8s.io/v1alpha1", "Pod": "v1", "Service": "v1",
       "ClusterNetworkPolicy": "crd.antrea.io/v1beta1", "ClusterGroup": "crd.antrea.io/v1beta1"}


def test_every_mutant_has_its_case() -> None:
    assert MUTANTS.keys() == GIVEN["mutants"].keys()


@pytest.mark.parametrize("name", MUTANTS)
def test_a_broken_compiler_is_caught(name: str, switches: Switches, monkeypatch: pytest.MonkeyPatch) -> None:
    documents = GIVEN["mutants"][name]
    state = _state([document for document in documents if "kind" in document])
    asked = _probes(state, next((document for document in documents if "kind" not in document), {}))
    right = Comparison(switches).disagreements(state, asked)
    assert not right, "\n\n".join(right)
    MUTANTS[name](monkeypatch)
    assert Comparison(switches).disagreements(state, asked)


def _state(objects: list[dict[str, Any]]) -> ClusterState:
    cluster = GIVEN["cluster"]
    state = policy_state([*cluster["objects"], *({"apiVersion": API[one["kind"]], **one} for one in objects)], cluster["nodes"])
    pods = {key: dataclasses.replace(pod, mac=f"0a:00:00:00:00:{number:02x}") for number, (key, pod) in enumerate(state.pods.items())}
    return dataclasses.replace(state, pods=pods, cluster=dataclasses.replace(state.cluster, service_cidrs=("10.96.0.0/16", "fd96::/112")))


def _probes(state: ClusterState, asked: dict[str, Any]) -> list[Probe]:
    pods = list(state.pods)
    found = []
    for source, destination, text, client in product(asked.get("from", pods), asked.get("to", pods), asked.get("ports", ["TCP 80"]),
                                                     asked.get("sport", [49152])):
        protocol, number = text.split()
        for version in (4,) if "ip:" in destination else asked.get("versions", (4, 6)):
            if protocol == "ICMP":
                found.append(Probe(source, destination, None, protocol, icmp_type=int(number), icmp_code=0, version=version))
            else:
                found.append(Probe(source, destination, int(number), protocol, client, version=version))
    return found
