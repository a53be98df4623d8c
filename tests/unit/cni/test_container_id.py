# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluice.plan.container_id import TASK_NAME_MAX, container_id, task_name

DNS_LABEL = st.from_regex(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?", fullmatch=True)
DNS_NAME = st.lists(DNS_LABEL, min_size=1, max_size=3).map(".".join)


def test_an_ordinary_pod_keeps_its_name() -> None:
    assert container_id("shop", "cart-5d9c-x7") == "sluice-shop.cart-5d9c-x7"


@pytest.mark.parametrize("name", ["a--b", "x" * 100, "a.-b"])
def test_what_containerd_refuses_is_shortened_with_a_hash(name: str) -> None:
    shortened = task_name("shop", name)
    assert shortened.startswith("shop.") and re.search(r"-[0-9a-f]{10}$", shortened)


@given(DNS_LABEL, DNS_NAME)
def test_every_pod_name_is_a_containerd_identifier(namespace: str, name: str) -> None:
    shortened = task_name(namespace, name)
    assert re.fullmatch(r"[A-Za-z0-9]+(?:[._-](?:[A-Za-z0-9]+))*", shortened)
    assert len(shortened) <= TASK_NAME_MAX


@given(st.tuples(DNS_LABEL, DNS_NAME), st.tuples(DNS_LABEL, DNS_NAME))
def test_two_pods_never_share_one(one: tuple[str, str], other: tuple[str, str]) -> None:
    assert (one == other) == (container_id(*one) == container_id(*other))
