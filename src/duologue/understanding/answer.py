"""Answer a corpus' questions of track 1 with the trained baseline: a run that "duologue score" reads."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from duologue.corpus.observation import RunManifest
from duologue.corpus.probe import Probe
from duologue.corpus.read import Corpus
from duologue.corpus.run import MANIFEST
from duologue.corpus.write import write_atomic
from duologue.errors import UserError
from duologue.score.emotion.answers import FILE
from duologue.understanding import tasks
from duologue.understanding.decode import blame, decode
from duologue.understanding.hearing import HeardDialogue, hear
from duologue.understanding.model import Model
from duologue.understanding.stretch import RememberedListener

ANSWERED = ("trajectory", "reasoning", "recognition")


def answer(
    corpus: Corpus,
    model: Model,
    out: Path,
    *,
    listener: RememberedListener | None,
    advance: Callable[[int], None] = lambda n: None,
) -> int:
    """Write RUN/answers.jsonl and run.json for the track 1 dialogues of ``corpus``; how many answers there are."""
    lines = list(answers(hear(corpus, listener=listener, advance=advance), model))
    if not lines:
        raise UserError("nothing to answer", where=corpus.root, allowed=f"probes of {', '.join(ANSWERED)}")
    run = RunManifest(
        system="understanding baseline",
        corpus_sha256=corpus.manifest.corpus_sha256,
        parameters={
            "model_sha256": model.manifest.model_sha256,
            "words": "transcript" if listener is None else "recogniser",
        },
    )
    write_atomic(out / FILE, b"".join(msgspec.json.encode(x) + b"\n" for x in lines))
    write_atomic(out / MANIFEST, msgspec.json.format(msgspec.json.encode(run), indent=1) + b"\n")
    return len(lines)


def answers(heard: Iterable[HeardDialogue], model: Model) -> Iterator[dict[str, Any]]:
    """Answers as "duologue score" reads them; a language that was not trained is a UserError, never a guess."""
    for h in heard:
        d = h.dialogue
        if d.track != "emotion" or not h.turns:
            continue
        classifier = model.chosen("emotion", d.languages[0])
        if classifier is None:
            raise UserError(
                "the model was not trained on feelings in this language",
                where=f"dialogue {d.id}",
                value=d.languages[0],
                allowed=", ".join(model.languages),
            )
        felt = decode(classifier, model.chains.get(d.languages[0]), h)
        for probe in d.probes or _owed(h):
            if probe.task == "trajectory":
                told = [{"turn": t, "emotion": x} for t, x in felt.items() if not d.probes or t < probe.turn]
                yield {"id": d.id, "probe": probe.id, "answer": told}
            elif probe.task == "reasoning" and (why := model.chosen("cause", d.languages[0])) is not None:
                causes = [
                    {"emotion_turn": c.turn, "evidence_turn": c.evidence, "text": c.clause.text.rstrip(".,!?。，！？")}
                    for c in blame(why, h, felt)
                    if probe.target_turn in (None, c.turn)
                ]
                yield {"id": d.id, "probe": probe.id, "answer": {"causes": causes}}
            elif probe.task == "recognition":
                turn = probe.target_turn if probe.target_turn is not None else probe.turn
                for t in h.turns:
                    if t.turn == turn:
                        shares = np.exp(classifier.log_shares([tasks.emotion_turn(d, t)])[0])
                        label = classifier.labels[int(shares.argmax())]
                        soft = {x: round(float(s), 4) for x, s in zip(classifier.labels, shares, strict=True)}
                        yield {"id": d.id, "probe": probe.id, "answer": {"emotion": label, "distribution": soft}}


def _owed(h: HeardDialogue) -> list[Probe]:
    """What is owed where nobody asks."""
    last = h.turns[-1].turn
    return [Probe(id=task, task=task, turn=last, question="") for task in ("trajectory", "reasoning")]
