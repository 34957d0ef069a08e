"""Score a run's answers on a track 1 corpus with the corrected profile: no judge, every expected item counted.

What is expected follows from the corpus: each probe of the tasks trajectory, reasoning and recognition; in a dialogue
without probes, its trajectory and, where causes are annotated, its reasons (probes "trajectory" and "reasoning"). An
answer names its probe or the turn that asks; where a dialogue owes a single answer it need name neither.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

import msgspec

from duologue.corpus.annotation import CauseAnnotation
from duologue.corpus.dialogue import Dialogue
from duologue.corpus.read import Corpus
from duologue.corpus.truth import emotions
from duologue.language.identify import identify
from duologue.language.tokens import split
from duologue.score.emotion import cause, recognition, trajectory
from duologue.score.emotion.answers import Answers, read_answers
from duologue.score.emotion.card import EmotionCard, EmotionItem, Status, TaskCell
from duologue.score.emotion.cause import Caused, CauseSpan
from duologue.score.emotion.choice import asking_turn, clusters_of, gold_trajectory
from duologue.score.emotion.extract import OwnNames, Reading, label_of, own_names, read
from duologue.score.emotion.quote import place
from duologue.score.emotion.reliability import reliability
from duologue.score.emotion.trajectory import Traced, joined, traced

PROFILE = "corrected"
TASKS = ("trajectory", "reasoning", "recognition")
# An answer of fewer words is not held against its language: "OK", "sad", a name.
TELLING = 4
# Where words and voice are told apart, what follows these is of the voice; the first that there is counts.
_VOICE = (re.compile(r"voice|tone|声音|语气|语调|口吻"), re.compile(r"sound(?:s|ed|ing)?|听起来|听上去"))
LINKED = {True: "said to be the cause", False: "not said to be the cause"}
_EMPTY = Reading(())
_HANZI, _KANA = re.compile("[\u4e00-\u9fff]"), re.compile("[\u3040-\u30ff]")


class Expected(msgspec.Struct, frozen=True, kw_only=True):
    """One answer that a run owes. ``turns`` and ``labels`` are gold's, ``texts`` those of the turns by index.

    ``turn`` is the turn that asks, None where nobody does. ``words`` and ``distribution``, ``valence``, ``arousal``
    are recognition's, where annotated.
    """

    id: str
    probe: str
    task: str
    language: str
    clusters: dict[str, str]
    turn: int | None = None
    turns: tuple[int, ...] = ()
    labels: tuple[str, ...] = ()
    causes: tuple[CauseSpan, ...] = ()
    references: tuple[str, ...] = ()
    texts: dict[int, str] = {}
    words: str = ""
    distribution: dict[str, float] | None = None
    valence: float | None = None
    arousal: float | None = None


class Heard(msgspec.Struct):
    """What was read in an answer."""

    status: Status
    reading: Reading = _EMPTY
    causes: tuple[CauseSpan, ...] = ()
    phrase: str = ""
    label: str = ""
    value: Any = None
    own: OwnNames = ()


def evaluate(corpus: Corpus, run: Path) -> EmotionCard:
    """The card of the answers in ``run`` (a folder with answers.jsonl, or such a file); UserError where none are."""
    left: Counter[str] = Counter()

    def wanted() -> Iterator[Expected]:
        for item in corpus:
            if item.dialogue.track == "emotion":
                left.update(p.task for p in item.dialogue.probes if p.task not in TASKS)
                yield from expected(item.dialogue)

    card = score(wanted(), read_answers(run), own_names(corpus.manifest.taxonomy))
    return msgspec.structs.replace(
        card,
        corpus=corpus.manifest.name,
        corpus_sha256=corpus.manifest.corpus_sha256,
        left_to_judges=dict(sorted(left.items())),
    )


def expected(d: Dialogue) -> list[Expected]:
    """What a run owes on ``d``."""
    probes: list[tuple[str, str, int | None, int | None]] = [
        (p.id, p.task, p.turn, p.target_turn) for p in d.probes if p.task in TASKS
    ]
    spans = [a.value for a in d.annotations if isinstance(a, CauseAnnotation)]
    if not d.probes:
        probes = [("trajectory", "trajectory", None, None)] if len(gold_trajectory(d)[0]) > 1 else []
        probes += [("reasoning", "reasoning", None, None)] if spans else []
    felt = emotions(d)
    texts = {t.index: t.text for t in d.turns}
    answers = {p.id: p.answer for p in d.probes}
    result = []
    for id, task, turn, target in probes:
        one = Expected(
            id=d.id, probe=id, task=task, language=d.languages[0], clusters=clusters_of(d), turn=turn, texts=texts
        )
        if task == "trajectory":
            turns, labels = gold_trajectory(d, before=asking_turn(d))
            if not turns:
                continue
            one = msgspec.structs.replace(one, turns=turns, labels=labels)
        elif task == "reasoning":
            causes = tuple(
                CauseSpan(c.emotion_turn, c.evidence_turn, c.span, (c.cause_kind, LINKED[c.explicit]))
                for c in spans
                if target is None or c.emotion_turn == target
            )
            told = "; ".join(texts.get(c.evidence_turn, "")[slice(*(c.span or (0, 0)))] for c in causes)
            if not causes:
                continue
            one = msgspec.structs.replace(one, causes=causes, references=(answers.get(id) or told,))
        else:
            value = felt.get(target if target is not None else turn or 0)
            if value is None:
                continue
            one = msgspec.structs.replace(
                one,
                labels=(value.label,),
                words=value.semantic_label or value.label,
                distribution=value.distribution,
                valence=value.valence,
                arousal=value.arousal,
            )
        result.append(one)
    return result


class _Row(msgspec.Struct, frozen=True):
    """What is kept of one expected answer: counts, not texts, so that a corpus is read once and stays on disk."""

    item: EmotionItem
    clusters: dict[str, str]
    trajectory: trajectory.Counts | None = None
    causes: cause.Counts | None = None
    reasons: tuple[bool, float, float] | None = None
    label: _Label | None = None


class _Label(msgspec.Struct, frozen=True):
    """Gold and answer of a clip: voice, words, label told, shares, valence and arousal."""

    voice: str
    words: str
    said: str
    gold_shares: dict[str, float] | None
    said_shares: dict[str, float]
    gold_numbers: tuple[float | None, float | None]
    said_numbers: tuple[float | None, float | None]


def score(wanted: Iterable[Expected], answers: Answers, own: OwnNames = ()) -> EmotionCard:
    """The card of ``answers`` to what was ``wanted`` (each dialogue's in a row), still without the corpus' name.

    ``own`` names the labels that the corpus has and the standard taxonomy lacks.
    """
    unknown: Counter[str] = Counter()
    rows: list[_Row] = []
    known: set[tuple[str, str | int]] = set()
    for _, group in groupby(wanted, key=lambda e: e.id):
        asked = list(group)
        for e in asked:
            key = key_of(e, answers, alone=len(asked) == 1)
            known.add(key)
            heard = hear(e, key, answers, own)
            unknown.update(heard.reading.unknown)
            rows.append(_row(e, heard))
    strangers = [k for k in answers.given if k not in known]
    for k in strangers:
        answers.note(answers.lines.get(k, 0), "nothing asked", f"{k[0]} {k[1]}: no such question")
    languages = sorted({r.item.language for r in rows})
    groups = ["all", *languages] if len(languages) > 1 else ["all"]
    cells = [_cell(x, [r for r in rows if x in ("all", r.item.language)]) for x in groups]
    return EmotionCard(
        profile=PROFILE,
        corpus="",
        corpus_sha256="",
        cells=tuple(cells),
        left_to_judges={},
        counts=dict(sorted(answers.counts.items())),
        findings=tuple(answers.findings),
        unknown_labels=dict(unknown.most_common(50)),
        read_as=dict(Counter(r.item.how for r in rows if r.item.task == "trajectory")),
        warnings=() if rows else ("nothing is expected: the corpus has no probes, emotions or causes of track 1",),
        items=tuple(r.item for r in rows),
    )


def key_of(e: Expected, answers: Answers, *, alone: bool) -> tuple[str, str | int]:
    """Under which name the answer to ``e`` was given; ``alone``: its dialogue owes no other, so none is needed."""
    names: list[str | int] = [e.probe]
    if e.turn is not None:
        names.append(e.turn)
    if alone:
        names.append("")
    keys = [(e.id, name) for name in names]
    return next((k for k in keys if k in answers.given or k in answers.twice), keys[0])


def hear(e: Expected, key: tuple[str, str | int], answers: Answers, own: OwnNames = ()) -> Heard:
    """What was read in the answer that was given under ``key``; ``own`` names the corpus's own labels."""
    if key in answers.twice:
        return Heard("answered twice")
    if key not in answers.given:
        return Heard("missing")
    value = answers.given[key]
    if value is None or (isinstance(value, str) and not value.strip()) or value in ([], {}):
        return Heard("empty")
    if isinstance(value, str) and foreign(value, e.language):
        return Heard("wrong language")
    if e.task == "trajectory":
        reading = read(value, own)
        return Heard("scored" if any(reading.labels) else "nothing readable", reading, value=value)
    if e.task == "reasoning":
        causes = _causes(value, e.texts)
        phrase = value if isinstance(value, str) else "; ".join(_words(c, e.texts) for c in causes)
        status: Status = "scored" if split(phrase) or causes else "nothing readable"
        return Heard(status, causes=causes, phrase=phrase, value=value)
    label, unknown = _label(value, own)
    status = "scored" if label or isinstance(value, dict) else "nothing readable"
    reading = Reading((label,) if label else (), (), "text", unknown)
    return Heard(status, reading, label=label, value=value, own=own)


def foreign(text: str, language: str) -> bool:
    """Whether an answer in words is clearly in another language than ``language``; labels and JSON are in none."""
    if text.lstrip()[:1] in "{[`" or label_of(text[:200]) or len(split(text)) < TELLING:
        return False
    if language == "zh" and 2 * len(_HANZI.findall(text)) > len(text) and not _KANA.search(text):
        return False
    found = identify(text[:2000]).language
    return found == "other" or (found in ("zh", "en") and language in ("zh", "en") and found != language)


def _label(value: Any, own: OwnNames) -> tuple[str, tuple[str, ...]]:
    """The one label that an answer gives, the voice's where words and voice are told apart; and what is unknown."""
    if isinstance(value, dict):
        name = next((value[k] for k in ("voice", "emotion", "label", "answer", "情绪", "情感") if k in value), "")
        label = label_of(name, own) if isinstance(name, str) else ""
        return label, (name[:80],) if isinstance(name, str) and name and not label else ()
    if isinstance(value, list):
        value = value[0] if len(value) == 1 else ""
    if not isinstance(value, str):
        return "", ()
    if label := label_of(value, own):
        return label, ()
    labels = joined(read(value).labels)
    if len(set(labels)) == 1:
        return labels[0], ()
    for cues in _VOICE:
        for cue in reversed(list(cues.finditer(value.casefold()))):
            if after := joined(read(value[cue.end() :]).labels):
                return after[0], ()
    return "", (value[:80],) if len(split(value)) < TELLING else ()


def _causes(value: Any, texts: dict[int, str]) -> tuple[CauseSpan, ...]:
    """Causes of a structured answer: ``{"causes": [{"emotion_turn", "evidence_turn", "span" or "text"}]}``."""
    if isinstance(value, str) and value.lstrip()[:1] in "{[":
        try:
            value = msgspec.json.decode(value)
        except (msgspec.DecodeError, RecursionError):
            return ()
    entries = value.get("causes") if isinstance(value, dict) else value
    found = []
    for entry in entries[:1000] if isinstance(entries, list) else []:
        if not isinstance(entry, dict):
            continue
        a, b, span = entry.get("emotion_turn"), entry.get("evidence_turn"), entry.get("span")
        if not (isinstance(a, int) and isinstance(b, int)):
            continue
        stands = None
        if isinstance(span, list) and len(span) == 2 and _whole(span[0]) and _whole(span[1]):
            stands = (span[0], span[1])
        elif isinstance(words := entry.get("text"), str):
            stands = place(words, texts.get(b, ""))
        found.append(CauseSpan(a, b, stands))
    return tuple(found)


def _whole(x: Any) -> bool:
    return isinstance(x, int) and not isinstance(x, bool)


def _words(c: CauseSpan, texts: dict[int, str]) -> str:
    return texts.get(c.evidence_turn, "")[max(c.span[0], 0) : max(c.span[1], 0)] if c.span else ""


def placed(e: Expected, reading: Reading) -> Traced:
    """A reading beside its gold: by the turns it names, as indexes of the dialogue or counted from 1 (or 0)."""
    if reading.turns and e.turns:
        for numbering in (e.turns, range(1, len(e.turns) + 1), range(len(e.turns))):
            where = {t: i for i, t in enumerate(numbering)}
            if all(t in where for t in reading.turns):
                labels = [""] * len(e.turns)
                for t, label in zip(reading.turns, reading.labels, strict=True):
                    labels[where[t]] = label
                return traced(e.labels, labels, placed=True)
    return traced(e.labels, reading.labels)


def _cell(language: str, rows: list[_Row]) -> TaskCell:
    by_task: dict[str, list[_Row]] = {t: [] for t in TASKS}
    for r in rows:
        by_task[r.item.task].append(r)
    expected = {t: len(found) for t, found in by_task.items() if found}
    changes: dict[str, Any] = {}
    if found := by_task["trajectory"]:
        changes["trajectory"] = trajectory.summary([r.trajectory for r in found if r.trajectory], _clusters(found))
    if found := by_task["reasoning"]:
        clusters = _clusters(found)
        changes["causes"] = cause.summary([r.causes for r in found if r.causes], clusters)
        changes["reasons"] = cause.phrase_summary([r.reasons for r in found if r.reasons], clusters)
    if found := by_task["recognition"]:
        changes |= _recognised(found)
    return TaskCell(
        language=language,
        expected=expected,
        accounted={t: dict(sorted(Counter(r.item.status for r in by_task[t]).items())) for t in expected},
        reliability={
            t: reliability([r.item.confidence for r in by_task[t]], [r.item.right for r in by_task[t]])
            for t in expected
        },
        **changes,
    )


def _recognised(rows: list[_Row]) -> dict[str, Any]:
    clusters = _clusters(rows)
    labels = [(r, r.label) for r in rows if r.label]
    gold, said = [x.voice for _, x in labels], [x.said for _, x in labels]
    found: dict[str, Any] = {"recognition": recognition.recognise(gold, said, clusters)}
    if any(x.words != x.voice for _, x in labels):
        found["conflict"] = recognition.conflict(gold, [x.words for _, x in labels], said, clusters)
    if soft := [(r, x, x.gold_shares) for r, x in labels if x.gold_shares]:
        found["soft_distance"] = recognition.soft_distance(
            [g for _, _, g in soft], [x.said_shares for _, x, _ in soft], _clusters([r for r, _, _ in soft])
        )
    for k, name in enumerate(("valence", "arousal")):
        judged = [(r, g, x.said_numbers[k]) for r, x in labels if (g := x.gold_numbers[k]) is not None]
        # A run that gives no such number anywhere does not take part.
        if any(v is not None for _, _, v in judged):
            found[name] = recognition.concordance(
                [g for _, g, _ in judged], [v for _, _, v in judged], _clusters([r for r, _, _ in judged])
            )
    return found


def _shares(h: Heard) -> dict[str, float]:
    given = h.value.get("distribution") if isinstance(h.value, dict) else None
    shares: dict[str, float] = {}
    for name, share in given.items() if isinstance(given, dict) else []:
        label = label_of(name, h.own) if isinstance(name, str) else ""
        if label and isinstance(share, int | float) and not isinstance(share, bool) and 0 < share < 1e9:
            shares[label] = shares.get(label, 0.0) + float(share)
    return shares or ({h.label: 1.0} if h.label else {})


def _number(value: Any, name: str) -> float | None:
    found = value.get(name) if isinstance(value, dict) else None
    if not isinstance(found, int | float) or isinstance(found, bool):
        return None
    # A whole number of any length is a number in JSON, and not in floating point.
    return float(max(min(found, 1e9), -1e9))


def _confidence(h: Heard) -> float | None:
    """What an answer says of itself, or the share that its distribution gives to the label that it names."""
    told = _number(h.value, "confidence")
    if told is not None or not (isinstance(h.value, dict) and isinstance(h.value.get("distribution"), dict)):
        return told
    shares = _shares(h)
    return shares.get(h.label, 0.0) / sum(shares.values()) if h.label and shares else None


def _clusters(rows: Sequence[_Row]) -> dict[str, list[str]]:
    return {way: [r.clusters.get(way, r.item.id) for r in rows] for way in ("script_family", "speaker")}


def _row(e: Expected, h: Heard) -> _Row:
    scored = h.status == "scored"
    gold, said = e.labels, tuple(h.reading.labels)
    steps = causes = reasons = label = None
    if e.task == "trajectory":
        steps = trajectory.count(placed(e, h.reading))
        right, merit = scored and steps.exact, steps.similarity
    elif e.task == "reasoning":
        gold, said = e.references, (h.phrase[:200],)
        causes = cause.count(Caused(e.causes, h.causes, e.texts))
        reasons = cause.phrase(e.references, h.phrase)
        right = scored and bool(h.causes) and cause.pairs(e.causes) == cause.pairs(h.causes)
        merit = causes.score if h.causes else reasons[1]
    else:
        right = scored and h.label == e.labels[0]
        merit = float(right)
        label = _Label(
            voice=e.labels[0],
            words=e.words,
            said=h.label,
            gold_shares=e.distribution,
            said_shares=_shares(h),
            gold_numbers=(e.valence, e.arousal),
            said_numbers=(_number(h.value, "valence"), _number(h.value, "arousal")),
        )
    item = EmotionItem(
        id=e.id,
        probe=e.probe,
        task=e.task,
        language=e.language,
        clusters=e.clusters,
        status=h.status,
        gold=gold,
        said=said,
        right=right,
        how=h.reading.how,
        score=merit,
        confidence=_confidence(h),
    )
    return _Row(item, e.clusters, steps, causes, reasons, label)
