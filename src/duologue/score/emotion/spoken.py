"""The spoken replies of a run on track 1: do they carry the feeling that was asked for, and can they be understood?

Expected is a reply to every probe of the tasks expression, whose ``answer`` states the feeling ("angry:3") and whose
``reference`` the words, and empathy, where nothing is asked of the voice and the words are the run's own answer.
A reply that is missing, mute or unreadable counts as failed. In a run that was kept on the dialogue's clock
(observations.jsonl) the reply is what sounds after the turn that asks; a file of its own is all reply.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import msgspec
import numpy as np
import numpy.typing as npt

from duologue.corpus.emotion import DUOLOGUE
from duologue.corpus.observation import Observation
from duologue.corpus.probe import Probe
from duologue.corpus.read import Corpus, OpenDialogue
from duologue.corpus.run import RATE, Run
from duologue.corpus.truth import emotions
from duologue.errors import MissingPartError, UserError
from duologue.listen.acted import read_acted
from duologue.listen.emotion import MERGED, absolute
from duologue.listen.prosody import measure
from duologue.listen.readback import compare
from duologue.listen.transcribe import Listener
from duologue.score.emotion.answers import Answers
from duologue.score.emotion.card import EmotionCard, ReplyItem, ReplyStatus, SpokenCard, SpokenCell
from duologue.score.emotion.choice import clusters_of
from duologue.score.emotion.expression import Ear, ear, express

TASKS = ("expression", "empathy")
# Turns of a corpus that an ear is trained on; more change little.
MOST = 1500
# A reply softer than this throughout (RMS of its loudest 40 ms, dB full scale) is mute.
MUTE = -70.0

Samples = npt.NDArray[np.float32]


class _Reply(msgspec.Struct):
    item: ReplyItem
    clusters: dict[str, str]
    samples: Samples | None = None
    features: dict[str, float] | None = None


def acted_ear(folder: Path) -> Ear:
    """An ear trained on clips that people acted: ``folder`` with labels.csv of file, emotion, actor.

    UserError for a row whose file, label or actor is missing or unknown.
    """
    clips: list[dict[str, float]] = []
    labels: list[str] = []
    speakers: list[str] = []
    for clip in read_acted(folder):
        if (found := measure(clip.samples, clip.rate)) is not None:
            clips.append(absolute(found))
            labels.append(clip.label)
            speakers.append(clip.actor)
    return _fitted(clips, labels, speakers, str(folder))


def corpus_ear(corpus: Corpus) -> Ear:
    """An ear trained on the user's turns of the corpus' train split."""
    clips: list[dict[str, float]] = []
    labels: list[str] = []
    speakers: list[str] = []
    for item in Corpus(corpus.root, track="emotion", split="train"):
        felt = emotions(item.dialogue)
        for t in item.dialogue.turns:
            if t.role != "user" or t.index not in felt or not t.segments or len(clips) >= MOST:
                continue
            pieces = list(item.segments(t))
            found = measure(np.concatenate([x for x, _ in pieces]), pieces[0][1])
            if found is not None:
                clips.append(absolute(found))
                labels.append(felt[t.index].label)
                speakers.append(t.speaker)
    return _fitted(clips, labels, speakers, f"{corpus.manifest.name}, train split")


def _fitted(clips: Sequence[dict[str, float]], labels: Sequence[str], speakers: Sequence[str], where: str) -> Ear:
    # The levels of clips and replies are not comparable.
    if len(set(speakers)) < 2 or len({MERGED.get(x, x) for x in labels}) < 2:
        raise UserError("too little to train an ear on", where=where, allowed="two speakers and two feelings or more")
    return ear(clips, labels, speakers, loudness=False)


def add_spoken(
    card: EmotionCard,
    corpus: Corpus,
    run: Run,
    answers: Answers,
    *,
    make_ear: Callable[[], Ear],
    ear_from: str,
    listener: Listener | None,
    words_from: str,
) -> EmotionCard:
    """``card`` with the spoken replies that ``corpus`` expects of ``run``; unchanged where it expects none.

    ``make_ear`` is asked only where a reply sounds. A part that is not installed is named in ``ear_from`` and
    ``words_from``, and what it would have measured has no value.
    """
    replies = list(_replies(corpus, run, answers))
    if not replies:
        return card
    sounding = [r for r in replies if r.item.status == "heard"]
    trained: Ear | None = None
    if any(r.item.asked for r in sounding):
        try:
            trained = make_ear()
        except UserError as error:
            ear_from = f"no ear: {error.message}"
    if trained is not None:
        heard = trained.listener.hear([r.features for r in sounding if r.features is not None])
        for r, label in zip((r for r in sounding if r.features is not None), heard, strict=True):
            asked = MERGED.get(r.item.asked, r.item.asked)
            r.item = msgspec.structs.replace(r.item, heard=label, right=bool(asked) and label == asked)
    understood = listener is not None
    try:
        for r in sounding if listener is not None else ():
            r.item = _understood(r, listener)
    except MissingPartError as error:
        understood, words_from = False, f"not heard: {error.message}"
    return msgspec.structs.replace(
        card,
        spoken=SpokenCard(
            cells=tuple(_cells(replies, trained, sounded=bool(sounding), understood=understood)),
            hearing=trained.hearing if trained is not None else None,
            ear_from=ear_from,
            words_from=words_from,
            items=tuple(r.item for r in replies),
        ),
        left_to_judges={t: n for t, n in card.left_to_judges.items() if t != "expression"},
    )


def _replies(corpus: Corpus, run: Run, answers: Answers) -> Iterator[_Reply]:
    for item in corpus:
        d = item.dialogue
        for probe in d.probes:
            if d.track != "emotion" or probe.task not in TASKS:
                continue
            asked = probe.answer.partition(":")[0] if probe.task == "expression" else ""
            told = next((answers.given[k] for k in ((d.id, probe.id), (d.id, probe.turn), (d.id, ""))
                         if k in answers.given), "")  # fmt: skip
            text = probe.reference if probe.task == "expression" else told
            reply = ReplyItem(
                id=d.id,
                probe=probe.id,
                task=probe.task,
                language=d.languages[0],
                status="missing",
                asked=DUOLOGUE.resolve(asked, where=f"dialogue {d.id}", field="answer") if asked else "",
                text=text if isinstance(text, str) else "",
            )
            yield _listened(_Reply(reply, clusters_of(d)), item, probe, run)


def _listened(reply: _Reply, item: OpenDialogue, probe: Probe, run: Run) -> _Reply:
    seen = run.observe(item.dialogue)
    samples, seen = run.system(seen, item.dialogue, item)
    status: ReplyStatus = "heard"
    if seen.status != "ok":
        status = "infrastructure" if seen.status == "infrastructure" else "unreadable"
        status = "missing" if seen.status == "missing" else status
    else:
        samples = samples[_start(item, probe, seen, on_clock=item.id in run.observed) :]
        found = measure(samples, RATE)
        if found is None or found.energy_mean < MUTE:
            status = "mute"
        else:
            reply.features, reply.samples = absolute(found), samples
    reply.item = msgspec.structs.replace(reply.item, status=status, why=seen.why)
    return reply


def _start(item: OpenDialogue, probe: Probe, seen: Observation, *, on_clock: bool) -> int:
    """Where the reply may begin, samples at 16 kHz."""
    if not on_clock:
        return 0
    if sent := [s.end for s in seen.sent if s.turn == probe.turn]:
        return round(max(sent) * RATE / seen.sample_rate)
    main = item.file()
    ends = [s.end for t in item.dialogue.turns if t.index == probe.turn for s in t.segments if s.audio == main.id]
    return round(max(ends, default=0) * RATE / main.sample_rate)


def _understood(reply: _Reply, listener: Listener | None) -> ReplyItem:
    """The item with what the recogniser heard and, where a text is known, its error rate."""
    item = reply.item
    if listener is None or reply.samples is None or not item.text.strip():
        return item
    words = listener.hear(reply.samples, RATE, language=item.language, times=False).text
    try:
        return msgspec.structs.replace(item, words=words, error=compare([item.text], [words], item.language).rate)
    except MissingPartError:
        raise
    except UserError:
        # A text without a word cannot be misheard.
        return msgspec.structs.replace(item, words=words)


def _cells(replies: Sequence[_Reply], trained: Ear | None, *, sounded: bool, understood: bool) -> Iterator[SpokenCell]:
    languages = sorted({r.item.language for r in replies})
    for language in ["all", *languages] if len(languages) > 1 else ["all"]:
        rows = [r for r in replies if language in ("all", r.item.language)]
        asked = [r for r in rows if r.item.asked]
        clusters = {way: [r.clusters[way] for r in asked] for way in ("script_family", "speaker")}
        # Where nothing sounds no ear is needed to hear that nothing is as asked.
        heard = None if trained is None and sounded else [r.item.heard for r in asked]
        errors = [None if r.item.status != "heard" else r.item.error for r in asked]
        yield SpokenCell(
            language=language,
            expected=len(rows),
            accounted=dict(sorted(Counter(r.item.status for r in rows).items())),
            not_asked=len(rows) - len(asked),
            scores=express(
                [r.item.asked for r in asked],
                heard,
                trained.hearing if trained is not None else None,
                clusters,
                word_errors=errors if understood or not sounded else (),
            )
            if asked
            else None,
        )
