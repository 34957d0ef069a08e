"""Look for shortcuts in a corpus: every target against every set of clues."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Literal

import msgspec
import numpy as np

from duologue.corpus.read import Corpus
from duologue.errors import MissingPartError
from duologue.shortcuts.guess import Guess, Vector, guess, holm
from duologue.shortcuts.observe import Observation, names_of, observe, observe_twins

Verdict = Literal["ok", "shortcut", "listed", "reported", "too few"]
TARGETS = ("scenario", "action", "agreement", "emotion", "split", "twin")
CLUES = ("metadata", "length", "silence", "energy", "speaker", "voice", "room", "words")
# Only told, never judged: the words and the course of a talk are what it is about.
REPORTED = ("energy", "words")
# A guess that chance explains less often than this (after Holm), and that goes this far from chance to certainty.
SIGNIFICANT, SUBSTANTIAL = 0.05, 0.1
# What may be guessed, and why that is no artefact. "*" is any target.
LISTED: dict[tuple[str, str], str] = {
    ("scenario", "length"): "a scenario has its own number and length of turns: content",
    ("action", "length"): "an expected action goes with a scenario, whose length is content",
    ("agreement", "length"): "conflict items have their own sentences, whose length is content",
    ("emotion", "length"): "feelings have their own tempo and words: content",
    ("emotion", "voice"): "the feeling is meant to be heard in pitch, level and spectrum",
    ("agreement", "voice"): "the feelings of conflict items are meant to be heard",
    ("twin", "length"): "a twin is as long as its dialogue",
    ("split", "room"): "noises and rooms are split-disjoint by construction, so that a test brings new ones",
}
# Folds keep stories apart; where the clue's own pool is dealt out to the splits, its members are kept apart.
_FOLDS = {
    ("split", "speaker"): "speaker",
    ("split", "voice"): "speaker",
    ("split", "silence"): "noise",
    ("split", "energy"): "speaker",
    ("split", "room"): "noise",
}


class Trial(msgspec.Struct, frozen=True, kw_only=True):
    """One target and one set of clues. ``p_holm`` is adjusted over all trials that are judged."""

    target: str
    clues: str
    verdict: Verdict
    guess: Guess | None = None
    p_holm: float | None = None
    reason: str = ""


class Search(msgspec.Struct, frozen=True, kw_only=True):
    """All trials on a corpus; ``sampled`` of its ``dialogues`` were looked at."""

    name: str
    corpus_sha256: str
    dialogues: int
    sampled: int
    twins: int
    permutations: int
    trials: tuple[Trial, ...]

    @property
    def shortcuts(self) -> tuple[Trial, ...]:
        return tuple(t for t in self.trials if t.verdict == "shortcut")


def search(
    corpus: Corpus,
    *,
    sample: int = 800,
    twins: int = 200,
    permutations: int = 999,
    seed: int = 0,
    listed: dict[tuple[str, str], str] | None = None,
    progress: Callable[[], object] = lambda: None,
) -> Search:
    """Look at up to ``sample`` dialogues, chosen by a hash of their ids, and at up to ``twins`` pairs.

    ``listed`` adds to LISTED what is known and why. Raises MissingPartError without scikit-learn.
    """
    try:
        import sklearn  # noqa: F401
    except ModuleNotFoundError:
        raise MissingPartError("shortcuts need scikit-learn", mend="pip install 'duologue[analysis]'") from None
    allowed = LISTED | (listed or {})
    chosen = _chosen(corpus, sample, seed)
    single: list[Observation] = []
    pairs: list[Observation] = []
    # The order of ids over the whole corpus: a shard is of one split, so a place in it would follow from its size.
    place = {id: (rank + 0.5) / len(chosen) for rank, id in enumerate(sorted(chosen))}
    for item in corpus:
        if item.id not in chosen or not item.dialogue.audio:
            continue
        single.append(observe(item, place[item.id]))
        if len(pairs) < 2 * twins and (both := observe_twins(item)):
            pairs += both
        progress()
    raw: list[tuple[str, str, Guess | None]] = []
    for target in TARGETS:
        rows = [o for o in (pairs if target == "twin" else single) if target in o.labels]
        for clues in CLUES:
            if rows and (matrix := _matrix(rows, clues)) is not None:
                if target == "split" and clues not in ("words", "speaker"):
                    matrix = _within_cells(matrix, [o.groups["cell"] for o in rows])
                fold = "dialogue" if target == "twin" else _FOLDS.get((target, clues), "story")
                result = guess(
                    matrix,
                    [o.labels[target] for o in rows],
                    [o.groups[fold] for o in rows],
                    [o.groups["dialogue"] if target == "twin" else o.language for o in rows],
                    permutations=permutations,
                    seed=seed,
                    expand=clues not in ("words", "speaker"),
                )
                raw.append((target, clues, result))
    judged = [i for i, (t, c, g) in enumerate(raw) if g and c not in REPORTED]
    adjusted = dict(zip(judged, holm([raw[i][2].p for i in judged]), strict=True))  # type: ignore[union-attr]
    return Search(
        name=corpus.manifest.name,
        corpus_sha256=corpus.manifest.corpus_sha256,
        dialogues=len(corpus),
        sampled=len(single),
        twins=len(pairs) // 2,
        permutations=permutations,
        trials=tuple(_judged(t, c, g, adjusted.get(i), allowed) for i, (t, c, g) in enumerate(raw)),
    )


def _chosen(corpus: Corpus, sample: int, seed: int) -> set[str]:
    def key(id: str) -> bytes:
        return hashlib.sha256(f"{seed} {id}".encode()).digest()

    return set(sorted((item.id for item in corpus), key=key)[:sample])


def _matrix(rows: list[Observation], clues: str) -> Vector | None:
    """The features of one set of clues, [n, d]; None where no row has any."""
    if clues == "words":
        texts = [o.words for o in rows]
        if not any(texts):
            return None
        from sklearn.feature_extraction.text import TfidfVectorizer

        # Words where there are spaces, single characters and pairs where there are none.
        counts = TfidfVectorizer(
            analyzer="word", token_pattern=r"[^\W\u4e00-\u9fff]+|[\u4e00-\u9fff]", ngram_range=(1, 2), max_features=3000
        )
        return np.asarray(counts.fit_transform(texts).toarray(), np.float64)
    parts = []
    if all(clues in o.numbers for o in rows):
        parts.append(np.stack([o.numbers[clues] for o in rows]))
    if any(o.names.get(clues) for o in rows):
        parts.append(names_of(rows, clues))
    return np.column_stack(parts) if parts else None


def _within_cells(matrix: Vector, cells: list[str]) -> Vector:
    """Each feature less its cell's mean, over its cell's deviation: what is left tells no mix of cells."""
    matrix = matrix.copy()
    names = np.array(cells)
    for cell in np.unique(names):
        at = np.flatnonzero(names == cell)
        block = matrix[at]
        known = np.isfinite(block)
        n = np.maximum(known.sum(0), 1)
        mean = np.where(known, block, 0.0).sum(0) / n
        sd = np.sqrt(np.where(known, (block - mean) ** 2, 0.0).sum(0) / n)
        matrix[at] = (block - mean) / np.where(sd > 0, sd, 1.0)
    return matrix


def _judged(
    target: str, clues: str, result: Guess | None, p_holm: float | None, listed: dict[tuple[str, str], str]
) -> Trial:
    if result is None:
        return Trial(target=target, clues=clues, verdict="too few")
    reason = listed.get((target, clues)) or listed.get(("*", clues), "")
    if clues in REPORTED:
        verdict: Verdict = "reported"
    elif p_holm is not None and p_holm < SIGNIFICANT and result.effect >= SUBSTANTIAL:
        verdict = "listed" if reason else "shortcut"
    else:
        verdict, reason = "ok", ""
    return Trial(target=target, clues=clues, verdict=verdict, guess=result, p_holm=p_holm, reason=reason)
