"""Score a run's answers on a track 1 corpus with the corrected profile: no judge, every expected item counted.

What is expected follows from the corpus: each probe of the tasks trajectory, reasoning and recognition; in a dialogue
without probes, its trajectory and, where causes are annotated, its reasons (probes "trajectory" and "reasoning"). An
answer names its probe or the turn that asks; where a dialogue owes a single answer it need name neither.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
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
from duologue.score.emotion.extract import Reading, label_of, read
from duologue.score.emotion.trajectory import Traced, joined, traced

PROFILE = "corrected"
TASKS = ("trajectory", "reasoning", "recognition")
# An answer of fewer words is not held against its language: "OK", "sad", a name.
TELLING = 4
# Where words and voice are told apart, what follows these is of the voice; the first that there is counts.
_VOICE = (re.compile(r"voice|tone|声音|语气|语调|口吻"), re.compile(r"sound(?:s|ed|ing)?|听起来|听上去"))
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


class _Heard(msgspec.Struct):
    """What was read in an answer."""

    status: Status
    reading: Reading = _EMPTY
    causes: tuple[CauseSpan, ...] = ()
    phrase: str = ""
    label: str = ""
    value: Any = None


def evaluate(corpus: Corpus, run: Path) -> EmotionCard:
    """The card of the answers in ``run`` (a folder with answers.jsonl, or such a file); UserError where none are."""
    wanted: list[Expected] = []
    left: Counter[str] = Counter()
    for item in corpus:
        if item.dialogue.track == "emotion":
            found = expected(item.dialogue)
            wanted += found
            left.update(p.task for p in item.dialogue.probes if p.task not in TASKS)
    card = score(wanted, read_answers(run))
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
                CauseSpan(c.emotion_turn, c.evidence_turn, c.span)
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


def score(wanted: Sequence[Expected], answers: Answers) -> EmotionCard:
    """The card of ``answers`` to what was ``wanted``, still without the corpus' name."""
    unknown: Counter[str] = Counter()
    heard: list[_Heard] = []
    known: set[tuple[str, str | int]] = set()
    owed = Counter(e.id for e in wanted)
    for e in wanted:
        names: list[str | int] = [e.probe]
        if e.turn is not None:
            names.append(e.turn)
        if owed[e.id] == 1:
            names.append("")
        keys = [(e.id, name) for name in names]
        key = next((k for k in keys if k in answers.given or k in answers.twice), keys[0])
        known.add(key)
        heard.append(_hear(e, key, answers))
        unknown.update(heard[-1].reading.unknown)
    strangers = [k for k in answers.given if k not in known]
    for k in strangers:
        answers.note(answers.lines.get(k, 0), "nothing asked", f"{k[0]} {k[1]}: no such question")
    languages = sorted({e.language for e in wanted})
    groups = ["all", *languages] if len(languages) > 1 else ["all"]
    cells = []
    for language in groups:
        inside = [i for i, e in enumerate(wanted) if language in ("all", e.language)]
        cells.append(_cell(language, [wanted[i] for i in inside], [heard[i] for i in inside]))
    return EmotionCard(
        profile=PROFILE,
        corpus="",
        corpus_sha256="",
        cells=tuple(cells),
        left_to_judges={},
        counts=dict(sorted(answers.counts.items())),
        findings=tuple(answers.findings),
        unknown_labels=dict(unknown.most_common(50)),
        read_as=dict(Counter(h.reading.how for e, h in zip(wanted, heard, strict=True) if e.task == "trajectory")),
        warnings=() if wanted else ("nothing is expected: the corpus has no probes, emotions or causes of track 1",),
        items=tuple(_item(e, h) for e, h in zip(wanted, heard, strict=True)),
    )


def _hear(e: Expected, key: tuple[str, str | int], answers: Answers) -> _Heard:
    if key in answers.twice:
        return _Heard("answered twice")
    if key not in answers.given:
        return _Heard("missing")
    value = answers.given[key]
    if value is None or (isinstance(value, str) and not value.strip()) or value in ([], {}):
        return _Heard("empty")
    if isinstance(value, str) and foreign(value, e.language):
        return _Heard("wrong language")
    if e.task == "trajectory":
        reading = read(value)
        return _Heard("scored" if any(reading.labels) else "nothing readable", reading)
    if e.task == "reasoning":
        causes = _causes(value, e.texts)
        phrase = value if isinstance(value, str) else "; ".join(_words(c, e.texts) for c in causes)
        return _Heard("scored" if split(phrase) or causes else "nothing readable", causes=causes, phrase=phrase)
    label, unknown = _label(value)
    status: Status = "scored" if label or isinstance(value, dict) else "nothing readable"
    return _Heard(status, Reading((label,) if label else (), (), "text", unknown), label=label, value=value)


def foreign(text: str, language: str) -> bool:
    """Whether an answer in words is clearly in another language than ``language``; labels and JSON are in none."""
    if text.lstrip()[:1] in "{[`" or label_of(text[:200]) or len(split(text)) < TELLING:
        return False
    if language == "zh" and 2 * len(_HANZI.findall(text)) > len(text) and not _KANA.search(text):
        return False
    found = identify(text[:2000]).language
    return found == "other" or (found in ("zh", "en") and language in ("zh", "en") and found != language)


def _label(value: Any) -> tuple[str, tuple[str, ...]]:
    """The one label that an answer gives, the voice's where words and voice are told apart; and what is unknown."""
    if isinstance(value, dict):
        name = next((value[k] for k in ("voice", "emotion", "label", "answer", "情绪", "情感") if k in value), "")
        label = label_of(name) if isinstance(name, str) else ""
        return label, (name[:80],) if isinstance(name, str) and name and not label else ()
    if isinstance(value, list):
        value = value[0] if len(value) == 1 else ""
    if not isinstance(value, str):
        return "", ()
    if label := label_of(value):
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
        place = None
        if isinstance(span, list) and len(span) == 2 and _whole(span[0]) and _whole(span[1]):
            place = (span[0], span[1])
        elif isinstance(words := entry.get("text"), str) and words and (at := texts.get(b, "").find(words)) >= 0:
            place = (at, at + len(words))
        found.append(CauseSpan(a, b, place))
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


def _cell(language: str, wanted: list[Expected], heard: list[_Heard]) -> TaskCell:
    by_task: dict[str, list[tuple[Expected, _Heard]]] = {t: [] for t in TASKS}
    for e, h in zip(wanted, heard, strict=True):
        by_task[e.task].append((e, h))
    cell = TaskCell(
        language=language,
        expected={t: len(rows) for t, rows in by_task.items() if rows},
        accounted={t: dict(sorted(Counter(h.status for _, h in rows).items())) for t, rows in by_task.items() if rows},
    )
    if rows := by_task["trajectory"]:
        cell = msgspec.structs.replace(
            cell, trajectory=trajectory.score([placed(e, h.reading) for e, h in rows], _clusters(rows))
        )
    if rows := by_task["reasoning"]:
        clusters = _clusters(rows)
        cell = msgspec.structs.replace(
            cell,
            causes=cause.score([Caused(e.causes, h.causes, e.texts) for e, h in rows], clusters),
            reasons=cause.phrases([e.references for e, _ in rows], [h.phrase for _, h in rows], clusters),
        )
    if rows := by_task["recognition"]:
        cell = _recognised(cell, rows)
    return cell


def _recognised(cell: TaskCell, rows: list[tuple[Expected, _Heard]]) -> TaskCell:
    clusters = _clusters(rows)
    gold, said = [e.labels[0] for e, _ in rows], [h.label for _, h in rows]
    cell = msgspec.structs.replace(cell, recognition=recognition.recognise(gold, said, clusters))
    if any(e.words != e.labels[0] for e, _ in rows):
        cell = msgspec.structs.replace(
            cell, conflict=recognition.conflict(gold, [e.words for e, _ in rows], said, clusters)
        )
    soft = [(e, h) for e, h in rows if e.distribution]
    if soft:
        cell = msgspec.structs.replace(
            cell,
            soft_distance=recognition.soft_distance(
                [e.distribution or {} for e, _ in soft], [_shares(h) for _, h in soft], _clusters(soft)
            ),
        )
    for name in ("valence", "arousal"):
        judged = [(e, h) for e, h in rows if getattr(e, name) is not None]
        said_values = [_number(h, name) for _, h in judged]
        # A run that gives no such number anywhere does not take part.
        if any(v is not None for v in said_values):
            value = recognition.concordance([getattr(e, name) for e, _ in judged], said_values, _clusters(judged))
            cell = msgspec.structs.replace(cell, **{name: value})
    return cell


def _shares(h: _Heard) -> dict[str, float]:
    given = h.value.get("distribution") if isinstance(h.value, dict) else None
    shares: dict[str, float] = {}
    for name, share in given.items() if isinstance(given, dict) else []:
        label = label_of(name) if isinstance(name, str) else ""
        if label and isinstance(share, int | float) and not isinstance(share, bool) and 0 < share < 1e9:
            shares[label] = shares.get(label, 0.0) + float(share)
    return shares or ({h.label: 1.0} if h.label else {})


def _number(h: _Heard, name: str) -> float | None:
    value = h.value.get(name) if isinstance(h.value, dict) else None
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def _clusters(rows: Iterable[tuple[Expected, _Heard]]) -> dict[str, list[str]]:
    rows = list(rows)
    return {way: [e.clusters.get(way, e.id) for e, _ in rows] for way in ("script_family", "speaker")}


def _item(e: Expected, h: _Heard) -> EmotionItem:
    right = h.status == "scored"
    gold, said = e.labels, tuple(h.reading.labels)
    if e.task == "trajectory":
        right = right and trajectory.exact(placed(e, h.reading))
    elif e.task == "recognition":
        right = right and h.label == e.labels[0]
    else:
        gold, said = e.references, (h.phrase[:200],)
        right = right and bool(h.causes) and cause.pairs(e.causes) == cause.pairs(h.causes)
    return EmotionItem(
        id=e.id,
        probe=e.probe,
        task=e.task,
        language=e.language,
        status=h.status,
        gold=gold,
        said=said,
        right=right,
        how=h.reading.how,
        clusters=e.clusters,
    )
