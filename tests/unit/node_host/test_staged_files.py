# SPDX-License-Identifier: Apache-2.0
"""Files that are moved into place only once what they describe is there."""
from __future__ import annotations

from pathlib import Path

import pytest

from sluice.errors import SluiceError
from sluice.node.staged_files import StagedFiles, differing


def test_only_files_with_another_text_differ(tmp_path: Path) -> None:
    same, other, missing = (tmp_path / name for name in ("same", "other", "missing"))
    same.write_text("a\n")
    other.write_bytes(b"\xff")
    wanted = {str(path): "a\n" for path in (same, other, missing)}
    assert differing(wanted) == {str(missing): "a\n", str(other): "a\n"}


def test_nothing_is_in_place_before_the_move(tmp_path: Path) -> None:
    place = tmp_path / "new" / "flows.txt"
    with StagedFiles({str(place): "a\n"}) as staged:
        assert not place.exists()
        staged.move()
    assert place.read_text() == "a\n"
    assert place.stat().st_mode & 0o777 == 0o644
    assert list(place.parent.iterdir()) == [place]


def test_a_failure_leaves_the_old_file_and_no_other(tmp_path: Path) -> None:
    place = tmp_path / "flows.txt"
    place.write_text("old\n")
    with pytest.raises(RuntimeError), StagedFiles({str(place): "new\n"}):
        raise RuntimeError
    assert place.read_text() == "old\n"
    assert list(tmp_path.iterdir()) == [place]


def test_a_place_that_cannot_be_written_is_told_before_anything_is_done(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(SluiceError, match="nothing was changed"), StagedFiles({str(tmp_path / "a"): "a", str(tmp_path / "file" / "b"): "b"}):
        raise AssertionError
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_what_is_no_text_is_refused() -> None:
    with pytest.raises(SluiceError, match="is not a text"):
        differing({"/etc/sluice/flows.txt": {"content": "a"}})  # type: ignore[dict-item]
