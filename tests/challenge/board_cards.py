"""Cards of made-up systems for a board: made by the scorers themselves, of items that are drawn."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec
import numpy as np

from duologue.corpus.event import INTERRUPTION
from duologue.judge.grades import DIMENSIONS
from duologue.score.emotion.card import EmotionCard, EmotionItem
from duologue.score.profiles.corrected.card import accounted, cells, headline
from duologue.score.profiles.humdial2026.emotion.evaluate import evaluate as evaluate_emotion
from duologue.score.profiles.humdial2026.emotion.judgements import Judgement
from duologue.score.profiles.humdial2026.emotion.submission import OfficialReply
from duologue.score.profiles.humdial2026.emotion.submission import Submission as EmotionSubmission
from duologue.score.profiles.humdial2026.evaluate import CELLS, evaluate
from duologue.score.profiles.humdial2026.item import OfficialItem, OfficialOptions, OfficialScore, OfficialWord
from duologue.score.scorecard import ItemScore, Scorecard

SHA = "ab" * 32


def corrected(utilities: Mapping[str, float] | Sequence[float], *, sha: str = SHA, comparable: str = "files") -> bytes:
    """A card of the corrected profile, items "i000".. in turn of two scenarios; every item its own speaker."""
    named = utilities if isinstance(utilities, Mapping) else {f"i{n:03d}": u for n, u in enumerate(utilities)}
    items = tuple(
        ItemScore(
            id=id,
            language="en",
            scenario=("follow_up", "pause")[n % 2],
            split="test",
            outcome="scored",
            utility=u,
            clusters={"script_family": f"f-{id}", "speaker": f"s-{n}"},
        )
        for n, (id, u) in enumerate(named.items())
    )
    card = Scorecard(
        profile="corrected",
        system="made-up",
        mode="files",
        comparable=comparable,
        corpus="made-up",
        corpus_sha256=sha,
        expected=len(items),
        scored=len(items),
        accounted=accounted(items),
        headline=headline(items),
        cells=cells(items),
        items=items,
    )
    return msgspec.json.encode(card)


def official_items(seed: int, *, per_cell: int = 6, late: float = 1.0) -> list[OfficialItem]:
    """Recordings of both languages and every scenario; the system answers about ``late`` seconds after the user."""
    rng = np.random.default_rng(seed)
    items = []
    for language in ("zh", "en"):
        for cell in CELLS:
            for n in range(per_cell):
                third = cell.startswith("third_party")
                scenario = "third_party" if third else cell
                # A query, the system's answer that the user breaks into, a second query and its answer.
                delay = float(round(late * rng.uniform(0.6, 1.4), 3))
                stop = float(round(rng.uniform(0.2, 0.8), 3))
                users = ((0.0, 2.0), (6.0, 8.0))
                systems = ((2.0 + delay, 6.0 + stop), (8.0 + delay, 12.0))
                tag = str(rng.choice(["RESPOND", "RESUME"], p=[0.8, 0.2] if scenario in INTERRUPTION else [0.3, 0.7]))
                items.append(
                    OfficialItem(
                        id=f"{language}-{cell}-{n:02d}",
                        language=language,
                        scenario=scenario,
                        position="before" if cell.endswith("before") else "after" if third else "",
                        user_segments=users,
                        system_segments=systems,
                        speech_segments=users,
                        system_words=(OfficialWord("a", systems[0][0], 5.0), OfficialWord("b", 5.0, 6.0)),
                        tags=(tag,),
                    )
                )
    return items


def official(items: Sequence[OfficialItem], options: OfficialOptions = OfficialOptions()) -> bytes:
    return msgspec.json.encode(evaluate(items, options))


def official_score(items: Sequence[OfficialItem], options: OfficialOptions = OfficialOptions()) -> OfficialScore:
    return evaluate(items, options)


def judged(seed: int, *, dialogues: int = 12, better: int = 0) -> bytes:
    """A judged submission to track 1; ``better`` of the dialogues have grade 5 throughout."""
    rng = np.random.default_rng(seed)
    replies, found = [], {d: {} for task in DIMENSIONS for d in DIMENSIONS[task]}
    for language in ("zh", "en"):
        for task in DIMENSIONS:
            for n in range(dialogues):
                id = f"{language}/{task}/{n:02d}"
                replies.append(
                    OfficialReply(
                        id=id,
                        task=task,
                        language=language,
                        dialogue=f"{task}-{n:02d}",
                        turn=3,
                        turns=(),
                        read="ok",
                        heard="ok",
                    )
                )
                for d in DIMENSIONS[task]:
                    grade = 5.0 if n < better else float(rng.choice([1.0, 3.0, 5.0]))
                    found[d][id] = Judgement(status="ok", grade=grade)
    return msgspec.json.encode(evaluate_emotion(EmotionSubmission(replies=tuple(replies)), found))


def answered(right: Mapping[tuple[str, str, str], bool]) -> bytes:
    """A card of track 1 without a judge: (dialogue, task, language) -> whether the answer was right."""
    items = tuple(
        EmotionItem(id=id, probe=task, task=task, language=language, status="scored", right=r)
        for (id, task, language), r in right.items()
    )
    return msgspec.json.encode(
        EmotionCard(
            profile="corrected",
            corpus="made-up",
            corpus_sha256=SHA,
            cells=(),
            left_to_judges={},
            counts={},
            findings=(),
            unknown_labels={},
            read_as={},
            items=items,
        )
    )
