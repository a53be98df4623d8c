# SPDX-License-Identifier: Apache-2.0
"""Files and folders of manifests: what is read, and what is said about the rest."""
from __future__ import annotations

import json
from pathlib import Path

from sluice.intent.manifests import read_manifests, variable_documents
from sluice.intent.objects import Objects, read_objects

POD = "apiVersion: v1\nkind: Pod\nmetadata: {{name: {name}}}\n"


def load(folder: Path, *paths: str) -> tuple[Objects, list[str]]:
    documents, problems = read_manifests(paths, str(folder))
    objects, warnings, more = read_objects(documents)
    assert not problems + more
    return objects, warnings


def test_a_folder_is_read_with_all_below_it_in_order(tmp_path: Path) -> None:
    for name in ("b.yml", "a/z.yaml", "a/c.json", "a/.hidden.yml", ".git/d.yml", "README.md", "e.txt"):
        (tmp_path / "m" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "m" / name).write_text("")
    (tmp_path / "m/b.yml").write_text(POD.format(name="b"))
    (tmp_path / "m/a/z.yaml").write_text(POD.format(name="z"))
    (tmp_path / "m/a/c.json").write_text(json.dumps({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "c"}}))
    documents, problems = read_manifests(["m"], str(tmp_path))
    assert not problems
    assert [document.file for document in documents] == ["m/a/c.json:1", "m/a/z.yaml:1", "m/b.yml:1"]


def test_documents_are_named_by_the_line_of_their_first_key(tmp_path: Path) -> None:
    text = "# comment\n---\n" + POD.format(name="a") + "---\n---\n# nothing\n---\n\n" + POD.format(name="b")
    (tmp_path / "m.yml").write_text(text)
    documents, _problems = read_manifests(["m.yml"], str(tmp_path))
    assert [document.file for document in documents] == ["m.yml:3", "m.yml:11"]


def test_lists_in_all_their_forms(tmp_path: Path) -> None:
    (tmp_path / "list.yml").write_text(
        "apiVersion: v1\nkind: List\nitems:\n- {apiVersion: v1, kind: Pod, metadata: {name: a}}\n---\n"
        "apiVersion: v1\nkind: PodList\nitems:\n- metadata: {name: b}\n---\n"
        "- {apiVersion: v1, kind: Pod, metadata: {name: c}}\n---\n"
        "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicyList\nitems: []\n"
    )
    objects, warnings = load(tmp_path, "list.yml")
    assert sorted(objects.pods) == ["default/a", "default/b", "default/c"]
    assert not warnings


def test_scalars_are_those_of_kubernetes(tmp_path: Path) -> None:
    """Dates and sexagesimal numbers are YAML 1.1's alone."""
    (tmp_path / "m.yml").write_text(
        "apiVersion: v1\nkind: Pod\nmetadata:\n  name: a\n"
        "  labels: {since: 2020-01-01}\n  annotations: {at: 12:30, mac: 02:00:00:00:00:01}\n"
    )
    objects, _warnings = load(tmp_path, "m.yml")
    assert objects.pods["default/a"].labels == {"since": "2020-01-01"}
    assert objects.pods["default/a"].annotations == {"at": "12:30", "mac": "02:00:00:00:00:01"}


def test_merge_keys_are_not_duplicates(tmp_path: Path) -> None:
    (tmp_path / "m.yml").write_text(
        "apiVersion: v1\nkind: Pod\nmetadata: &m {name: a, labels: &l {x: '1', y: '2'}}\n---\n"
        "apiVersion: v1\nkind: Pod\nmetadata: {name: b, labels: &l {x: '1', y: '2'}, annotations: {<<: *l, x: '3'}}\n"
    )
    objects, _warnings = load(tmp_path, "m.yml")
    assert objects.pods["default/b"].annotations == {"x": "3", "y": "2"}


def test_every_object_that_is_not_supported_is_named(tmp_path: Path) -> None:
    kinds = [("crd.antrea.io/v1beta1", "Egress"), ("crd.antrea.io/v1beta1", "ExternalIPPool"), ("example.org/v1", "Service")]
    kinds += [("multicluster.crd.antrea.io/v1alpha1", "ResourceExport"), ("v1", "Endpoints")]
    kinds += [("v1", "ConfigMap")] * 7 + [("v1", "Secret")]
    documents = [
        {"apiVersion": version, "kind": kind, "metadata": {"name": f"n{number}", "namespace": "web"}}
        for number, (version, kind) in enumerate(kinds)
    ]
    (tmp_path / "m.json").write_text(json.dumps(documents))
    objects, warnings = load(tmp_path, "m.json")
    assert objects == Objects()
    assert warnings == [
        "Egress web/n0 (crd.antrea.io/v1beta1, m.json:1, item 1) is not supported yet and is ignored",
        "ExternalIPPool web/n1 (crd.antrea.io/v1beta1, m.json:1, item 2) is not supported yet and is ignored",
        "Service web/n2 (example.org/v1, m.json:1, item 3) is of a kind that Sluice does not know and is ignored",
        "ResourceExport web/n3 (multicluster.crd.antrea.io/v1alpha1, m.json:1, item 4) is of a kind that Sluice does not know and is ignored",
        "Endpoints web/n4 (v1, m.json:1, item 5) is of a kind that Sluice does not know and is ignored",
        "ConfigMap does not concern the network, so 7 of them are ignored: web/n5, web/n6, web/n7, web/n8, web/n9 and 2 more",
        "Secret does not concern the network, so 1 of them are ignored: web/n12",
    ]


def test_what_kubectl_prints_can_be_pasted() -> None:
    value = {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {
            "name": "p",
            "namespace": "web",
            "uid": "1",
            "resourceVersion": "7",
            "generation": 1,
            "creationTimestamp": "2024-01-01T00:00:00Z",
            "managedFields": [],
            "ownerReferences": [],
            "annotations": {"kubectl.kubernetes.io/last-applied-configuration": "{}"},
        },
        "spec": {"podSelector": {}, "policyTypes": ["Ingress"]},
        "status": {},
    }
    _objects, warnings, problems = read_objects(variable_documents("sluice_policies", [value]))
    assert not warnings + problems


def test_items_of_variables_need_no_kind() -> None:
    documents = variable_documents("sluice_namespaces", [{"metadata": {"name": "web"}}])
    deployment = {"kind": "Deployment", "metadata": {"name": "b"}, "spec": {"template": {}}}
    documents += variable_documents("sluice_pods", [{"metadata": {"name": "a"}}, deployment])
    documents += variable_documents("sluice_services", [{"metadata": {"name": "a"}, "spec": {"ports": [{"port": 80}]}}])
    documents += variable_documents("sluice_policies", [{"metadata": {"name": "a"}, "spec": {"podSelector": {}}}])
    objects, warnings, problems = read_objects(documents)
    assert not warnings + problems
    groups = (objects.namespaces, objects.pods, objects.workloads, objects.services, objects.network_policies)
    assert [len(group) for group in groups] == [1] * 5
    assert objects.files["Pod default/a"] == "inventory variable sluice_pods, item 1"


def test_text_that_is_not_utf8_is_refused(tmp_path: Path) -> None:
    (tmp_path / "m.yml").write_bytes(b"a: b\nc: \xff\n")
    _documents, problems = read_manifests(["m.yml"], str(tmp_path))
    assert [str(problem) for problem in problems] == ["m.yml:2: is not UTF-8 text; expected a YAML or JSON manifest"]
