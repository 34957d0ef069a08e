"""Submissions to track 1 against each other, dialogue by dialogue: paired tests and the ranks that stay open."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec
import numpy as np

from duologue.errors import UserError
from duologue.judge.grades import DIMENSIONS
from duologue.score.comparison import Ranking, rank
from duologue.score.profiles.humdial2026.emotion.evaluate import LANGUAGES, EmotionScore, grade
from duologue.score.profiles.humdial2026.emotion.totals import WEIGHTS

LARGEST = 1 << 30


def read_scores(paths: Sequence[Path]) -> dict[str, EmotionScore]:
    """The scores in files of ``duologue score --layout humdial --track emotion --json``, by the files' names.

    UserError names a file that is none, and names that come twice.
    """
    found: dict[str, EmotionScore] = {}
    for path in paths:
        try:
            if path.stat().st_size > LARGEST:
                raise UserError("too large a score", where=str(path), allowed=f"up to {LARGEST} bytes")
            score = msgspec.json.decode(path.read_bytes(), type=EmotionScore)
        except OSError as error:
            raise UserError(f"cannot be read: {error.strerror}", where=str(path)) from None
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise UserError(
                f"no score of track 1: {error}",
                where=str(path),
                mend="duologue score DIR --layout humdial --track emotion --json",
            ) from None
        if path.stem in found:
            raise UserError("two files of this name", where=str(path), value=path.stem)
        found[path.stem] = score
    return found


def rank_submissions(scores: Mapping[str, EmotionScore]) -> Ranking:
    """Rank submissions by the official total under "floor", at 95% for all at once; see :func:`rank`.

    Grades of one dialogue, in any of the tasks, are taken together. UserError where one was not judged in full, or
    where they were not scored on the same replies.
    """
    wanted: tuple[str, ...] = ()
    for name, score in scores.items():
        if not score.complete and score.floor.value is None:
            raise UserError(f"not judged in full: {score.why}", where=name)
        ids = tuple(f"{r.id} turn {r.turn}" for r in score.replies)
        if wanted and ids != wanted:
            odd = sorted(set(ids) ^ set(wanted))
            raise UserError("not scored on the same replies as the others", where=name, value=odd[0])
        wanted = ids
    if not scores:
        return rank({}, {})
    first = next(iter(scores.values()))
    # The macro mean over language and task of these values is the total.
    cells = len(DIMENSIONS) * len(LANGUAGES)
    values = {
        name: np.array(
            [
                cells
                * sum(float(WEIGHTS[d]) / len(LANGUAGES) * (grade(j, "floor") or 0.0) for d, j in r.judgements.items())
                for r in score.replies
            ]
        )
        for name, score in scores.items()
    }
    return rank(
        values,
        {"dialogue": [f"{r.language}/{r.dialogue}" for r in first.replies]},
        strata=[f"{r.language}/{r.task}" for r in first.replies],
        bounds=None,
    )
