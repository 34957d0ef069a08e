"""Does a reply's prosody carry the feeling that was asked for? By our own classifier, whose error is stated.

The classifier hears prosody alone and is right about half the time on speakers it never heard (listen/emotion.py). So
the share of replies heard as asked is given beside ``ceiling``: how often real acted clips of the same feelings, by
speakers left out of training, are heard as meant. A system at the ceiling expresses as people who act do, as far as
this ear can tell.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from duologue.listen.emotion import MERGED, EmotionListener, Recall, leave_speakers_out, recall
from duologue.score.scorecard import Estimate
from duologue.score.uncertainty import Clusters, clustered_mean, rate


class Ear(msgspec.Struct, frozen=True):
    """A classifier that was fitted, and how it does on speakers that it never heard."""

    listener: EmotionListener
    hearing: Hearing


class Hearing(msgspec.Struct, frozen=True, kw_only=True):
    """The ear's own error: ``recall`` of ``clips`` clips by ``speakers`` speakers, each heard by the others' ear."""

    recall: Recall
    clips: int
    speakers: int
    chance: float


class ExpressionScores(msgspec.Struct, frozen=True, kw_only=True):
    """``heard_as_asked`` over all replies of which a feeling was asked, a missing one being wrong.

    Its value is None where no ear listened. ``ceiling``: the mean, over the replies, of
    the ear's own recall of the feeling asked for. ``confusion``: asked -> heard -> n, "" for no reply.
    ``intelligible``: mean of 1 - error rate of the words heard, 0 for no reply, None where no words were given.
    """

    heard_as_asked: Estimate
    ceiling: float | None
    confusion: dict[str, dict[str, int]]
    intelligible: Estimate


def ear(clips: Sequence[dict[str, float]], labels: Sequence[str], speakers: Sequence[str], *, loudness: bool) -> Ear:
    """An ear from labelled clips (features of listen/emotion.py); its error is that with each speaker left out.

    ``loudness`` False where the recordings to be judged have levels of their own. Raises ValueError for fewer than two
    speakers, as nothing would be known of the error.
    """
    if len(set(speakers)) < 2:
        raise ValueError("an ear needs clips of two speakers or more")
    heard = leave_speakers_out(clips, labels, speakers, loudness=loudness)
    found = recall(labels, heard)
    hearing = Hearing(recall=found, clips=len(clips), speakers=len(set(speakers)), chance=1 / len(found.by_class))
    return Ear(EmotionListener(loudness=loudness).fit(clips, labels), hearing)


def express(
    asked: Sequence[str],
    heard: Sequence[str] | None,
    hearing: Hearing | None,
    clusters: Clusters,
    *,
    word_errors: Sequence[float | None] = (),
) -> ExpressionScores:
    """Feelings that the ear ``heard`` in the replies [n], "" where there is none, against those ``asked`` for.

    ``heard`` is None where no ear listened. ``word_errors`` are WER (en) or CER (zh) of the words heard against those
    asked for, None for a missing reply; an error rate above 1 counts as 1.
    """
    wanted = [MERGED.get(a, a) for a in asked]
    confusion: dict[str, dict[str, int]] = {}
    for a, b in zip(wanted, heard, strict=True) if heard is not None else ():
        row = confusion.setdefault(a, {})
        row[b] = row.get(b, 0) + 1
    known = [hearing.recall.by_class.get(a, 0.0) for a in wanted] if hearing is not None else []
    clear = [0.0 if e is None else max(0.0, 1 - e) for e in word_errors]
    right = [a == b for a, b in zip(wanted, heard, strict=True)] if heard is not None else []
    return ExpressionScores(
        heard_as_asked=rate(right, clusters) if right else Estimate(value=None),
        ceiling=sum(known) / len(known) if known else None,
        confusion=confusion,
        intelligible=clustered_mean(clear, clusters) if clear else Estimate(value=None),
    )
