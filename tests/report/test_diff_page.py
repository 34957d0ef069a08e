"""The page and the JUnit file of a comparison."""

from __future__ import annotations

import re
from pathlib import Path
from xml.etree import ElementTree

import msgspec
import pytest
from browser import look, parse
from cards import card, fabricate
from hypothesis import given, settings
from hypothesis import strategies as st

from duologue.corpus import read
from duologue.report.diff_page import render
from duologue.report.junit import junit
from duologue.report.score_gallery import GalleryItem
from duologue.score.diff import diff
from duologue.score.scorecard import ItemScore, Outcome, Scorecard

# One worker builds the small corpus for all of these.
pytestmark = pytest.mark.xdist_group("small_scored_corpus")

HOSTILE = "<script>alert(1)</script>]]>\"'&\x00\x1b\udcff"


def replace(x, **changes):
    return msgspec.structs.replace(x, **changes)


def text_of(page: str) -> str:
    return re.sub(r"\s+", " ", " ".join(parse(page).text))


@pytest.fixture(scope="module")
def two(
    small: read.Corpus,
) -> tuple[tuple[Scorecard, dict[str, GalleryItem]], tuple[Scorecard, dict[str, GalleryItem]]]:
    return fabricate(small, system="v1"), fabricate(small, seed=3, system=HOSTILE, late=7.0)


def test_the_page_shows_verdict_figures_and_both_sounds(two, tmp_path: Path) -> None:
    (a, sounds_a), (b, sounds_b) = two
    d = diff(a, b)
    both = [i for i in d.regressed if i in sounds_a and i in sounds_b][:2]
    assert both
    page = render(d, [(sounds_a[i], sounds_b[i]) for i in both])
    reader = parse(page)
    text = text_of(page)
    assert f"The headline went from {d.headline.a:.3f} to {d.headline.b:.3f}" in text
    assert f"{d.headline.difference.value:+.3f}" in text
    for reason in d.reasons:
        assert reason in text
    for c in d.cells:
        assert f"{c.difference.value:+.2f}" in text
    for i in d.unscored + d.regressed + d.improved:
        assert i in text
    assert [tag for tag, _ in reader.tags].count("audio") == 2 * len(both)
    assert [tag for tag, _ in reader.tags].count("script") == 1
    assert not re.findall(r"url\(|@import|https?://", page)
    seen = look(page, 375, tmp_path)
    assert seen.complaints == [] and seen.scroll <= seen.inner and seen.flat == 0


def items(outcomes: dict[str, tuple[float, Outcome]]) -> list[ItemScore]:
    return [
        ItemScore(id=i, language="en", scenario="pause", split="test", outcome=o, utility=u, why=f"because {i}")
        for i, (u, o) in outcomes.items()
    ]


def test_junit_counts_failures_and_skips() -> None:
    a = card(items({"w": (0.9, "scored"), "x": (0.9, "scored"), "y": (0.9, "scored"), "z": (0.0, "missing")}))
    b = card(items({"w": (0.9, "scored"), "x": (0.2, "scored"), "y": (0.0, "failed"), "z": (0.0, "missing")}))
    root = ElementTree.fromstring(junit(diff(a, b)))
    # One reason (y is not scored any more) and four items: x lost, y is gone, z was never there.
    assert root.tag == "testsuites"
    assert {k: root.get(k) for k in ("tests", "failures", "errors")} == {
        "tests": "5",
        "failures": "3",
        "errors": "0",
    }
    suite = next(s for s in root if s.get("name") == "pause")
    assert suite.get("skipped") == "1"
    cases = {c.get("name"): c for c in suite.findall("testcase")}
    assert list(cases) == ["w", "x", "y", "z"]
    assert len(cases["w"]) == 0
    assert cases["x"].find("failure").get("message") == "utility 0.900 to 0.200 because x"
    assert cases["y"].find("failure").get("type") == "failed"
    assert cases["z"].find("skipped") is not None
    same = ElementTree.fromstring(junit(diff(a, a)))
    assert same.get("failures") == "0" and same.find("testsuite/testcase").get("name") == "no regression"


@settings(max_examples=60, deadline=None)
@given(st.text(min_size=1, max_size=20))
def test_junit_is_valid_xml_whatever_the_names(name: str) -> None:
    a = card(items({f"x{name}": (0.9, "scored")}), system=name, name=name)
    b = card(items({f"x{name}": (0.1, "scored")}), system=name, name=name)
    root = ElementTree.fromstring(junit(diff(a, b)))
    kept = re.sub("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]", "\ufffd", f"x{name}")
    assert root.findall("testsuite")[1].find("testcase").get("name") == kept
    assert root.findall("testsuite")[1].find("testcase/failure") is not None


def test_junit_keeps_hostile_text_as_text() -> None:
    a = card([replace(i, why=HOSTILE) for i in items({HOSTILE: (0.9, "scored")})], system=HOSTILE)
    b = card([replace(i, why=HOSTILE, utility=0.0) for i in a.items], system=HOSTILE)
    root = ElementTree.fromstring(junit(diff(a, b)))
    failure = root.findall("testsuite")[1].find("testcase/failure")
    assert "<script>alert(1)</script>]]>\"'&\ufffd\ufffd\ufffd" in failure.text
