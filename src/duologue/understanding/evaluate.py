"""How well the baseline understands: on a split that it never saw, and on clips that people acted.

Turn, event and clip measures are those of docs/emotion-measures.md (recognition); intervals are clustered by script
family and speaker, for acted clips by actor.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec

from duologue.corpus.read import Corpus
from duologue.corpus.truth import emotions
from duologue.errors import UserError
from duologue.score.emotion.recognition import recognise
from duologue.score.scorecard import Estimate
from duologue.score.uncertainty import Clusters, rate
from duologue.understanding import tasks
from duologue.understanding.classifier import CUES, Classifier, Example
from duologue.understanding.decode import blame, decode
from duologue.understanding.hearing import ACTIONS, HeardDialogue, hear
from duologue.understanding.model import Model
from duologue.understanding.real import actors_left_out
from duologue.understanding.stretch import RememberedListener

WAYS = ("script_family", "speaker")
ACTED = "acted emotion"


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """One task, language and cue over ``n`` examples. ``ua`` is the mean recall of gold's classes, ``wa`` share right.

    ``chosen`` says whether dev chose this cue. ``chance`` is one over gold's classes, None where there are none.
    """

    task: str
    language: str
    cue: str
    n: int
    wa: Estimate
    ua: Estimate | None = None
    chance: float | None = None
    chosen: bool = True
    by_class: dict[str, float] = {}
    confusion: dict[str, dict[str, int]] = {}


class Evaluation(msgspec.Struct, frozen=True, kw_only=True):
    """``results`` on the split; ``real`` on acted clips; ``drop``: UA of the voice on the split less that on clips.

    ``trained_on`` is the corpus that the model learnt from: another one makes this a test of transfer.
    """

    corpus: str
    corpus_sha256: str
    trained_on: str
    trained_on_sha256: str
    model_sha256: str
    split: str
    words: str
    trained_words: str
    dialogues: int
    heard: int
    results: tuple[Result, ...]
    real: tuple[Result, ...] = ()
    drop: dict[str, float] = {}


def evaluate(
    corpus: Corpus,
    model: Model,
    *,
    split: str,
    listener: RememberedListener | None,
    most: int | None = None,
    clips: Sequence[Example] = (),
    advance: Callable[[int], None] = lambda n: None,
) -> Evaluation:
    """The baseline on ``corpus`` (already filtered to ``split``) and on acted ``clips`` in English."""
    heard = list(hear(corpus, listener=listener, most=most, advance=advance))
    if not heard:
        raise UserError("nothing to evaluate on", where=corpus.root, field="split", value=split)
    results = []
    for language in sorted({h.dialogue.languages[0] for h in heard} & set(model.languages)):
        results += _language(model, language, [h for h in heard if h.dialogue.languages[0] == language])
    real = _acted(model, clips) if clips else []
    voices = {r.language: r for r in results if (r.task, r.cue) == ("emotion", "voice")}
    drop = {}
    for r in real:
        same = voices.get(r.language)
        if (r.task, r.cue) == (ACTED, "voice") and same is not None and same.ua is not None and r.ua is not None:
            drop[r.language] = (same.ua.value or 0.0) - (r.ua.value or 0.0)
    return Evaluation(
        corpus=corpus.manifest.name,
        corpus_sha256=corpus.manifest.corpus_sha256,
        trained_on=model.manifest.corpus,
        trained_on_sha256=model.manifest.corpus_sha256,
        model_sha256=model.manifest.model_sha256,
        split=split,
        words="transcript" if listener is None else "recogniser",
        trained_words=model.manifest.words,
        dialogues=len(corpus),
        heard=len(heard),
        results=tuple(results),
        real=tuple(real),
        drop=drop,
    )


def _language(model: Model, language: str, heard: Sequence[HeardDialogue]) -> list[Result]:
    found: list[Result] = []
    for task, make in (("emotion", tasks.emotion_turns), ("event", tasks.events), ("turn_end", tasks.turn_ends)):
        examples = make(heard)
        for cue in CUES:
            c = model.classifiers.get((task, language, cue))
            if c is None or not examples:
                continue
            chosen = model.chosen(task, language) is c
            gold, told = [e.label for e in examples], c.tell(examples)
            found.append(_result(task, language, cue, gold, told, _clusters(examples), chosen))
            if task == "event":
                acts = [[ACTIONS[x] for x in labels] for labels in (gold, told)]
                found.append(_result("action", language, cue, acts[0], acts[1], _clusters(examples), chosen))
    classifier = model.chosen("emotion", language)
    if classifier is not None:
        found += _sequences(model, classifier, language, [h for h in heard if h.turns])
    return found


def _sequences(model: Model, classifier: Classifier, language: str, heard: Sequence[HeardDialogue]) -> list[Result]:
    """Trajectories of dialogues of two turns or more, and the clause that is blamed for each turn with a cause."""
    whole, whole_of, gold, told, of = [], [], [], [], []
    blamed, blamed_of = [], []
    why = model.chosen("cause", language)
    for h in heard:
        felt = {t: v.label for t, v in emotions(h.dialogue).items()}
        path = decode(classifier, model.chains.get(language), h)
        judged = [t for t in path if t in felt]
        clusters = tasks.clusters_of(h.dialogue)
        if len(judged) > 1:
            whole.append(all(path[t] == felt[t] for t in judged))
            whole_of.append(clusters)
            gold += [felt[t] for t in judged]
            told += [path[t] for t in judged]
            of += [clusters] * len(judged)
        if why is not None and len(h.turns) > 1:
            right = {c.turn for c in blame(why, h, path) if c.label == tasks.YES}
            owed = sorted({t for t, _ in tasks.cause_places(h.dialogue)})
            blamed += [t in right for t in owed]
            blamed_of += [clusters] * len(owed)
    found = []
    if whole:
        exact, cue = rate(whole, _by_way(whole_of)), classifier.cue
        found.append(_result("trajectory, turns", language, cue, gold, told, _by_way(of)))
        found.append(Result(task="trajectory, whole", language=language, cue=cue, n=len(whole), wa=exact))
    if blamed:
        hit = rate(blamed, _by_way(blamed_of))
        found.append(Result(task="cause, clause", language=language, cue="both", n=len(blamed), wa=hit))
    return found


def _acted(model: Model, clips: Sequence[Example]) -> list[Result]:
    gold = [c.label for c in clips]
    clusters = {"speaker": [c.clusters["speaker"] for c in clips]}
    found = []
    for cue in CUES:
        c = model.classifiers.get(("emotion", "en", cue))
        if c is not None and (cue != "words" or any(clip.text for clip in clips)):
            found.append(_result(ACTED, "en", cue, gold, c.tell(clips), clusters, model.chosen("emotion", "en") is c))
    if len(set(clusters["speaker"])) > 1:
        told = actors_left_out(clips)
        found.append(_result(f"{ACTED}, trained on other actors", "en", "voice", gold, told, clusters))
    return found


def _result(
    task: str,
    language: str,
    cue: str,
    gold: Sequence[str],
    told: Sequence[str],
    clusters: Clusters,
    chosen: bool = True,
) -> Result:
    scores = recognise(gold, told, clusters)
    by_class = {a: row.get(a, 0) / sum(row.values()) for a, row in scores.confusion.items()}
    return Result(
        task=task,
        language=language,
        cue=cue,
        n=len(gold),
        ua=scores.ua,
        wa=scores.wa,
        chance=1 / len(by_class),
        chosen=chosen,
        by_class=by_class,
        confusion=scores.confusion,
    )


def _clusters(examples: Sequence[Example]) -> dict[str, list[str]]:
    return _by_way([e.clusters for e in examples])


def _by_way(clusters: Sequence[dict[str, str]]) -> dict[str, list[str]]:
    return {way: [c[way] for c in clusters] for way in WAYS}
