"""The ranking of track 1 from its teams' scores, as the HumDial challenge computed it (ICASSP 2026).

Final(language) = 0.2 T1 + 0.2 T2 + 0.1 T3D1 + 0.25 T3D2 + 0.25 T3D3, Final = (zh + en) / 2, where T1 and T2 are the
means of their three dimensions. Nothing is rounded on the way. See
:mod:`duologue.score.profiles.humdial2026.emotion.totals` and ``docs/emotion-official-profile.md``.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import msgspec

from duologue.challenge.team_table import TeamRow, read_rows
from duologue.errors import UserError
from duologue.score.profiles.humdial2026.emotion.totals import final_score, language_score, task_score
from duologue.score.profiles.humdial2026.rounding import exact

LANGUAGES = ("zh", "en")
# By how much a printed average may differ from the mean of the printed dimensions.
ROUNDED = 0.01
_COLUMNS = "team,lang,t1_d1,t1_d2,t1_d3 (or t1),t2_d1,t2_d2,t2_d3 (or t2),t3_d1,t3_d2,t3_d3"


class EmotionTeam(msgspec.Struct, frozen=True, kw_only=True):
    """A team's score in a language, 1-5, as an exact fraction of the table's decimal figures."""

    team: str
    language: str
    score: Fraction


class EmotionRank(msgspec.Struct, frozen=True, kw_only=True):
    """A row of the ranking, scores 1-5. What a language is missing for is None; ``rank`` is shared by equal totals."""

    team: str
    zh: float | None
    en: float | None
    total: float | None
    rank: int | None


def read_emotion(path: Path) -> list[EmotionTeam]:
    """Teams of a CSV, a line a team and language, columns team, lang, t1_d1..t1_d3 or t1, t2_d1.. or t2, t3_d1..t3_d3.

    A line that gives both dimensions and their average, as the published table does, is scored by the dimensions; the
    average has to agree to 0.01. Other columns are left alone, and so are empty lines. UserError names file, line and
    column of what is wrong.
    """
    found: dict[tuple[str, str], EmotionTeam] = {}
    lines: dict[tuple[str, str], int] = {}
    for row in read_rows(path, _wrong_columns, _COLUMNS):
        team, language = row.text("team"), row.text("lang").casefold()
        if language not in LANGUAGES:
            raise UserError("unknown language", where=row.where, field="lang", value=language, allowed="zh, en")
        key = team, language
        if key in found:
            raise UserError(f"the team of line {lines[key]} again, in {language}", where=row.where, value=team)
        t3 = [_grade(row, f"t3_d{i}") for i in (1, 2, 3)]
        score = language_score(_task(row, "t1"), _task(row, "t2"), t3)
        found[key], lines[key] = EmotionTeam(team=team, language=language, score=score), row.line
    return list(found.values())


def compute_emotion(teams: Sequence[EmotionTeam]) -> list[EmotionRank]:
    """Rank ``teams``, the best first; of equals the one that was given first.

    A team that lacks a language has no total and no rank, and comes last.
    """
    scores: dict[str, dict[str, Fraction]] = {}
    for t in teams:
        scores.setdefault(t.team, {})[t.language] = t.score
    totals = {name: final_score(s["zh"], s["en"]) for name, s in scores.items() if len(s) == len(LANGUAGES)}
    order = sorted(scores, key=lambda name: (name not in totals, -totals.get(name, Fraction(0))))
    return [
        EmotionRank(
            team=name,
            zh=_number(scores[name].get("zh")),
            en=_number(scores[name].get("en")),
            total=_number(totals.get(name)),
            rank=1 + sum(t > totals[name] for t in totals.values()) if name in totals else None,
        )
        for name in order
    ]


def _wrong_columns(header: dict[str, int]) -> str:
    missing = [n for n in ("team", "lang", "t3_d1", "t3_d2", "t3_d3") if n not in header]
    for task in ("t1", "t2"):
        lacking = [n for n in _dimensions(task) if n not in header]
        if lacking and task not in header:
            missing += [task] if len(lacking) == 3 else lacking
    return f"no column {', '.join(missing)}" if missing else ""


def _dimensions(task: str) -> list[str]:
    return [f"{task}_d{i}" for i in (1, 2, 3)]


def _task(row: TeamRow, task: str) -> Fraction:
    given = [row.has(n) for n in _dimensions(task)]
    if not any(given) and task in row.header:
        return exact(_grade(row, task))
    score = task_score([_grade(row, n) for n in _dimensions(task)])
    if row.has(task) and abs(score - exact(_grade(row, task))) > ROUNDED:
        raise UserError(
            "not the mean of its dimensions",
            where=row.where,
            field=task,
            value=row.text(task),
            allowed=f"{float(score):.2f}",
        )
    return score


def _grade(row: TeamRow, column: str) -> float:
    return row.number(column, 1, 5, "1-5")


def _number(score: Fraction | None) -> float | None:
    return None if score is None else float(score)
