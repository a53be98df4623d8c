# SPDX-License-Identifier: Apache-2.0
"""The workloads of apps/v1 and batch/v1: how many pods they make, and of which template."""
from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

from ..fields import Fields
from .meta import Meta
from .pod import PodTemplate, read_template
from .selector import read_selector

REPLICAS_MAX = 2**31 - 1


@dataclass(frozen=True)
class Workload(Meta):
    kind: ClassVar[str] = ""

    template: PodTemplate = field(default_factory=PodTemplate)
    replicas: int = 1
    """How many pods it makes. Of a DaemonSet it is one a node and this is not looked at."""

    @property
    def owner(self) -> str:
        """``kind/name``, by which its pods know it."""
        return f"{self.kind}/{self.name}"


@dataclass(frozen=True)
class Deployment(Workload):
    kind = "Deployment"


@dataclass(frozen=True)
class ReplicaSet(Workload):
    kind = "ReplicaSet"


@dataclass(frozen=True)
class StatefulSet(Workload):
    kind = "StatefulSet"
    first_ordinal: int = 0


@dataclass(frozen=True)
class DaemonSet(Workload):
    kind = "DaemonSet"


@dataclass(frozen=True)
class Job(Workload):
    kind = "Job"


@dataclass(frozen=True)
class CronJob(Workload):
    """It makes Jobs at times that no plan knows, so it has no pods here; the CNI plugin serves them when they come."""

    kind = "CronJob"


def read_deployment(meta: Meta, fields: Fields) -> Deployment:
    spec = fields.inside("spec")
    return Deployment(meta.namespace, meta.name, meta.labels, meta.annotations, _template(spec), _replicas(spec))


def read_replica_set(meta: Meta, fields: Fields) -> ReplicaSet:
    spec = fields.inside("spec")
    return ReplicaSet(meta.namespace, meta.name, meta.labels, meta.annotations, _template(spec), _replicas(spec))


def read_stateful_set(meta: Meta, fields: Fields) -> StatefulSet:
    spec = fields.inside("spec")
    start = spec.inside("ordinals").integer("start", 0, 0, REPLICAS_MAX)
    return StatefulSet(meta.namespace, meta.name, meta.labels, meta.annotations, _template(spec), _replicas(spec), start)


def read_daemon_set(meta: Meta, fields: Fields) -> DaemonSet:
    return DaemonSet(meta.namespace, meta.name, meta.labels, meta.annotations, _template(fields.inside("spec")))


def read_job(meta: Meta, fields: Fields) -> Job:
    """A Job's pods run ``parallelism`` at a time, but never more than there are completions left to do."""
    spec = fields.inside("spec")
    parallelism = spec.integer("parallelism", 1, 0, REPLICAS_MAX)
    completions = spec.integer("completions", parallelism, 0, REPLICAS_MAX)
    pods = 0 if spec.boolean("suspend") else min(parallelism, completions)
    return Job(meta.namespace, meta.name, meta.labels, meta.annotations, _template(spec, own_selector=False), pods)


def read_cron_job(meta: Meta, fields: Fields) -> CronJob:
    spec = fields.inside("spec")
    spec.required("schedule", "a cron schedule")
    spec.string("schedule")
    template = _template(spec.inside("jobTemplate").inside("spec"), own_selector=False)
    return CronJob(meta.namespace, meta.name, meta.labels, meta.annotations, template, 0)


def _replicas(spec: Fields) -> int:
    return spec.integer("replicas", 1, 0, REPLICAS_MAX)


def _template(spec: Fields, own_selector: bool = True) -> PodTemplate:
    spec.required("template", "a pod template")
    template = read_template(spec.inside("template"))
    # The API server wants a selector; nothing here selects by it (a pod knows its owner), so only a contradiction matters.
    selector = spec.mapping("selector") if own_selector else None
    if selector and not read_selector(selector).matches(template.labels):
        spec.problem("selector", "does not match the labels of the template", "a selector that matches spec.template.metadata.labels")
    return template
