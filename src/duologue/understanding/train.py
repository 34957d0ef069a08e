"""Train the baseline on a corpus' train split; dev chooses; the test split is never opened."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from importlib import metadata
from itertools import pairwise
from pathlib import Path

import numpy as np

from duologue.corpus.read import Corpus, resolve_inside
from duologue.corpus.truth import emotions
from duologue.errors import UserError
from duologue.listen.emotion import recall
from duologue.models.catalogue import WHISPER
from duologue.understanding import tasks
from duologue.understanding.classifier import CUES, STRENGTHS, Classifier, Cue, Example, fit
from duologue.understanding.decode import decode
from duologue.understanding.hearing import HeardDialogue, hear
from duologue.understanding.model import Chain, Choice, Model, ModelManifest, ModelPart, SplitSeen
from duologue.understanding.stretch import RememberedListener

# Weights of the chain of feelings of which dev chooses.
CHAIN_WEIGHTS = (0.0, 0.5, 1.0)


def train(
    folder: Path,
    *,
    listener: RememberedListener | None,
    most: int | None = None,
    advance: Callable[[int], None] = lambda n: None,
) -> Model:
    """A model of the corpus in ``folder``, the same bytes for the same corpus, options and versions.

    Words come from ``listener``, or from the transcripts where it is None; ``most`` dialogues at most are heard of each
    track, language and split. UserError where train or dev is empty or holds dialogues of another split.
    """
    seen, heard = {}, {}
    for split in ("train", "dev"):
        corpus = Corpus(folder, split=split)
        shards = {s.name: _checked(corpus, s.path, s.sha256) for s in corpus.shards}
        found = list(hear(corpus, listener=listener, most=most, advance=advance))
        strangers = [h.dialogue.id for h in found if h.dialogue.split != split]
        if strangers:
            raise UserError(
                f"a dialogue of another split in a shard of {split}", where=strangers[0], mend="run 'duologue check'"
            )
        if not found:
            raise UserError(f"the corpus has no {split} split", where=str(folder), mend="build it with train and dev")
        seen[split], heard[split] = SplitSeen(dialogues=len(corpus), heard=len(found), shards=shards), found
    whole = Corpus(folder)
    seen["test"] = SplitSeen(dialogues=sum(s.dialogues for s in whole.shards if s.split == "test"), heard=0)
    choices: list[Choice] = []
    classifiers: dict[tuple[str, str, str], Classifier] = {}
    chains: dict[str, Chain] = {}
    for language in sorted({h.dialogue.languages[0] for h in heard["train"]}):
        learn, dev = (_of(heard[split], language) for split in ("train", "dev"))
        for task, make in (("emotion", tasks.emotion_turns), ("event", tasks.events), ("turn_end", tasks.turn_ends)):
            choices += _choose(task, language, make(learn), make(dev), CUES, classifiers)
        causes = [
            [c for h in part for c in tasks.causes(h, {t: v.label for t, v in emotions(h.dialogue).items()})]
            for part in (learn, dev)
        ]
        choices += _choose("cause", language, causes[0], causes[1], ("both",), classifiers)
        chosen = next((c for c in choices if (c.task, c.language) == ("emotion", language)), None)
        if chosen is not None:
            chains[language] = _chain(learn, dev, classifiers["emotion", language, chosen.cue])
    if not classifiers:
        raise UserError("nothing to learn from", where=str(folder), allowed="annotated feelings, causes or events")
    manifest = ModelManifest(
        duologue=metadata.version("duologue"),
        corpus=whole.manifest.name,
        corpus_sha256=whole.manifest.corpus_sha256,
        words="transcript" if listener is None else "recogniser",
        most=most,
        splits=seen,
        parts=_parts(recognised=listener is not None),
        files={},
        choices=tuple(choices),
    )
    return Model(manifest, classifiers, chains)


def _checked(corpus: Corpus, path: str, sha256: str) -> str:
    real = Path(resolve_inside(corpus.root, path))
    if hashlib.sha256(real.read_bytes()).hexdigest() != sha256:
        raise UserError("the shard is not what the manifest says", where=path, mend="run 'duologue check'")
    return sha256


def _of(heard: Sequence[HeardDialogue], language: str) -> list[HeardDialogue]:
    return [h for h in heard if h.dialogue.languages[0] == language]


def _choose(
    task: str,
    language: str,
    learn: Sequence[Example],
    dev: Sequence[Example],
    cues: Sequence[Cue],
    classifiers: dict[tuple[str, str, str], Classifier],
) -> list[Choice]:
    """Fit every cue at every strength, keep the best strength of each, and say which cue does best on dev."""
    if len({e.label for e in learn}) < 2 or not dev:
        return []
    best: dict[Cue, tuple[float, float]] = {}
    for cue in cues:
        for strength in STRENGTHS:
            fitted = fit(learn, cue, strength)
            score = recall([e.label for e in dev], fitted.tell(dev)).mean
            if cue not in best or score > best[cue][0]:
                best[cue] = (score, strength)
                classifiers[task, language, cue] = fitted
    chosen = max(cues, key=lambda c: best[c][0])
    return [
        Choice(
            task=task,
            language=language,
            cue=chosen,
            strength=best[chosen][1],
            n=len(dev),
            train=len(learn),
            by_cue={c: round(best[c][0], 6) for c in cues},
        )
    ]


def _chain(learn: Sequence[HeardDialogue], dev: Sequence[HeardDialogue], classifier: Classifier) -> Chain:
    """Steps between the feelings of a user's turns in train, add-one smoothed, at the weight that does best on dev."""
    place = {label: k for k, label in enumerate(classifier.labels)}
    counts = np.ones((len(place), len(place)))
    for h in learn:
        felt = emotions(h.dialogue)
        path = [place[felt[t.turn].label] for t in h.turns if t.turn in felt]
        for a, b in pairwise(path):
            counts[a, b] += 1
    steps = np.log(counts / counts.sum(axis=1, keepdims=True))
    scores = []
    for weight in CHAIN_WEIGHTS:
        right = []
        for h in dev:
            felt = emotions(h.dialogue)
            if len(h.turns) > 1:
                told = decode(classifier, Chain(classifier.labels, weight * steps), h)
                right += [felt[t].label == label for t, label in told.items() if t in felt]
        scores.append(sum(right) / len(right) if right else 0.0)
    return Chain(classifier.labels, CHAIN_WEIGHTS[int(np.argmax(scores))] * steps)


def _parts(*, recognised: bool) -> tuple[ModelPart, ...]:
    names = ["numpy", "scikit-learn", "soxr"] + (["faster-whisper", "ctranslate2"] if recognised else [])
    parts = [ModelPart(name=n, version=metadata.version(n)) for n in names]
    if recognised:
        parts += [ModelPart(name=f"whisper/{f.name}", version=WHISPER.version, sha256=f.sha256) for f in WHISPER.files]
    return tuple(parts)
