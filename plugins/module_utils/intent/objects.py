# SPDX-License-Identifier: Apache-2.0
"""From documents to typed objects: which kind a document is, its metadata, and what is said about kinds that are not supported."""
from __future__ import annotations

from dataclasses import dataclass, field
from typing import Iterable, Mapping, Optional, Sequence

from ..errors import Problem
from .fields import Fields, Source, describe
from .kinds import (
    KINDS,
    AdminPolicy,
    AntreaGroup,
    AntreaPolicy,
    EndpointSlice,
    Ingress,
    Kind,
    Meta,
    Namespace,
    NetworkPolicy,
    Pod,
    Service,
    Tier,
    Workload,
    api_group,
)
from .manifests import Document
from .syntax import dns_label

NOT_YET = {"crd.antrea.io": ("Egress", "ExternalIPPool")}
"""Kinds by API group that later versions realise."""

HARMLESS = (
    "ClusterRole",
    "ClusterRoleBinding",
    "ConfigMap",
    "CustomResourceDefinition",
    "HorizontalPodAutoscaler",
    "LimitRange",
    "PersistentVolume",
    "PersistentVolumeClaim",
    "PodDisruptionBudget",
    "PriorityClass",
    "ResourceQuota",
    "Role",
    "RoleBinding",
    "Secret",
    "ServiceAccount",
    "StorageClass",
)
"""Kinds that do not concern the network, of which manifests are full."""

NAMES_SHOWN = 5
"""A warning about many objects names this many of them."""

VARIABLES: Mapping[str, tuple[str, ...]] = {
    "sluice_namespaces": ("Namespace",),
    "sluice_pods": ("Pod", "Deployment", "ReplicaSet", "StatefulSet", "DaemonSet", "Job", "CronJob"),
    "sluice_services": ("Service", "EndpointSlice", "Ingress"),
    "sluice_policies": (
        "NetworkPolicy",
        "ClusterNetworkPolicy",
        "AdminNetworkPolicy",
        "BaselineAdminNetworkPolicy",
        "Tier",
        "ClusterGroup",
        "Group",
    ),
}
"""Inventory variables that are lists of objects, with the kinds that they take; the first is meant where an item has no kind."""

# Everything that ObjectMeta has, so that what `kubectl get -o yaml` prints can be pasted.
META_UNUSED = (
    "creationTimestamp",
    "deletionGracePeriodSeconds",
    "deletionTimestamp",
    "finalizers",
    "generateName",
    "generation",
    "managedFields",
    "ownerReferences",
    "resourceVersion",
    "selfLink",
    "uid",
)


@dataclass
class Objects:
    """All objects of an inventory, by key (``namespace/name``, or the name of a Namespace)."""

    namespaces: dict[str, Namespace] = field(default_factory=dict)
    pods: dict[str, Pod] = field(default_factory=dict)
    workloads: dict[str, Workload] = field(default_factory=dict)
    """Keyed by ``kind namespace/name``."""
    services: dict[str, Service] = field(default_factory=dict)
    endpoint_slices: dict[str, EndpointSlice] = field(default_factory=dict)
    ingresses: dict[str, Ingress] = field(default_factory=dict)
    network_policies: dict[str, NetworkPolicy] = field(default_factory=dict)
    antrea_policies: dict[str, AntreaPolicy] = field(default_factory=dict)
    tiers: dict[str, Tier] = field(default_factory=dict)
    groups: dict[str, AntreaGroup] = field(default_factory=dict)
    admin_policies: dict[str, AdminPolicy] = field(default_factory=dict)
    """Keyed by ``kind name``."""
    files: dict[str, str] = field(default_factory=dict)
    """Where each object was written, keyed by ``kind namespace/name``; an implied namespace is in none."""

    def problem(self, kind: str, key: str, path: str, message: str, expected: str = "") -> Problem:
        """A problem of an object that was read before."""
        return Problem(self.files.get(f"{kind} {key}", ""), f"{kind} {key}", path, message, expected)


def read_objects(documents: Iterable[Document], unsupported: str = "refuse") -> tuple[Objects, list[str], list[Problem]]:
    """The typed objects, warnings (what is not supported, by name), and problems; an object with a problem may be missing.

    ``unsupported``: what becomes of an object that asks for what is not built yet. refuse: it is a problem; warn: it is left out.
    """
    objects = Objects()
    problems: list[Problem] = []
    skipped = _Skipped(unsupported)
    for document in documents:
        _read_document(document, objects, skipped, problems)
    return objects, skipped.warnings(), problems


class _Skipped:
    """Objects that are left out, because they or their kinds are not supported."""

    def __init__(self, unsupported: str) -> None:
        self._unsupported = unsupported
        self._harmless: dict[str, list[str]] = {}
        self._lines: list[str] = []

    def refuse_or_leave_out(self, not_built: list[Problem], problems: list[Problem]) -> None:
        """What becomes of an object that asks for things that are not built yet: half of a policy is worse than none."""
        if self._unsupported == "refuse":
            problems += not_built
        elif not_built:
            first = not_built[0]
            reasons = "; ".join(f"{problem.path}: {problem.message}" for problem in not_built)
            self._lines.append(f"{first.file}: {first.object} is left out and not enforced at all: {reasons}")

    def add(self, api_version: str, kind: str, name: str, file: str) -> None:
        if kind in HARMLESS:
            self._harmless.setdefault(kind, []).append(name)
        elif kind in NOT_YET.get(api_group(api_version), ()):
            self._lines.append(f"{kind} {name} ({api_version}, {file}) is not supported yet and is ignored")
        else:
            self._lines.append(f"{kind} {name} ({api_version}, {file}) is of a kind that Sluice does not know and is ignored")

    def warnings(self) -> list[str]:
        summary = []
        for kind, names in sorted(self._harmless.items()):
            summary.append(f"{kind} does not concern the network, so {len(names)} of them are ignored: {some_names(names)}")
        return self._lines + summary


def some_names(names: Sequence[str]) -> str:
    """The first few of many names, for a warning about all of them."""
    return ", ".join(names[:NAMES_SHOWN]) + (f" and {len(names) - NAMES_SHOWN} more" if len(names) > NAMES_SHOWN else "")


def _read_document(document: Document, objects: Objects, skipped: _Skipped, problems: list[Problem]) -> None:
    value = document.value
    if not isinstance(value, Mapping):
        problems.append(Problem(document.file, "", "", describe(value), "a mapping with apiVersion, kind and metadata"))
        return
    source = Source(document.file, "", problems)
    fields = Fields(source, value)
    allowed = VARIABLES.get(document.variable, ())
    name = fields.string("kind", allowed[0] if allowed else "")
    meant = _BY_NAME.get(name)
    api_version = fields.string("apiVersion", meant.api_version if allowed and meant else "")
    if not name or not api_version:
        for field_name, text in (("kind", name), ("apiVersion", api_version)):
            if not text and not fields.has(field_name):
                fields.problem(field_name, "is missing", "the apiVersion and kind of a Kubernetes object")
        return
    if name.endswith("List") and fields.has("items"):
        for number, item in enumerate(fields.list("items"), 1):
            place = f"{document.file}, item {number}"
            _read_document(Document(place, _with_kind(item, api_version, name), document.variable), objects, skipped, problems)
        return
    kind = _find_kind(api_version, name)
    display = _display_name(value, kind)
    source.object = f"{kind.label if kind else name} {display}"
    if not kind:
        skipped.add(api_version, name, display, document.file)
    elif kind.api_version != api_version:
        fields.problem("apiVersion", f"is {api_version!r}", kind.api_version)
    elif allowed and name not in allowed:
        right = next(variable for variable, names in VARIABLES.items() if name in names)
        fields.problem("kind", f"is {name}, which does not go into {document.variable}", right)
    else:
        _read_known(kind, fields, source, objects, problems)
        skipped.refuse_or_leave_out(source.not_built, problems)


def _with_kind(item: object, api_version: str, list_kind: str) -> object:
    """An item of a typed list (``PodList``) may leave out what the list says already."""
    if isinstance(item, Mapping) and list_kind != "List":
        return {"apiVersion": api_version, "kind": list_kind[: -len("List")], **item}
    return item


def _display_name(value: Mapping[str, object], kind: Optional[Kind]) -> str:
    metadata = value.get("metadata")
    if not isinstance(metadata, Mapping) or not isinstance(metadata.get("name"), str):
        return "without a name"
    namespace = metadata.get("namespace") or ("default" if kind and kind.namespaced else "")
    return f"{namespace}/{metadata['name']}" if namespace else str(metadata["name"])


def _is_builtin(api_version: str) -> bool:
    """Whether the API group is Kubernetes' own: those have no dot, or end in .k8s.io."""
    group = api_group(api_version)
    return "." not in group or group.endswith(".k8s.io")


_BY_NAME = {kind.name: kind for kind in sorted(KINDS.values(), key=lambda kind: _is_builtin(kind.api_version))}
"""What a kind's name means where no API group is said: of two kinds, Kubernetes' own."""


def _find_kind(api_version: str, name: str) -> Optional[Kind]:
    """The kind, though perhaps in another version. Kubernetes' own were moved from group to group."""
    kind = KINDS.get((api_group(api_version), name))
    if kind or not _is_builtin(api_version):
        return kind
    moved = _BY_NAME.get(name)
    return moved if moved and _is_builtin(moved.api_version) else None


def _read_known(kind: Kind, fields: Fields, source: Source, objects: Objects, problems: list[Problem]) -> None:
    before = len(problems)
    fields.required("metadata", "a mapping with the name")
    meta = _read_meta(kind, fields.inside("metadata"))
    read = kind.read(meta, fields)
    if not meta.name:
        return
    place = f"{kind.label} {meta.key}"
    if place in objects.files:
        problems.append(Problem(source.file, place, "metadata.name", f"is there twice, first in {objects.files[place]}", "another name"))
        return
    objects.files[place] = source.file
    if len(problems) == before and not source.not_built:
        _store(objects, place, read)


def _read_meta(kind: Kind, fields: Fields) -> Meta:
    fields.required("name", "a name")
    name = fields.string("name", check=kind.name_check)
    namespace = fields.string("namespace", check=_namespace_or_empty)
    if namespace and not kind.namespaced:
        fields.problem("namespace", f"has no meaning for the kind {kind.label}", "no namespace")
    labels, annotations = fields.labels("labels"), fields.annotations("annotations")
    if kind.strict:
        fields.ignore(*META_UNUSED)
        fields.no_others()
    return Meta((namespace or "default") if kind.namespaced else "", name, labels, annotations)


def _namespace_or_empty(text: str) -> str:
    return dns_label(text) if text else ""


def _store(objects: Objects, place: str, read: Meta) -> None:
    if isinstance(read, Namespace):
        objects.namespaces[read.key] = read
    elif isinstance(read, Pod):
        objects.pods[read.key] = read
    elif isinstance(read, Workload):
        objects.workloads[place] = read
    elif isinstance(read, Service):
        objects.services[read.key] = read
    elif isinstance(read, EndpointSlice):
        objects.endpoint_slices[read.key] = read
    elif isinstance(read, Ingress):
        objects.ingresses[read.key] = read
    elif isinstance(read, NetworkPolicy):
        objects.network_policies[read.key] = read
    elif isinstance(read, AntreaPolicy):
        objects.antrea_policies[read.key] = read
    elif isinstance(read, Tier):
        objects.tiers[read.key] = read
    elif isinstance(read, AntreaGroup):
        objects.groups[read.key] = read
    elif isinstance(read, AdminPolicy):
        objects.admin_policies[place] = read


def with_implied_namespaces(objects: Objects) -> None:
    """Adds every namespace that is used but not declared, as kubectl's user would have had to create it."""
    groups: tuple[Mapping[str, Meta], ...] = (
        objects.pods,
        objects.workloads,
        objects.services,
        objects.endpoint_slices,
        objects.ingresses,
        objects.network_policies,
        objects.antrea_policies,
        objects.groups,
    )
    for group in groups:
        for item in group.values():
            if item.namespace and item.namespace not in objects.namespaces:
                objects.namespaces[item.namespace] = Namespace.named(item.namespace)


def unenforced(ingresses: Iterable[str]) -> list[str]:
    """A note for each object that is loaded but not realised yet; for the run to show."""
    return [f"Ingress {key} is not enforced yet" for key in sorted(ingresses)]
