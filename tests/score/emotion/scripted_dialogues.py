"""Track 1 dialogues as the embedded writer writes them, annotated, without sound."""

from __future__ import annotations

import random
from collections.abc import Iterator

from duologue.corpus.annotation import Annotation, Cause, CauseAnnotation, EmotionAnnotation
from duologue.corpus.dialogue import SCHEMA_VERSION, Dialogue
from duologue.corpus.emotion import DUOLOGUE, EmotionValue
from duologue.corpus.probe import Probe
from duologue.corpus.rights import Rights
from duologue.corpus.speaker import Speaker
from duologue.corpus.turn import Turn
from duologue.generate.script import Brief, Feeling
from duologue.generate.scripts.embedded import EmbeddedWriter

FELT = [x for x in DUOLOGUE.labels if x != "neutral"]


def dialogues(
    count: int, *, seed: int = 0, tasks: tuple[str, ...] = ("trajectory", "reasoning", "empathy")
) -> Iterator[Dialogue]:
    """``count`` dialogues of 3 to 5 user turns, both languages and ``tasks`` in turn, every family."""
    writer, rng = EmbeddedWriter(), random.Random(seed)
    families = {x: writer.families(x, "emotion", "dialogue") for x in ("zh", "en")}
    for i in range(count):
        language, task, turns = ("zh", "en")[i % 2], tasks[i // 2 % len(tasks)], rng.choice((3, 4, 5))
        feelings = [
            Feeling() if rng.random() < 0.2 else Feeling(label=rng.choice(FELT), intensity=rng.randint(1, 3))
            for _ in range(turns)
        ]
        if task != "empathy":
            feelings[-1] = Feeling()
        script = writer.write(
            Brief(
                language=language,
                track="emotion",
                task=task,
                scenario="dialogue",
                family=rng.choice(families[language]),
                user_turns=turns,
                seed=i + 1000 * seed,
                feelings=tuple(feelings),
            )
        )
        notes: list[Annotation] = [
            EmotionAnnotation(
                id=f"e{k}",
                target=f"turn:{k}",
                rater="recipe",
                rater_type="intent",
                status="gold",
                value=EmotionValue(label=line.feeling.heard, intensity=line.feeling.intensity),
            )
            for k, line in enumerate(script.lines)
            if line.role == "user"
        ]
        notes += [
            CauseAnnotation(
                id=f"c{k}",
                target=f"turn:{c.emotion_line}",
                rater="recipe",
                rater_type="intent",
                status="gold",
                value=Cause(
                    emotion_turn=c.emotion_line,
                    evidence_turn=c.evidence_line,
                    span=c.span,
                    cause_kind=c.cause_kind,
                    explicit=c.explicit,
                ),
            )
            for k, c in enumerate(script.causes)
        ]
        who = f"s{rng.randrange(40)}"
        yield Dialogue(
            schema_version=SCHEMA_VERSION,
            id=f"d{i:05}",
            track="emotion",
            tasks=(task,),
            languages=(language,),
            split="unassigned",
            scenario="dialogue",
            source="synthetic",
            rights=Rights(licence="CC-BY-4.0", consent_id="not-applicable"),
            groups={"script_family": (script.family,), "speaker": (who,)},
            speakers=(
                Speaker(id=who, role="user", languages=(language,), synthetic=True),
                Speaker(id="system", role="system", languages=(language,), synthetic=True),
            ),
            turns=tuple(
                Turn(
                    index=k,
                    role=line.role,
                    speaker=who if line.role == "user" else "system",
                    addressee="system" if line.role == "user" else who,
                    language=language,
                    text=line.text,
                )
                for k, line in enumerate(script.lines)
            ),
            annotations=tuple(notes),
            probes=tuple(
                Probe(
                    id=f"p{k}",
                    task=p.task,
                    turn=p.line,
                    question=script.lines[p.line].text,
                    target_turn=p.target_line,
                    answer=p.answer,
                    reference=p.reference,
                )
                for k, p in enumerate(script.probes)
            ),
        )
