"""Linguistic naturalness of spoken replies, measured without a judge.

Eight measures in [0, 1], each None where what it needs is not there:

    relevance    given: ``nearness`` of :mod:`duologue.score.relevance` (or a judge's verdict)
    fluency      word order: SLOR of :mod:`duologue.language.fluency`, from -1.2 nats a pair (0) to 0 (1); times the
                 share of everyday words, from 10% (0) to 30% (1), so that invented syllables get none
    repetition   1 without any: distinct word pairs over word pairs (distinct-2, Li et al. 2016), the mean over
                 stretches of 50 words or hanzi, from 0.55 (0) to 0.9 (1)
    language     share of the reply in the wanted language, from 30% (0) to 70% (1)
    length       fit of the length for speech: 1 from 4 to 80 words (6 to 130 hanzi), falling to 0 at 1 word (2 hanzi)
                 and, on a log scale, at three times the upper end
    rate         fit of the speaking rate: 1 from 1.8 to 4.2 words a second (2.8 to 7 hanzi), falling to 0 at half the
                 lower and at 1.6 times the upper end
    agreement    of the run's own transcript with the words recognised in its audio: error rate (WER or CER) from 0.1
                 (1) to 0.6 (0)
    quality      of the speech, (MOS - 1) / 4

    overall      weighted geometric mean of those that are there, each at least 0.01: relevance, fluency 3; repetition,
                 language 2; length, rate, agreement, quality 1. 0 for a reply without a word

A geometric mean, since one bad side is not made up for by the others: a fluent answer to another question is not
natural. The ends of the ramps are ours; docs/naturalness.md gives where they come from and how the whole ranks good
replies against spoilt ones.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

import msgspec

from duologue.errors import UserError
from duologue.language.fluency import fluency, known_share
from duologue.language.identify import identify
from duologue.language.tokens import words

WEIGHTS = {
    "relevance": 3.0,
    "fluency": 3.0,
    "repetition": 2.0,
    "language": 2.0,
    "length": 1.0,
    "rate": 1.0,
    "agreement": 1.0,
    "quality": 1.0,
}
_FLOOR = 0.01
_FLUENT = (-1.2, 0.0)
_EVERYDAY = (0.1, 0.3)
_DISTINCT = (0.55, 0.9)
_STRETCH = 50
_SPOKEN = (0.3, 0.7)
# Words (en) or hanzi (zh): none, from, to; the upper end falls to nothing at three times ``to``.
_LENGTH = {"en": (1.0, 4.0, 80.0), "zh": (2.0, 6.0, 130.0)}
# Words or hanzi a second.
_RATE = {"en": (1.8, 4.2), "zh": (2.8, 7.0)}
_ERRORS = (0.6, 0.1)
_PLACES = 4


class SpokenReply(msgspec.Struct, frozen=True, kw_only=True):
    """What was said: ``text`` in what should be ``language`` ("en" or "zh").

    ``seconds`` of speech in the reply's audio, pauses of a second and more left out. ``relevance`` in [0, 1].
    ``error_rate``: WER or CER between the run's own transcript and what a recogniser heard, 0 and up. ``quality``: a
    mean opinion score, 1 to 5. None for each that is not known.
    """

    text: str
    language: str
    seconds: float | None = None
    relevance: float | None = None
    error_rate: float | None = None
    quality: float | None = None


class NaturalnessMeasures(msgspec.Struct, frozen=True, kw_only=True):
    """The measures of one reply, 0 worst and 1 best; None where what one needs was not there."""

    overall: float
    relevance: float | None
    fluency: float | None
    repetition: float | None
    language: float
    length: float
    rate: float | None
    agreement: float | None
    quality: float | None


def naturalness(replies: Sequence[SpokenReply]) -> list[NaturalnessMeasures]:
    """The measures of each reply, in order; UserError for an unknown language or a value outside its range."""
    return [_measure(r) for r in replies]


def _measure(r: SpokenReply) -> NaturalnessMeasures:
    _check(r)
    said = words(r.text, r.language)
    if not said:
        return NaturalnessMeasures(
            overall=0.0,
            relevance=r.relevance,
            fluency=None,
            repetition=None,
            language=0.0,
            length=0.0,
            rate=None,
            agreement=None,
            quality=None,
        )
    measures = {
        "relevance": r.relevance,
        "fluency": _fluency(r.text, r.language),
        "repetition": _unrepeated(said),
        "language": _ramp(identify(r.text).share(r.language), _SPOKEN),
        "length": _length(len(said), r.language),
        "rate": None if not r.seconds else _rate(len(said) / r.seconds, r.language),
        "agreement": None if r.error_rate is None else _ramp(r.error_rate, _ERRORS),
        "quality": None if r.quality is None else (r.quality - 1) / 4,
    }
    rounded = {name: None if value is None else round(value, _PLACES) for name, value in measures.items()}
    return NaturalnessMeasures(overall=overall(rounded), **rounded)  # type: ignore[arg-type]


def overall(measures: dict[str, float | None]) -> float:
    """exp(sum of w ln(max(0.01, m)) / sum of w) over the measures that are there; 0 for none."""
    there = [(WEIGHTS[name], value) for name, value in measures.items() if value is not None]
    if not there:
        return 0.0
    total = sum(w for w, _ in there)
    return round(math.exp(sum(w * math.log(max(_FLOOR, v)) for w, v in there) / total), _PLACES)


def distinct_2(said: Sequence[str]) -> float:
    """Distinct pairs of neighbours over all pairs, 1 for fewer than two words; the mean over stretches of 50 words."""
    stretches = [said[i : i + _STRETCH] for i in range(0, max(1, len(said) - _STRETCH // 2), _STRETCH)]
    shares = []
    for stretch in stretches:
        pairs = list(pairwise(stretch))
        shares.append(len(set(pairs)) / len(pairs) if pairs else 1.0)
    return sum(shares) / len(shares)


def _fluency(text: str, language: str) -> float | None:
    slor, everyday = fluency(text, language), known_share(text, language)
    return None if slor is None or everyday is None else _ramp(slor, _FLUENT) * _ramp(everyday, _EVERYDAY)


def _unrepeated(said: Sequence[str]) -> float:
    return _ramp(distinct_2(said), _DISTINCT)


def _length(count: int, language: str) -> float:
    none, low, high = _LENGTH[language]
    return min(_ramp(count, (none, low)), _ramp(math.log(count), (math.log(3 * high), math.log(high))))


def _rate(rate: float, language: str) -> float:
    low, high = _RATE[language]
    return min(_ramp(rate, (low / 2, low)), _ramp(rate, (1.6 * high, high)))


def _ramp(value: float, ends: tuple[float, float]) -> float:
    """0 at ``ends[0]``, 1 at ``ends[1]``, straight between and flat outside; the ends may fall."""
    return min(1.0, max(0.0, (value - ends[0]) / (ends[1] - ends[0])))


def _check(r: SpokenReply) -> None:
    if r.language not in _LENGTH:
        raise UserError("unknown language", field="language", value=r.language, allowed="en, zh")
    for field, low, high in (
        ("seconds", 0.0, math.inf),
        ("relevance", 0.0, 1.0),
        ("error_rate", 0.0, math.inf),
        ("quality", 1.0, 5.0),
    ):
        value = getattr(r, field)
        if value is not None and not low <= value <= high:  # also refuses NaN
            raise UserError("a value outside its range", field=field, value=value, allowed=f"{low:g} to {high:g}")
