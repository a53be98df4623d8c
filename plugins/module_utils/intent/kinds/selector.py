# SPDX-License-Identifier: Apache-2.0
"""meta/v1 LabelSelector."""
from __future__ import annotations

from dataclasses import dataclass
from typing import Mapping

from ..fields import Fields, one_of
from ..syntax import label_key, label_value

OPERATORS = ("In", "NotIn", "Exists", "DoesNotExist")


@dataclass(frozen=True)
class LabelSelectorRequirement:
    """One expression over a label; ``values`` is sorted."""

    key: str
    operator: str
    """In | NotIn | Exists | DoesNotExist"""
    values: tuple[str, ...] = ()

    def matches(self, labels: Mapping[str, str]) -> bool:
        """NotIn and DoesNotExist hold for an object without the label, as in the API."""
        if self.operator == "In":
            return labels.get(self.key) in self.values
        if self.operator == "NotIn":
            return labels.get(self.key) not in self.values
        return (self.key in labels) == (self.operator == "Exists")


@dataclass(frozen=True)
class LabelSelector:
    """Matches what has all ``match_labels`` and fulfils all ``match_expressions``; an empty one matches everything.

    Both are sorted, so that selectors that mean the same by the same words are equal and hash alike.
    """

    match_labels: tuple[tuple[str, str], ...] = ()
    match_expressions: tuple[LabelSelectorRequirement, ...] = ()

    def matches(self, labels: Mapping[str, str]) -> bool:
        return all(labels.get(key) == value for key, value in self.match_labels) and all(
            expression.matches(labels) for expression in self.match_expressions
        )


EVERYTHING = LabelSelector()


def read_selector(fields: Fields) -> LabelSelector:
    labels = fields.labels("matchLabels")
    expressions = [_read_requirement(item) for item in fields.items("matchExpressions")]
    fields.no_others()
    return LabelSelector(tuple(sorted(labels.items())), tuple(sorted(expressions, key=lambda e: (e.key, e.operator, e.values))))


def _read_requirement(fields: Fields) -> LabelSelectorRequirement:
    fields.required("key", "a label's key")
    fields.required("operator", one_of(OPERATORS))
    key = fields.string("key", check=label_key)
    operator = fields.string("operator", choices=OPERATORS)
    values = fields.strings("values", label_value)
    fields.no_others()
    if operator in ("In", "NotIn") and not fields.list("values"):
        fields.problem("values", "is missing", f"at least one value for the operator {operator}")
    if operator in ("Exists", "DoesNotExist") and fields.list("values"):
        fields.problem("values", f"has no meaning for the operator {operator}", "no values")
    return LabelSelectorRequirement(key, operator, tuple(sorted(set(values))))
