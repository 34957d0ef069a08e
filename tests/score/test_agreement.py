"""Agreement: published examples, well-kept libraries, intervals that draw dialogues, and disorderly tables."""

from __future__ import annotations

import csv
import json
import math
import re
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

from duologue.cli import cli
from duologue.errors import UserError
from duologue.score.agreement import (
    agree,
    disagreement,
    icc2,
    kappa_of_table,
    krippendorff_alpha,
    soft_labels,
    weighted_kappa,
)
from duologue.score.ratings import read_ratings

N = math.nan
# Krippendorff (2011), Computing Krippendorff's Alpha-Reliability, section C: 4 observers, 12 units, missing data.
OBSERVERS = [
    [1, 2, 3, 3, 2, 1, 4, 1, 2, N, N, N],
    [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, N, 3],
    [N, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, N],
    [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, N],
]
# Shrout & Fleiss (1979), table 2: 6 targets, 4 judges.
SHROUT_FLEISS = [[9, 2, 5, 8], [6, 1, 3, 2], [8, 4, 6, 8], [7, 1, 2, 6], [10, 5, 6, 9], [6, 2, 4, 7]]
RATINGS = st.lists(st.lists(st.sampled_from([1.0, 2.0, 3.0, 5.0, N]), min_size=3, max_size=3), min_size=2, max_size=12)


@pytest.mark.parametrize(("level", "published"), [("nominal", 0.743), ("ordinal", 0.815), ("interval", 0.849)])
def test_alpha_is_krippendorffs_own(level: str, published: float) -> None:
    found = krippendorff_alpha(np.transpose(OBSERVERS), level)  # type: ignore[arg-type]
    assert found == pytest.approx(published, abs=5e-4)


def test_alpha_worked_by_hand() -> None:
    # Krippendorff (2011), section A, two observers, ten units, values 0 and 1: 4 disagreements and 14 zeros, 6 ones:
    # o01 = 4, n = 20, alpha = 1 - 19 * 4 / (14 * 6) = 0.095.
    a, b = [0, 1, 0, 0, 0, 0, 0, 0, 1, 0], [1, 1, 1, 0, 0, 1, 0, 0, 0, 0]
    assert krippendorff_alpha(np.transpose([a, b]), "nominal") == pytest.approx(1 - 19 * 4 / (14 * 6))


@settings(max_examples=60, deadline=None)
@given(RATINGS, st.sampled_from(["nominal", "ordinal", "interval"]))
def test_alpha_equals_the_library_krippendorff(rows: list[list[float]], level: str) -> None:
    library = pytest.importorskip("krippendorff", reason="krippendorff is not installed")
    x = np.array(rows)
    found = krippendorff_alpha(x, level)  # type: ignore[arg-type]
    pairable = x[(~np.isnan(x)).sum(axis=1) > 1]
    if len(np.unique(pairable[~np.isnan(pairable)])) < 2:
        assert found is None  # the library raises, or gives 1 or NaN
        return
    assert found == pytest.approx(float(library.alpha(x.T, level_of_measurement=level)), abs=1e-9)


def test_icc_is_the_published_one() -> None:
    one, average = icc2(SHROUT_FLEISS)
    assert one == pytest.approx(0.29, abs=0.005) and average == pytest.approx(0.62, abs=0.005)


def test_icc_equals_the_library_pingouin() -> None:
    library = pytest.importorskip("pingouin", reason="pingouin is not installed")
    import pandas

    x = np.random.default_rng(4).integers(1, 6, (20, 3)) + np.arange(20)[:, None] // 7
    rows = [{"item": i, "rater": j, "value": float(v)} for (i, j), v in np.ndenumerate(x)]
    table = library.intraclass_corr(pandas.DataFrame(rows), targets="item", raters="rater", ratings="value")
    # Releases name the two-way random cases ICC2 and ICC2k, or after McGraw & Wong (1996).
    values = dict(zip(table["Type"], table["ICC"], strict=True))
    wanted = [values.get("ICC2", values.get("ICC(A,1)")), values.get("ICC2k", values.get("ICC(A,k)"))]
    assert icc2(x) == pytest.approx(wanted)


def test_weighted_kappa_is_cohens_own() -> None:
    # Cohen (1968), table 1: proportions of 200 patients by two psychiatrists; kappa_w = 0.348.
    counts = [[0.44, 0.07, 0.09], [0.05, 0.20, 0.05], [0.01, 0.03, 0.06]]
    assert kappa_of_table(counts, [[0, 1, 3], [1, 0, 6], [3, 6, 0]]) == pytest.approx(0.348, abs=5e-4)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(1, 5), st.integers(1, 5)), min_size=2, max_size=30))
def test_weighted_kappa_equals_the_library_scikit_learn(pairs: list[tuple[int, int]]) -> None:
    metrics = pytest.importorskip("sklearn.metrics", reason="scikit-learn is not installed")
    a, b = [p for p, _ in pairs], [q for _, q in pairs]
    for weights in ("none", "linear", "quadratic"):
        found = weighted_kappa(a, b, weights)  # type: ignore[arg-type]
        if len({*a, *b}) == 1:
            assert found is None
            continue
        named = None if weights == "none" else weights
        wanted = metrics.cohen_kappa_score(a, b, weights=named, labels=range(1, 6))
        assert found == pytest.approx(wanted, abs=1e-9)


def test_values_are_apart_by_their_difference_not_their_place() -> None:
    # 1, 3, 5 are the grades of two of the official tasks.
    assert disagreement([1, 3, 5], "quadratic").tolist() == [[0, 4, 16], [4, 0, 4], [16, 4, 0]]


def test_undefined_coefficients_are_none() -> None:
    assert krippendorff_alpha([[3, 3], [3, 3]], "interval") is None
    assert krippendorff_alpha([[3, N], [N, 2]], "nominal") is None
    assert krippendorff_alpha(np.empty((0, 2)), "nominal") is None
    assert icc2([[3, 3], [3, 3]]) == (None, None) and icc2([[1, 2]]) == (None, None)
    assert weighted_kappa([2, 2], [2, 2]) is None and weighted_kappa([], []) is None


def test_soft_labels_are_shares_of_raters() -> None:
    rows = [{"a": "sad", "b": "angry", "c": "sad"}, {}, {"a": "calm"}]
    assert soft_labels(rows) == [{"sad": 2 / 3, "angry": 1 / 3}, {}, {"calm": 1.0}]


# -- the command ------------------------------------------------------------------------------------------------------


def run(path: Path, *options: str) -> dict[str, object]:
    result = CliRunner().invoke(cli, ["agree", str(path), "--json", *options])
    assert result.exit_code == 0, result.output
    found: dict[str, object] = json.loads(result.stdout)
    return found


def write(path: Path, header: str, rows: list[tuple[object, ...]]) -> Path:
    with path.open("w", newline="", encoding="utf-8") as f:
        csv.writer(f).writerows([header.split(","), *rows])
    return path


def panel(dialogues: int, turns: int, *, between: float, seed: int = 1) -> list[tuple[object, ...]]:
    """Three people and a judge who grades a point higher; quality is a dialogue's own, so turns of one are alike."""
    random, rows = np.random.default_rng(seed), []
    for d in range(dialogues):
        quality, harsh = 3 + between * random.normal(), random.normal()
        for t in range(turns):
            for rater, shift in (("anna", 0.0), ("bo", 0.8 * harsh), ("chen", 0.0), ("judge-1", 1.0)):
                value = int(np.clip(round(quality + shift + 0.5 * random.normal()), 1, 5))
                rows.append((f"d{d}-{t}", f"d{d}", rater, value))
    return rows


def test_raters_and_a_judge(tmp_path: Path) -> None:
    path = write(tmp_path / "r.csv", "item,dialogue,rater,value", panel(30, 4, between=1.2))
    (d,) = run(path)["dimensions"]  # type: ignore[misc]
    assert (d["items"], d["dialogues"], d["ratings"]) == (120, 30, 480)
    assert set(d["raters"]) == {"anna", "bo", "chen"} and set(d["judges"]) == {"judge-1"}
    for e in [*d["alpha"].values(), *d["icc"].values(), d["rater_kappa"], *d["judge_kappa"].values()]:
        assert e["low"] < e["value"] < e["high"] and e["clusters"] == 30
    # The mean of three is more reliable than one, and a judge that is a point off lowers agreement.
    assert d["icc"]["ICC(2,k)"]["value"] > d["icc"]["ICC(2,1)"]["value"]
    assert d["alpha_with_judges"]["interval"]["value"] < d["alpha"]["interval"]["value"]
    pair = next(p for p in d["pairs"] if (p["a"], p["b"]) == ("judge-1", "anna"))
    assert pair["bias"] > 0.5 and pair["n"] == 120
    # Each coefficient is what the functions give on the same numbers.
    table = read_ratings(path).tables[0].numbers[:, :3]
    assert d["alpha"]["ordinal"]["value"] == pytest.approx(krippendorff_alpha(table, "ordinal"))
    assert d["icc"]["ICC(2,k)"]["value"] == pytest.approx(icc2(table)[1])
    text = CliRunner().invoke(cli, ["agree", str(path)]).output
    assert "ICC(2,k)" in text and "judge-1" in text


def test_intervals_draw_dialogues_and_repeat(tmp_path: Path) -> None:
    rows = panel(25, 8, between=1.0)
    clustered = write(tmp_path / "c.csv", "item,dialogue,rater,value", rows)
    alone = write(tmp_path / "a.csv", "item,rater,value", [(i, r, v) for i, _, r, v in rows])

    def width(path: Path, *more: str) -> float:
        (d,) = run(path, *more)["dimensions"]  # type: ignore[misc]
        return float(d["alpha"]["interval"]["high"] - d["alpha"]["interval"]["low"])

    # Eight turns of a dialogue are alike, so that taking items for independent claims too much.
    assert width(clustered) > 1.3 * width(alone)
    assert width(clustered) == width(clustered) != width(clustered, "--seed", "1")
    (d,) = run(clustered, "--resamples", "0")["dimensions"]  # type: ignore[misc]
    assert d["alpha"]["interval"]["low"] is None and d["alpha"]["interval"]["value"] is not None


def test_a_draw_of_dialogues_equals_the_coefficient_of_its_items() -> None:
    """The fast sums over draws give what the formula gives on the drawn items written out."""
    from duologue.score.agreement import _alpha, _Bootstrap, _coincidences, _icc

    x = np.transpose(OBSERVERS)
    draw = _Bootstrap([str(i // 3) for i in range(12)], 5, 7)
    values = np.unique(x[~np.isnan(x)])
    (drawn,) = draw.summed(_coincidences(x, values, draw.codes, draw.groups))
    whole = np.array(SHROUT_FLEISS * 2, float) + np.arange(12)[:, None]
    (w,) = draw.weights()
    for b in range(5):
        items = np.repeat(np.arange(12), w[b, draw.codes].astype(int))
        assert _alpha(drawn[b : b + 1], values, "ordinal")[0] == pytest.approx(krippendorff_alpha(x[items], "ordinal"))
        assert _icc(whole, w[b : b + 1, draw.codes])[1][0] == pytest.approx(icc2(whole[items])[1])


def test_labels_of_several_raters_become_soft_labels(tmp_path: Path) -> None:
    path = tmp_path / "r.csv"
    path.write_bytes("\ufeffid,dialogue_id,甲,乙,丙\n1,a,生气,生气,难过\n2,a,高兴,高兴,高兴\n3,b,难过,,难过\n".encode())
    (d,) = run(path)["dimensions"]  # type: ignore[misc]
    assert d["values"] == "labels" and set(d["alpha"]) == {"nominal"} and d["icc"] == {}
    assert d["soft"] == {"1": {"生气": 2 / 3, "难过": 1 / 3}, "2": {"高兴": 1.0}, "3": {"难过": 1.0}}
    # By hand: o = 8 pairable ratings; disagreement 2 (items 1: 4 of 6 ordered pairs, each over m - 1 = 2);
    # margins 生气 2, 难过 3, 高兴 3: expected 2 * (2*3 + 2*3 + 3*3) = 42, alpha = 1 - 7 * 2 / 42.
    assert d["alpha"]["nominal"]["value"] == pytest.approx(1 - 7 * 2 / 42)


def test_faults_of_a_table_are_named_and_counted_once(tmp_path: Path) -> None:
    path = tmp_path / "r.csv"
    path.write_text(
        "item,dialogue,rater,rater_type,dimension,value\n"
        "i1,d1,a,human,fit,4\ni1,d1,b,human,fit,5\n\ni1,d1,a,human,fit,1\n,d1,a,human,fit,2\ni3,d2,,human,fit,3\n"
        "i2,d2,a,human,fit,2\ni2,d9,b,human,fit,\ni2,d9,b,human,fit,3\ni1,d1,gpt,model,fit,5\n"
        "i1,d1,a,human,tone,warm\ni1,d1,b,human,tone,3\n"
    )
    found = run(path)
    fit, tone = found["dimensions"]  # type: ignore[misc]
    assert (fit["ratings"], fit["judges"], fit["raters"]) == (6, {"gpt": 1}, {"a": 3, "b": 2})
    assert fit["soft"]["i1"] == {"4": 0.5, "5": 0.5} and tone["values"] == "labels"
    said = "\n".join(found["problems"])  # type: ignore[arg-type]
    assert "r.csv:5: 'i1' was rated by 'a' at r.csv:2; the first counts" in said
    assert "r.csv:7: no rater" in said and "another dialogue" in said and "1 cells without a rating" in said
    assert "tone: 1 of 2 are no numbers, such as 'warm'" in said


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("", "no rating"),
        ("item,rater,value\n", "no rating"),
        ("rater,value\na,1\n", "r.csv:1: no column for the item"),
        ("item,a\n1,2\n", "neither rater and value nor two raters"),
        ("item,a,a\n1,2,3\n", "r.csv:1: a: a column comes twice"),
        ("item,rater,value\n1,a,\n", "no rating"),
    ],
)
def test_tables_without_what_is_needed(tmp_path: Path, content: str, says: str) -> None:
    path = tmp_path / "r.csv"
    path.write_text(content)
    with pytest.raises(UserError) as error:
        read_ratings(path)
    assert says in error.value.message


def test_a_judge_that_is_no_rater_and_a_file_that_is_none(tmp_path: Path) -> None:
    path = write(tmp_path / "r.csv", "item,a,b", [(1, 2, 3), (2, 4, 4)])
    with pytest.raises(UserError, match="no such rater"):
        read_ratings(path, ["gpt"])
    with pytest.raises(UserError, match="cannot be read"):
        read_ratings(tmp_path / "nowhere.csv")
    path.write_bytes(b"item,a,b\n\xff,1,2\n")
    with pytest.raises(UserError, match=r"r\.csv:2: not UTF-8"):
        read_ratings(path)


def test_the_example_of_the_page_runs_on_agreement(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = Path(__file__).parents[2] / "docs" / "agreement.md"
    write(tmp_path / "ratings.csv", "item,dialogue,rater,value", panel(20, 2, between=1.0))
    monkeypatch.chdir(tmp_path)
    (code,) = re.findall(r"```python\n(.*?)```", page.read_text("utf-8"), re.DOTALL)
    found: dict[str, object] = {}
    exec(compile(code, str(page), "exec"), found)
    assert found["found"].dimensions[0].alpha["ordinal"].low is not None  # type: ignore[attr-defined]


def test_one_item_or_one_dialogue_gives_no_interval(tmp_path: Path) -> None:
    found = agree(read_ratings(write(tmp_path / "r.csv", "item,dialogue,a,b", [(1, "d", 2, 3), (2, "d", 4, 4)])))
    alpha = found.dimensions[0].alpha["interval"]
    assert alpha.value is not None and alpha.low is None and alpha.clusters == 1
