# SPDX-License-Identifier: Apache-2.0
"""What is kept of an encoding gives what encoding anew would give, or is not used."""
from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from sluice.errors import InputError
from sluice.ovs import kept
from sluice.ovs.encode import encode_program
from sluice.ovs.kept import ENCODING, KeptEncoding
from sluice.ovs.openflow.flow_encoder import FlowEncoder
from sluice.ovs.openflow.messages import add_flow
from sluice.ovs.program import Owner, Program

TABLES = {0: "classify", 10: "route"}
OWNER = Owner(0x51C3 << 48, 0xFFFF << 48)
LINES = ["# a comment", "", *(f"cookie={0x51C3 << 48 | number:#x}, table=classify, priority={number},ip actions=ct(commit,table=route)"
                              for number in range(300))]
GROUPS = [f"group_id={number},type=select,selection_method=hash,fields(ip_src),bucket=weight:3,output:1,bucket=output:{number}" for number in range(1, 40)]
METERS = ["meter=1 pktps burst bands=type=drop rate=5 burst_size=6"]
CASES = Path(__file__).parents[2] / "integration" / "flows"

Content = tuple[list[bytes], object, object]


def content(program: Program) -> Content:
    return list(program.flows), program.groups, program.meters


def kept_encoding(path: Path, tables: dict[int, str] | None = None, owner: Owner = OWNER) -> KeptEncoding:
    return KeptEncoding(str(path), TABLES if tables is None else tables, owner)


def encode(path: Path, lines: list[str], groups: list[str] | None = None) -> Content:
    encoding = kept_encoding(path)
    program = encoding.encode("\n".join(lines), None if groups is None else "\n".join(groups), "\n".join(METERS))
    encoding.save()
    return content(program)


@pytest.fixture
def nothing_is_encoded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fails the test if anything is encoded after all."""
    monkeypatch.setattr("sluice.ovs.encode.FlowEncoder", None)


def test_a_text_is_encoded_once(tmp_path: Path, request: pytest.FixtureRequest) -> None:
    path = tmp_path / "deep" / "kept"
    first = encode(path, LINES, GROUPS)
    assert first == content(encode_program(LINES, GROUPS, METERS, TABLES, OWNER))
    assert len(first[0]) == 300
    request.getfixturevalue("nothing_is_encoded")
    assert encode(path, LINES, GROUPS) == first


def test_the_messages_are_those_of_the_flows(tmp_path: Path) -> None:
    encode(tmp_path / "kept", LINES)
    program = kept_encoding(tmp_path / "kept").encode("\n".join(LINES), None, "\n".join(METERS))
    assert bytes(program.messages) == b"".join(add_flow(desc, xid) for xid, desc in enumerate(program.flows, 1))


def test_of_another_text_only_new_lines_are_encoded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "kept"
    encode(path, LINES, GROUPS)
    lines, groups = [*LINES[:50], "cookie=0x51c3000000000000, arp actions=drop", *LINES[60:]], [*GROUPS[3:], GROUPS[0].replace("output:1", "output:9")]
    expected = content(encode_program(lines, groups, METERS, TABLES, OWNER))
    encoded: list[str] = []
    encoder_line = FlowEncoder.line

    def encode_line(self: FlowEncoder, line: str) -> bytes:
        encoded.append(line)
        return encoder_line(self, line)

    monkeypatch.setattr(FlowEncoder, "line", encode_line)
    before = path.read_bytes()
    assert encode(path, lines, groups) == expected
    assert encoded == [lines[50]]
    assert path.read_bytes() == before, "a few lines are encoded again sooner than all is written"


def test_a_text_with_many_new_lines_is_kept(tmp_path: Path, request: pytest.FixtureRequest) -> None:
    path = tmp_path / "kept"
    encode(path, LINES)
    lines = [line.replace("ip actions", "ipv6 actions") for line in LINES]
    expected = encode(path, lines)
    assert expected == content(encode_program(lines, None, METERS, TABLES, OWNER))
    request.getfixturevalue("nothing_is_encoded")
    assert encode(path, lines) == expected


def test_wrong_lines_are_refused_beside_kept_ones(tmp_path: Path) -> None:
    path = tmp_path / "kept"
    encode(path, LINES)
    with pytest.raises(InputError) as caught:
        encode(path, [*LINES, LINES[5], LINES[7].replace("cookie=0x51c3000000000005", "cookie=0x51c3000000000999"), "nonsense", "cookie=1, arp actions=drop"])
    assert [problem.object for problem in caught.value.problems] == ["line 303", "line 304", "line 305", "line 306"]


@pytest.mark.parametrize("damage", [
    lambda content: b"", lambda content: content[:10], lambda content: content[:-1], lambda content: bytes(len(content)),
    lambda content: content[:-3] + bytes([content[-3] ^ 1]) + content[-2:], lambda content: content[:4] + b"\xff" * 36 + content[40:]])
def test_a_damaged_file_is_not_used(tmp_path: Path, damage: object) -> None:
    path = tmp_path / "kept"
    expected = encode(path, LINES, GROUPS)
    path.write_bytes(damage(path.read_bytes()))  # type: ignore[operator]
    assert encode(path, LINES, GROUPS) == expected


@pytest.mark.parametrize(("tables", "owner"), [({0: "classify", 11: "route"}, OWNER), (TABLES, Owner(0x51C3 << 48, 0x51C3 << 48))])
def test_another_meaning_is_encoded_anew(tmp_path: Path, tables: dict[int, str], owner: Owner) -> None:
    path = tmp_path / "kept"
    encode(path, LINES)
    program = kept_encoding(path, tables, owner).encode("\n".join(LINES))
    assert content(program) == content(encode_program(LINES, None, None, tables, owner))
    assert not program.messages


def test_what_another_encoder_kept_is_not_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "kept"
    encode(path, LINES)
    monkeypatch.setattr(kept, "ENCODING", ENCODING + 1)
    assert not kept_encoding(path).encode("\n".join(LINES), None, "\n".join(METERS)).messages


def test_groups_that_are_not_given_are_not_managed(tmp_path: Path) -> None:
    encode(tmp_path / "kept", LINES)
    assert kept_encoding(tmp_path / "kept").encode("\n".join(LINES), None, "\n".join(METERS)).groups is None
    assert kept_encoding(tmp_path / "kept").encode("\n".join(LINES), "", "\n".join(METERS)).groups == {}


def test_nothing_is_lost_where_nothing_can_be_kept(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert len(encode(tmp_path / "file" / "kept", LINES)[0]) == 300


def test_encodings_that_differ_have_different_numbers() -> None:
    """What nodes have kept is used as long as ENCODING is the same. If this fails, what a line is encoded to has changed, or there are
    more cases: raise ENCODING in the former case, and put the new digest here in both.
    """
    digest = hashlib.sha256()
    for name, form in (("matches.txt", "{0} actions=drop"), ("actions.txt", "{0} actions={2}")):
        for case in (CASES / name).read_text().splitlines():
            if not case.startswith("#"):
                digest.update(b"".join(encode_program([form.format(*case.partition("=> "))], None, None, {}).flows))
    program = encode_program([], GROUPS, METERS, TABLES)
    digest.update(f"{program.groups} {program.meters}".encode())
    assert (ENCODING, digest.hexdigest()) == (1, "d8d00bef1ad387c69f288bcd4c3505eac641bd299b9fa102c1f3901080e984ff")
