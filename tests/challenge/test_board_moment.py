"""Deadlines: time zones, Anywhere on Earth, days, and local times that do not exist or come twice."""

from __future__ import annotations

import contextlib
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

pytest.importorskip("sqlalchemy", reason="the extra board is not installed")

from duologue.challenge.board.challenge import read_challenge
from duologue.challenge.board.moment import from_instant, instant, parse_moment, shown
from duologue.errors import UserError


@pytest.mark.parametrize(
    ("text", "utc"),
    [
        ("2027-03-01 23:59 AoE", "2027-03-02T11:59:00.000000Z"),
        ("2027-03-01 23:59:59 aoe", "2027-03-02T11:59:59.000000Z"),
        ("2027-03-01 23:59 Asia/Shanghai", "2027-03-01T15:59:00.000000Z"),
        ("2027-03-01T23:59:00+08:00", "2027-03-01T15:59:00.000000Z"),
        ("2027-03-01T23:59:00.250000-0330", "2027-03-02T03:29:00.250000Z"),
        ("2027-03-01T23:59:00Z", "2027-03-01T23:59:00.000000Z"),
        # Summer time: Paris is at UTC+1 in March's first weeks and at UTC+2 in July.
        ("2027-03-01 12:00 Europe/Paris", "2027-03-01T11:00:00.000000Z"),
        ("2027-07-01 12:00 Europe/Paris", "2027-07-01T10:00:00.000000Z"),
    ],
)
def test_moments_in_their_zones(text: str, utc: str) -> None:
    assert instant(parse_moment(text)) == utc


def test_a_day_begins_and_ends_where_it_is_named() -> None:
    assert instant(parse_moment("2027-03-01 AoE", day="begins")) == "2027-03-01T12:00:00.000000Z"
    assert instant(parse_moment("2027-03-01 AoE", day="ends")) == "2027-03-02T11:59:59.999999Z"
    assert shown(parse_moment("2027-03-01 Asia/Shanghai", day="ends")) == "2027-03-01 23:59:59 Asia/Shanghai"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("2027-03-01 23:59", "no time zone"),
        ("2027-03-01", "no time zone"),
        ("2027-03-01 AoE", "no time of day"),
        ("2027-02-29 12:00 UTC", "not a point in time"),
        ("2027-03-01 24:00 UTC", "not a point in time"),
        ("1 March 2027", "not a point in time"),
        ("", "not a point in time"),
        ("2027-03-01 12:00 Mars/Base", "unknown time zone"),
        ("2027-03-01 12:00 ../../etc/passwd", "unknown time zone"),
        ("2027-03-01 12:00 /etc/passwd", "unknown time zone"),
        ("2027-03-01 12:00 +25:00", "not an offset"),
        ("0001-01-01 00:00 +14:00", "not a point in time"),
        # Clocks in Paris go from 2 to 3 on 28 March 2027, and from 3 back to 2 on 31 October.
        ("2027-03-28 02:30 Europe/Paris", "the clocks skip this time"),
        ("2027-10-31 02:30 Europe/Paris", "the clocks pass this time twice"),
    ],
)
def test_what_is_no_moment(text: str, says: str) -> None:
    with pytest.raises(UserError, match=says):
        parse_moment(text)


@given(st.datetimes(min_value=datetime(1900, 1, 1), max_value=datetime(2200, 1, 1), timezones=st.just(UTC)))
def test_instants_come_back_and_sort_as_time_does(moment: datetime) -> None:
    assert from_instant(instant(moment)) == moment
    assert (instant(moment) < "2027-03-01T00:00:00.000000Z") == (moment < datetime(2027, 3, 1, tzinfo=UTC))


@given(st.text(max_size=40))
def test_no_text_breaks_it(text: str) -> None:
    with contextlib.suppress(UserError):
        assert parse_moment(text).tzinfo is not None


CHALLENGE = """
name: humdial-x
track: duplex
profile: humdial2026
anchors: {lmin: 0.6, lbase: 2.5}
teams: [Alpha, "\u56e2\u961f \u4e8c"]
phases:
  - name: dev
    closes: 2027-03-01 23:59 AoE
    quota: 10
  - name: final
    kind: hidden
    opens: 2027-03-02 AoE
    closes: 2027-03-08T23:59:00+08:00
    reveals: 2027-03-20 12:00 Asia/Shanghai
    corpus_sha256: 00aa
    expected: 600
"""


def test_a_challenge_as_an_organiser_writes_it(tmp_path: Path) -> None:
    path = tmp_path / "c.yaml"
    path.write_text(CHALLENGE, "utf-8")
    found = read_challenge(path)
    dev, final = found.phases
    assert (dev.kind, dev.quota, final.quota, final.expected) == ("public", 10, 3, 600)
    assert final.corpus_sha256 == "00aa"
    assert instant(final.closing) == "2027-03-08T15:59:00.000000Z"
    # A day that opens Anywhere on Earth has begun there.
    assert final.opening is not None and instant(final.opening) == "2027-03-02T12:00:00.000000Z"
    anchors = found.fixed_anchors
    assert anchors is not None and (anchors.lmin, anchors.lbase, anchors.slope) == (0.6, 2.5, 40)


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("quota: 10", "quota: 0", "phases[0].quota"),
        ("quota: 10", "quotta: 10", "unknown field `quotta`"),
        ("23:59 AoE", "23:59", "phases[0].closes: no time zone"),
        ("reveals: 2027-03-20 12:00 Asia/Shanghai", "reveals: soon", "phases[1].reveals: not a point in time"),
        ("opens: 2027-03-02 AoE", "opens: 2027-03-09 AoE", "closes before it opens"),
        ("name: final", "name: DEV", "two phases of one name"),
        ("kind: hidden", "kind: public", "a public phase hides nothing"),
        ("lmin: 0.6", "lmin: 2.6", "not a pair of anchors"),
        ("Alpha,", "Alpha, ALPHA,", "two teams of one name"),
        ("name: humdial-x", "name: ../x", "name"),
        ("track: duplex", "track: triplex", "track"),
        ("phases:", "phases: []\nother:", "unknown field"),
        ("track: duplex", "track: [", "not YAML"),
    ],
)
def test_what_is_wrong_with_a_challenge_is_named(tmp_path: Path, old: str, new: str, says: str) -> None:
    path = tmp_path / "c.yaml"
    assert old in CHALLENGE
    path.write_text(CHALLENGE.replace(old, new), "utf-8")
    with pytest.raises(UserError) as error:
        read_challenge(path)
    assert says in error.value.message
    assert "c.yaml" in error.value.message
