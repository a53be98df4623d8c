# SPDX-License-Identifier: Apache-2.0
"""The text of a diff is YAML."""
from __future__ import annotations

from typing import Any

import yaml
from hypothesis import given
from hypothesis import strategies as st

from sluice.ovs.switch.describe import as_text

# YAML has no way to write these raw, and JSON's escape for what is beyond the BMP is none of YAML's.
texts = st.text(st.characters(exclude_categories=["Cs", "Cc", "Zl", "Zp"], exclude_characters="\ufeff\ufffe\uffff"), max_size=12)
words = st.sampled_from(["true", "No", "null", "y", "1", "1e3", "0x1f", "-", "~", "a: b", "#c", "=", "12:30:45", "2020-01-01", "on", ""])
maps = st.dictionaries(texts | words, texts | words, max_size=3)
bridges = st.fixed_dictionaries({"name": texts}, optional={
    "other_config": maps, "protocols": st.lists(texts, max_size=2), "ports": st.lists(
        st.fixed_dictionaries({"name": texts}, optional={"tag": st.integers(), "interfaces": st.lists(
            st.fixed_dictionaries({"name": texts}, optional={"options": maps}), max_size=2)}), max_size=2)})


@given(st.fixed_dictionaries({}, optional={"external_ids": maps, "bridges": st.lists(bridges, max_size=2)}))
def test_text_reads_back_as_the_same(config: dict[str, Any]) -> None:
    assert (yaml.safe_load(as_text(config)) or {}) == config


def test_text_is_easy_to_read() -> None:
    assert as_text({"bridges": [{"name": "br0", "flow_tables": {"0": "classify"}, "ports": [{"name": "p0", "tag": 5}]}]}) == """\
bridges:
  - name: br0
    flow_tables:
      "0": classify
    ports:
      - name: p0
        tag: 5
"""
