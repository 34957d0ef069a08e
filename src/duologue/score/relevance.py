"""Whether a reply is about what was asked: the true query against other queries, by meaning, without a judge.

For one reply, the candidates are the true query, the previous query and queries of other dialogues. Fillers at the
reply's start, stock answers ("it depends") and the words that it copied from the true query are taken out of it first.

    centred cosine     c(a, b) = cos(e(a) - m, e(b) - m'), with e the encoder and m, m' the mean vectors of a fixed set
                       of everyday passages and queries in the language (background_*.txt). Sentence vectors share a
                       large common part, and some queries are near everything ("hubs", Radovanovic et al. 2010);
                       centring removes both (Suzuki et al. 2013; Mu & Viswanath 2018).
    similarity         c(reply, query); for the true query, where there is a reference, plus what
                       c(reply, reference) is above 0.35, which replies on other matters seldom reach.
    rank               1 + the number of other candidates at least as similar as the true one.
    worth of the rank  (1/rank - h) / (1 - h), not below 0, with h = H(n)/n the mean reciprocal rank of a guess among
                       n: 1 for the first place, 0.40 for the second and 0.19 for the third of 21; a guess gets 0.08.
    content            matter that is left, in words (a hanzi is half a word): 0 up to one, 1 from four on.
    language           0 where at most 30% of the reply is in the wanted language, 1 from 70% on; times the share of
                       everyday words in replies of five and more, 0 up to 10%, 1 from 30% on (invented syllables).
    score              worth of the rank x content x language; 0 where the previous query is at least as similar.

The previous query is no rival where the true one asks it again (60% of its matter) or leans on it: a query of at most
three words of matter ("that's too long") whose reference is nearer, by 0.12, to the previous query than to itself. In
the latter case the similarity to the previous query counts as one to the true query.

The score says what a reply is about. It does not hear whether its sentences are well formed: a reply with its words
in disorder keeps its score here and loses it in :mod:`duologue.score.naturalness`.
"""

from __future__ import annotations

import random
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from functools import cache
from importlib import resources
from itertools import pairwise
from typing import Literal, NamedTuple, get_args

import msgspec
import numpy as np

from duologue.errors import UserError
from duologue.language.encoder import Side, TextEncoder, Vectors
from duologue.language.fluency import known_share
from duologue.language.identify import identify
from duologue.language.tokens import split, words
from duologue.score.content import content_units, without_copied
from duologue.score.filler import without_fillers

DISTRACTORS = 20
# The published threshold: from this score on a reply counts as one to its query (docs/naturalness.md).
RELEVANT = 0.3
# Share of a query's matter that the previous query has too, from which it is the same question again.
_ASKED_AGAIN = 0.6
# Matter (words) up to which a query may mean nothing without the previous one ("that's too long").
_LEANS = 3.0
# How much nearer its reference then is to the previous query.
_LEANS_BY = 0.12
# Centred cosine of reply and reference above which it counts as evidence.
_LIKE_REFERENCE = 0.35
# Centred cosines from which a text says the same, or goes on with the same matter: from no credit to full.
_PARAPHRASE = (0.35, 0.7)
_SAME_MATTER = (-0.05, 0.1)
# Margins from none to full nearness.
_NEAR = (-0.3, 0.1)
# Scores are compared after rounding to this many places, since other texts in a batch move the last bits.
_PLACES = 4
LANGUAGES = ("en", "zh")

_SENTENCE = re.compile("[.!?。！？；;]+")

Why = Literal["", "empty", "generic", "copied", "thin", "language"]


class Reply(msgspec.Struct, frozen=True, kw_only=True):
    """A reply to ``query`` in ``language`` ("en" or "zh").

    ``previous`` is the query before it, ``reference`` an answer that is known to be right, "" where there is none.
    ``distractors`` are queries of other dialogues (:func:`choose_distractors`).
    """

    text: str
    language: str
    query: str
    previous: str = ""
    reference: str = ""
    distractors: tuple[str, ...] = ()


class RankedReply(msgspec.Struct, frozen=True, kw_only=True):
    """How a reply fared.

    ``rank`` of ``of`` candidates, 1 is best; ``of`` where nothing is left to rank. ``score`` in [0, 1]. ``margin`` is
    the true query's similarity less that of the best other candidate, in [-2, 2]. ``previous_wins``: the reply is at
    least as close to the previous query. ``copied`` is the share of the reply's words (hanzi) that the user said
    before. ``empty``: no content was said. ``content`` and ``spoken`` (language) are the factors of the score; ``why``
    names what took most from it. ``nearness`` is the margin on a scale, from -0.3 (0) to 0.1 (1), x content x language:
    finer than the score but not 0 by chance (0.3 off topic), for putting replies in order.
    """

    rank: int
    of: int
    score: float
    margin: float
    previous_wins: bool
    copied: float
    empty: bool
    content: float
    spoken: float
    nearness: float = 0.0
    why: Why = ""


class Query(msgspec.Struct, frozen=True):
    """A query that can serve as a distractor: where it comes from (script family), its language and words."""

    text: str
    language: str
    family: str


def choose_distractors(
    pool: Iterable[Query],
    *,
    language: str,
    family: str,
    seed: int | str,
    exclude: Iterable[str] = (),
    count: int = DISTRACTORS,
) -> tuple[str, ...]:
    """``count`` different queries of ``language`` and of other families than ``family``, spread over these.

    The choice depends on the pool's set of queries, the language, the family and the seed (the item's id), and on
    nothing else. Fewer come back where the pool has no more. ``exclude`` are texts that may not be chosen.
    """
    shut = set(exclude)
    by_family: dict[str, set[str]] = {}
    for q in pool:
        if q.language == language and q.family != family and q.text not in shut:
            by_family.setdefault(q.family, set()).add(q.text)
    rng = random.Random(f"{seed}\0{language}\0{family}")
    queues = [rng.sample(sorted(by_family[f]), len(by_family[f])) for f in sorted(by_family)]
    rng.shuffle(queues)
    chosen: dict[str, None] = {}
    while queues and len(chosen) < count:
        for queue in queues[: count - len(chosen)]:
            chosen[queue.pop()] = None
        queues = [q for q in queues if q]
    return tuple(chosen)[:count]


class Relevance:
    """Judges replies with ``encoder`` (:class:`SentenceEncoder`, or :class:`LexicalEncoder` where it is missing)."""

    def __init__(self, encoder: TextEncoder) -> None:
        self.encoder = encoder
        self._means: dict[tuple[str, Side], Vectors] = {}

    def rank(self, replies: Sequence[Reply]) -> list[RankedReply]:
        """One verdict a reply, in order. UserError for an unknown language or a blank query."""
        bare = [_bare(r) for r in replies]
        near = self._centred(
            [(b.reply.language, "passage", text) for b in bare for text in (b.left, b.reference) if text]
            + [(b.reply.language, "query", text) for b in bare for text in b.candidates if b.left]
        )
        return [self._ranked(b, near) for b in bare]

    def repeats(self, reply: str, heard: str, language: str) -> float:
        """How much ``reply`` says again what was ``heard`` before, in [0, 1].

        The larger of two: the share of word pairs (hanzi pairs) that reply and ``heard`` share, of whichever has fewer,
        less where the reply is under five words or eight hanzi; and, for a paraphrase, the centred cosine with
        ``heard`` or one of its sentences, from 0.35 (nothing) to 0.7 (all).
        """
        _check(language)
        said = without_fillers(reply, language)
        mine, theirs = words(said, language), words(heard, language)
        if len(mine) < 2 or not theirs:
            return 0.0
        pairs, known = Counter(pairwise(mine)), Counter(pairwise(theirs))
        shared = (pairs & known).total() / max(1, min(pairs.total(), known.total()))
        enough = min(1.0, len(mine) / min(len(theirs), 8 if language == "zh" else 5))
        parts = [heard, *(s for s in _SENTENCE.split(heard) if content_units(s, language) > 1)]
        alike = self._closest(said, parts, language)
        return round(
            max(shared * enough, _ramp(alike, _PARAPHRASE) * min(1.0, content_units(said, language) / 3)), _PLACES
        )

    def continues(self, before: str, after: str, language: str, whole: str = "") -> float:
        """How far ``after`` goes on from where ``before`` stopped, in [0, 1], rather than starting over or elsewhere.

        (1 - the share of the word pairs of ``after`` that ``before`` has) x the share of it in ``language`` x whether
        it is the same matter. With ``whole``, the answer as it was to be, that is the larger of the share of the word
        pairs of ``after`` that ``whole`` has, and the centred cosine with ``whole``, from 0.35 (elsewhere) to 0.7.
        Without, it is the centred cosine with ``before``, from -0.05 to 0.1, which tells another matter from the rest
        of the same answer only now and then: two halves of one answer need not resemble each other. A restart gets 0,
        and so do silence, fillers and stock answers.
        """
        _check(language)
        said = _without_stock(without_fillers(after, language), language)
        mine = words(said, language)
        if len(mine) < 2 or not before.strip():
            return 0.0
        pairs = Counter(pairwise(mine))
        again = (pairs & Counter(pairwise(words(before, language)))).total() / pairs.total()
        if whole:
            planned = (pairs & Counter(pairwise(words(whole, language)))).total() / pairs.total()
            same = max(planned, _ramp(self._closest(said, [whole], language), _PARAPHRASE))
        else:
            same = _ramp(self._closest(said, [before], language), _SAME_MATTER)
        return round((1 - again) * same * identify(said).share(language), _PLACES)

    def _closest(self, text: str, others: Sequence[str], language: str) -> float:
        near = self._centred([(language, "passage", t) for t in (text, *others)])
        mine = near[language, "passage", text]
        return max(float(near[language, "passage", o] @ mine) for o in others)

    def _centred(self, wanted: Sequence[tuple[str, Side, str]]) -> dict[tuple[str, Side, str], Vectors]:
        """Unit vectors of texts with the mean of their language and side taken off."""
        found: dict[tuple[str, Side, str], Vectors] = {}
        for side in get_args(Side):
            keys = list(dict.fromkeys(k for k in wanted if k[1] == side))
            if not keys:
                continue
            vectors = self.encoder.encode([text for _, _, text in keys], side)
            for key, vector in zip(keys, vectors, strict=True):
                off = vector - self._mean(key[0], side)
                found[key] = off / max(float(np.linalg.norm(off)), 1e-9)
        return found

    def _mean(self, language: str, side: Side) -> Vectors:
        if (language, side) not in self._means:
            self._means[language, side] = self.encoder.encode(_background(language, side), side).mean(axis=0)
        return self._means[language, side]

    def _ranked(self, b: _Bare, near: dict[tuple[str, Side, str], Vectors]) -> RankedReply:
        language, of = b.reply.language, len(b.candidates)
        if not b.left:
            return RankedReply(
                rank=of,
                of=of,
                score=0.0,
                margin=-1.0,
                previous_wins=False,
                copied=b.copied,
                empty=not b.said,
                content=0.0,
                spoken=b.spoken,
                why=b.why or "copied",
            )
        mine = near[language, "passage", b.left]
        alike = [round(float(near[language, "query", c] @ mine), _PLACES) for c in b.candidates]
        rival = b.previous
        if b.reference:
            right = near[language, "passage", b.reference]
            if rival and content_units(b.reply.query, language) <= _LEANS:
                asked, before = (float(near[language, "query", c] @ right) for c in b.candidates[:2])
                if before >= asked + _LEANS_BY:  # the right answer is one to the previous query: the turn leans on it
                    alike[0] = max(alike[0], alike.pop(1))
                    rival = False
            alike[0] = round(alike[0] + max(0.0, float(right @ mine) - _LIKE_REFERENCE), _PLACES)
        rank = 1 + sum(a >= alike[0] for a in alike[1:])
        of = len(alike)
        stale = rival and alike[1] >= alike[0]
        content = min(1.0, max(0.0, (content_units(b.left, language) - 1) / 3))
        worth = 0.0 if stale else worth_of_rank(rank, of)
        margin = alike[0] - max(alike[1:], default=0.0)
        why: Why = b.why
        if not why and content < 0.5:
            why = "copied" if b.copied > 0.5 else "thin"
        return RankedReply(
            rank=rank,
            of=of,
            score=round(worth * content * b.spoken, _PLACES),
            margin=round(margin, _PLACES),
            previous_wins=stale,
            copied=b.copied,
            empty=False,
            content=round(content, _PLACES),
            spoken=b.spoken,
            nearness=round(_ramp(margin, _NEAR) * content * b.spoken, _PLACES),
            why=why,
        )


def worth_of_rank(rank: int, of: int) -> float:
    """(1/rank - h) / (1 - h), not below 0; h = H(of)/of is the mean of 1/rank by chance. 0 for one candidate."""
    if of < 2:
        return 0.0
    chance = sum(1 / k for k in range(1, of + 1)) / of
    return max(0.0, (1 / rank - chance) / (1 - chance))


class _Bare(NamedTuple):
    """A reply made ready: ``said`` without fillers, ``left`` also without stock answers and copied words."""

    reply: Reply
    said: str
    left: str
    reference: str
    candidates: tuple[str, ...]
    previous: bool
    copied: float
    spoken: float
    why: Why


def _bare(r: Reply) -> _Bare:
    _check(r.language)
    if not split(r.query):
        raise UserError("a reply's query holds no word", field="query", value=r.query)
    after_fillers = without_fillers(r.text, r.language)
    said = _without_stock(after_fillers, r.language)
    left, _ = without_copied(said, r.query, r.language)
    _, copied = without_copied(r.text, f"{r.query}\n{r.previous}", r.language)
    reference = without_copied(r.reference, r.query, r.language)[0] or r.reference
    # A query that asks the previous one again has no rival in it.
    asked_again = without_copied(r.query, r.previous, r.language)[1] >= _ASKED_AGAIN
    previous = bool(split(r.previous)) and not asked_again
    others = ((r.previous,) if previous else ()) + tuple(d for d in r.distractors if d not in (r.query, r.previous))
    spoken = _ramp(identify(said).share(r.language), (0.3, 0.7))
    if len(split(said)) >= 5:
        spoken *= _ramp(known_share(said, r.language) or 0.0, (0.1, 0.3))
    spoken = round(spoken, _PLACES)
    why: Why = ""
    if not split(after_fillers):
        why = "empty"
    elif not split(said):
        why = "generic"
    elif spoken < 0.5:
        why = "language"
    return _Bare(
        reply=r,
        said=after_fillers,
        left=left if split(said) else "",
        reference=reference if split(reference) else "",
        candidates=(r.query, *others[:DISTRACTORS]),
        previous=previous,
        copied=round(copied, _PLACES),
        spoken=spoken,
        why=why,
    )


def _check(language: str) -> None:
    if language not in LANGUAGES:
        raise UserError("unknown language", field="language", value=language, allowed=", ".join(LANGUAGES))


def _ramp(value: float, ends: tuple[float, float]) -> float:
    return min(1.0, max(0.0, (value - ends[0]) / (ends[1] - ends[0])))


@cache
def _background(language: str, side: Side) -> tuple[str, ...]:
    text = (resources.files("duologue.score") / f"background_{language}.txt").read_text("utf-8")
    asked, told = text.removeprefix("# query\n").split("\n# passage\n")
    return tuple((asked if side == "query" else told).strip().split("\n"))


@cache
def _stock(language: str) -> re.Pattern[str]:
    rows = (resources.files("duologue.score") / f"stock_{language}.txt").read_text("utf-8").split("\n")
    edge = "" if language == "zh" else r"\b"
    return re.compile("|".join(f"{edge}(?:{row}){edge}" for row in rows if row), re.IGNORECASE)


def _without_stock(text: str, language: str) -> str:
    return str(_stock(language).sub("", text.replace("’", "'")))
