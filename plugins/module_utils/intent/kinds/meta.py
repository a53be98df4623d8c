# SPDX-License-Identifier: Apache-2.0
"""What all objects have: a name, mostly a namespace, labels and annotations."""
from __future__ import annotations

from dataclasses import dataclass, field
from typing import Mapping, Optional

NAME_LABEL = "kubernetes.io/metadata.name"
"""The label with its own name that the API server puts on every namespace."""


@dataclass(frozen=True)
class Meta:
    """An object's metadata; the namespace is empty for kinds that have none."""

    namespace: str
    name: str
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)

    @property
    def key(self) -> str:
        """``namespace/name``, or just the name."""
        return f"{self.namespace}/{self.name}" if self.namespace else self.name


@dataclass(frozen=True)
class Namespace(Meta):
    """A v1 Namespace; it always has the label kubernetes.io/metadata.name."""

    @classmethod
    def named(cls, name: str, labels: Optional[Mapping[str, str]] = None, annotations: Optional[Mapping[str, str]] = None) -> Namespace:
        return cls("", name, {**(labels or {}), NAME_LABEL: name}, annotations or {})
