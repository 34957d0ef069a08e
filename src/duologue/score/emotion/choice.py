"""Multiple choice from any annotated corpus, with distractors that options alone do not give away.

The four options of a question are a square: the answer, two changes of it, and both changes at once. Seen without the
dialogue each option stands to the others as the answer does, so none is the odd one out or the middle one. A square
is kept with probability min P(option) / P(answer), P being how likely such a trajectory, or such a feeling after such
an event, is in the corpus: where the answer alone is likely, no question is asked. ``guess.py`` measures what is left.
Docs: docs/emotion-measures.md.
"""

from __future__ import annotations

import math
import random
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from itertools import combinations, pairwise
from typing import Literal

import msgspec

from duologue.corpus.annotation import CauseAnnotation
from duologue.corpus.dialogue import Dialogue
from duologue.corpus.emotion import DUOLOGUE
from duologue.corpus.probe import Option
from duologue.corpus.truth import emotions
from duologue.language.tokens import split
from duologue.score.emotion.cause import token_overlap
from duologue.score.emotion.trajectory import joined

Kind = Literal["trajectory", "cause"]
KINDS: tuple[Kind, ...] = ("trajectory", "cause")
LETTERS = "ABCD"
# Squares drawn for one question before it is given up. Few: the more are drawn, the likelier is the answer beside them.
TRIES = 12
DRAWS = 80
# Too close to be told apart in one dialogue: an option that differs by these alone would be the answer said again.
ALIKE = {"calm": "neutral"}
# From this token F1 on, two causes count as the same event.
SAME_EVENT = 0.5
# Of the naive Bayes by which feelings and events are matched, whose tokens are far from independent.
SHARPNESS = 0.3

SWAPPED, WRONG, DROPPED, ADDED, TWO = (
    "swapped order",
    "wrong emotion",
    "dropped emotion",
    "added emotion",
    "two changes",
)
OTHER_TURN, ABSENT = "cause from another turn", "plausible but absent"
WRONG_FEELING, BOTH = "right event, wrong emotion", "wrong event and emotion"

_ZH = {c.label: c.zh for c in DUOLOGUE.classes}
_ASK = {
    ("trajectory", "en"): "How did the user's feelings change over the conversation?",
    ("trajectory", "zh"): "用户的情绪在整段对话里是怎样变化的？",
    ("cause", "en"): "What does the user feel in user turn {n}, and because of what?",
    ("cause", "zh"): "用户在第{n}次说话时是什么情绪？是因为什么？",
}


class Question(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A question about ``dialogue``; ``answer`` indexes ``options``, whose ``distractor`` says how each is wrong.

    ``id`` is "base#k" for the k-th order of the options of ``base``. In what a system gets, ``answer`` is None and
    distractors are "". ``clusters`` are script family and speaker, for intervals.
    """

    id: str
    dialogue: str
    kind: Kind
    language: str
    question: str
    options: tuple[Option, ...]
    turn: int | None = None
    answer: int | None = None
    clusters: dict[str, str] = {}

    @property
    def base(self) -> str:
        return self.id.rpartition("#")[0] or self.id


class Generated(msgspec.Struct, frozen=True):
    """``skipped`` counts, by reason, the dialogues and causes that gave no question."""

    questions: tuple[Question, ...]
    skipped: dict[str, int]


class _Draft(msgspec.Struct):
    dialogue: Dialogue
    kind: Kind
    turn: int | None
    options: list[Option]


class _Feeling(msgspec.Struct, frozen=True):
    """One cause: whose turn feels what because of which words."""

    dialogue: Dialogue
    turn: int
    label: str
    text: str


def generate(
    dialogues: Iterable[Dialogue], *, seed: int = 0, kinds: Sequence[Kind] = KINDS, permutations: int = 1
) -> Generated:
    """Questions on every dialogue that bears one, the same for the same dialogues and seed.

    ``permutations`` 1 to 4 orders of each question's options, each answer standing at every place as often in all.
    """
    if not 1 <= permutations <= 4:
        raise ValueError("1 to 4 permutations of four options")
    rng = random.Random(f"questions {seed}")
    kept = sorted((d for d in dialogues if d.track == "emotion"), key=lambda d: d.id)
    skipped: Counter[str] = Counter()
    drafts: list[_Draft] = []
    if "trajectory" in kinds:
        drafts += _trajectories(kept, rng, skipped)
    if "cause" in kinds:
        drafts += _causes(kept, rng, skipped)
    return Generated(tuple(_placed(drafts, rng, permutations)), dict(sorted(skipped.items())))


def _placed(drafts: list[_Draft], rng: random.Random, permutations: int) -> Iterable[Question]:
    """Order the options: in each kind and language the answer comes at every place equally often."""
    cells: dict[tuple[str, str], list[_Draft]] = defaultdict(list)
    for draft in drafts:
        cells[draft.kind, draft.dialogue.languages[0]].append(draft)
    for (kind, language), members in sorted(cells.items()):
        places = [i % 4 for i in range(len(members))]
        rng.shuffle(places)
        for draft, place in zip(members, places, strict=True):
            answer, *others = draft.options
            rng.shuffle(others)
            order = [*others[:place], answer, *others[place:]]
            base = draft.dialogue.id + (f".t{draft.turn}" if draft.turn is not None else "")
            number = _nth_user_turn(draft.dialogue, draft.turn)
            for k in range(permutations):
                turned = order[k:] + order[:k]
                yield Question(
                    id=f"{base}.{kind}#{k}",
                    dialogue=draft.dialogue.id,
                    kind=draft.kind,
                    language=language,
                    question=_ASK[kind, language if language == "zh" else "en"].format(n=number),
                    options=tuple(turned),
                    turn=draft.turn,
                    answer=turned.index(answer),
                    clusters=clusters_of(draft.dialogue),
                )


def _nth_user_turn(d: Dialogue, turn: int | None) -> int:
    return sum(t.index <= turn for t in d.turns if t.role == "user") if turn is not None else 0


def clusters_of(d: Dialogue) -> dict[str, str]:
    """Script family and speaker, the dialogue itself where it names none."""
    return {way: "+".join(d.groups.get(way, ())) or d.id for way in ("script_family", "speaker")}


def gold_trajectory(d: Dialogue, *, before: int | None = None) -> tuple[tuple[int, ...], tuple[str, ...]]:
    """Turns and labels of the user's judged turns (of the commonest speaker where nobody has that role).

    ``before`` leaves out a turn that asks and what follows.
    """
    felt = emotions(d)
    turns = [t for t in d.turns if t.index in felt and (before is None or t.index < before)]
    users = [t for t in turns if t.role == "user"] or turns
    if len({t.speaker for t in users}) > 1:
        speaker = Counter(t.speaker for t in users).most_common(1)[0][0]
        users = [t for t in users if t.speaker == speaker]
    return tuple(t.index for t in users), tuple(felt[t.index].label for t in users)


def asking_turn(d: Dialogue) -> int | None:
    """The turn that puts the question for the trajectory or the reasons, which is no part of what is asked about."""
    return min((p.turn for p in d.probes if p.task in ("trajectory", "reasoning")), default=None)


# -- trajectories -------------------------------------------------------------------------------------------------


class _Prior:
    """How likely a joined trajectory is in a corpus: a smoothed chain of label after label, with start and end."""

    def __init__(self, paths: Sequence[Sequence[str]]) -> None:
        self._steps: dict[str, Counter[str]] = defaultdict(Counter)
        for path in paths:
            for a, b in pairwise(("^", *path, "$")):
                self._steps[a][b] += 1
        self._lengths = Counter(map(len, paths))
        self._n = max(len(paths), 1)

    def log(self, path: Sequence[str]) -> float:
        total = math.log((self._lengths[len(path)] + 0.01) / self._n)
        for a, b in pairwise(("^", *path)):
            row = self._steps[a]
            total += math.log((row[b] + 0.1) / (row.total() - row["$"] + 1))
        return total


def _trajectories(dialogues: list[Dialogue], rng: random.Random, skipped: Counter[str]) -> Iterable[_Draft]:
    paths = {d.id: joined(gold_trajectory(d, before=asking_turn(d))[1]) for d in dialogues}
    told = {
        lang: [paths[d.id] for d in dialogues if d.languages[0] == lang] for lang in {d.languages[0] for d in dialogues}
    }
    prior = {lang: _Prior([p for p in rows if len(p) >= 2]) for lang, rows in told.items()}
    labels = {lang: sorted({x for p in rows for x in p}) for lang, rows in told.items()}
    for d in dialogues:
        path, language = paths[d.id], d.languages[0]
        if len(path) < 2:
            skipped["nothing changes"] += 1
            continue
        square = _square(path, labels[language], prior[language], rng)
        if square is None:
            skipped["no square of like options"] += 1
            continue
        options = [Option(text=_path_text(p, language), distractor=kind) for p, kind in square]
        yield _Draft(d, "trajectory", None, options)


def _path_text(path: Sequence[str], language: str) -> str:
    return " → ".join(_ZH[label] for label in path) if language == "zh" else " → ".join(path)


Slots = tuple[tuple[str, bool], ...]


def _square(
    path: tuple[str, ...], labels: Sequence[str], prior: _Prior, rng: random.Random
) -> list[tuple[tuple[str, ...], str]] | None:
    """The answer and its three distractors with their kinds, None where no square was kept."""
    for _ in range(TRIES):
        slots: list[tuple[str, bool]] = [(label, True) for label in path]
        changes: list[tuple[str, int, int, str]] = []
        free = set(range(len(slots)))
        # An insertion draws one of the labels and a deletion none, so that each undoes the other as often.
        weights = (3.0, 3.0, 0.4 * len(labels), 0.4)
        for kind in rng.choices(("swap", "relabel", "insert", "delete"), weights=weights, k=2):
            if kind == "insert":
                at = rng.randrange(len(slots) + 1)
                slots.insert(at, (rng.choice(labels), False))
                free = {i + (i >= at) for i in free}
                changes = [(k, i + (i >= at), j + (j >= at), x) for k, i, j, x in changes]
                changes.append(("insert", at, at, ""))
                continue
            need = 2 if kind == "swap" else 1
            if len(free) < need:
                break
            picked = sorted(rng.sample(sorted(free), need))
            free -= set(picked)
            changes.append((kind, picked[0], picked[-1], rng.choice(labels)))
        if len(changes) < 2:
            continue
        base = tuple(slots)
        one, two = _changed(base, changes[0]), _changed(base, changes[1])
        corners = [_present(s) for s in (base, one, two, _changed(one, changes[1]))]
        if not _sound(corners):
            continue
        logs = [prior.log(c) for c in corners]
        if rng.random() < math.exp(min(logs) - logs[0]):
            names = {"swap": SWAPPED, "relabel": WRONG, "insert": ADDED, "delete": DROPPED}
            kinds = ["", names[changes[0][0]], names[changes[1][0]], TWO]
            return list(zip(corners, kinds, strict=True))
    return None


def _changed(slots: Slots, change: tuple[str, int, int, str]) -> Slots:
    kind, i, j, label = change
    found = list(slots)
    if kind == "swap":
        found[i], found[j] = found[j], found[i]
    elif kind == "relabel":
        found[i] = (label, found[i][1])
    else:
        found[i] = (found[i][0], not found[i][1])
    return tuple(found)


def _present(slots: Slots) -> tuple[str, ...]:
    return tuple(label for label, there in slots if there)


def _sound(corners: list[tuple[str, ...]]) -> bool:
    """No two options are equal or equivalent, and each is a trajectory with a change and no repetition."""
    merged = {joined([ALIKE.get(x, x) for x in c]) for c in corners}
    return len(merged) == 4 and all(len(c) >= 2 and all(a != b for a, b in pairwise(c)) for c in corners)


# -- causes -------------------------------------------------------------------------------------------------------


def _causes(dialogues: list[Dialogue], rng: random.Random, skipped: Counter[str]) -> Iterable[_Draft]:
    found: dict[str, list[_Feeling]] = {d.id: _feelings(d) for d in dialogues}
    pools: dict[str, list[_Feeling]] = defaultdict(list)
    for d in dialogues:
        pools[d.languages[0]] += found[d.id]
    fit = {language: _Fit(pool) for language, pool in pools.items()}
    for d in dialogues:
        own, language = found[d.id], d.languages[0]
        asked: set[int] = set()
        for feeling in rng.sample(own, len(own)):
            if feeling.turn not in asked:
                asked.add(feeling.turn)
                pairs = _cause_square(feeling, own, pools[language], fit[language], rng)
                if pairs is None:
                    skipped["no like causes"] += 1
                    continue
                options = [Option(text=_cause_text(e, c, language), distractor=k) for e, c, k in pairs]
                yield _Draft(d, "cause", feeling.turn, options)


def _cause_square(
    feeling: _Feeling, own: list[_Feeling], pool: list[_Feeling], fit: _Fit, rng: random.Random
) -> list[tuple[str, str, str]] | None:
    """Two events with two feelings each, (feeling, event, kind of distractor), the answer first."""
    for _ in range(TRIES):
        other, kind = _other(feeling, own, pool, rng)
        wrong = _wrong_feeling(feeling, pool, rng)
        if other is None or wrong is None:
            return None
        likely = [fit.log(label, f) for f in (feeling, other) for label in (feeling.label, wrong)]
        if rng.random() < math.exp(min(likely) - likely[0]):
            return [
                (feeling.label, feeling.text, ""),
                (wrong, feeling.text, WRONG_FEELING),
                (feeling.label, other.text, kind),
                (wrong, other.text, BOTH),
            ]
    return None


class _Fit:
    """How well a feeling fits the words of an event, by naive Bayes over tokens of the other script families."""

    def __init__(self, pool: Sequence[_Feeling]) -> None:
        self._labels = sorted({f.label for f in pool})
        self._all = _Counts()
        self._family: dict[str, _Counts] = defaultdict(_Counts)
        for f in pool:
            self._all.add(f)
            self._family[_family(f)].add(f)

    def log(self, label: str, f: _Feeling) -> float:
        """log P(label | words of ``f``)."""
        own = self._family[_family(f)]
        scores = {}
        for name in self._labels:
            n = self._all.labels[name] - own.labels[name]
            scores[name] = math.log(n + 1)
            for token in _tokens(f.text):
                seen = self._all.tokens[token, name] - own.tokens[token, name]
                scores[name] += SHARPNESS * math.log((seen + 0.5) / (n + 1))
        top = max(scores.values())
        return scores[label] - top - math.log(sum(math.exp(x - top) for x in scores.values()))


class _Counts:
    def __init__(self) -> None:
        self.labels: Counter[str] = Counter()
        self.tokens: Counter[tuple[str, str]] = Counter()

    def add(self, f: _Feeling) -> None:
        self.labels[f.label] += 1
        self.tokens.update((token, f.label) for token in _tokens(f.text))


def _tokens(text: str) -> set[str]:
    """Words, and pairs of neighbouring hanzi or words."""
    tokens = split(text)
    return {*tokens, *(f"{a} {b}" for a, b in pairwise(tokens))}


def _family(f: _Feeling) -> str:
    return clusters_of(f.dialogue)["script_family"]


def _cause_text(label: str, text: str, language: str) -> str:
    return f"{_ZH[label]}，因为“{text}”" if language == "zh" else f'{label}, because of "{text}"'


def _feelings(d: Dialogue) -> list[_Feeling]:
    felt = emotions(d)
    texts = {t.index: t.text for t in d.turns}
    asking = asking_turn(d)
    result = []
    for a in d.annotations:
        if isinstance(a, CauseAnnotation) and a.value.emotion_turn in felt:
            label, (start, end) = felt[a.value.emotion_turn].label, a.value.span
            text = texts.get(a.value.evidence_turn, "")[start:end].strip()
            if label != "neutral" and text and a.value.emotion_turn != asking:
                result.append(_Feeling(d, a.value.emotion_turn, label, text))
    return result


def _other(
    feeling: _Feeling, own: list[_Feeling], pool: list[_Feeling], rng: random.Random
) -> tuple[_Feeling | None, str]:
    """Another event: of another turn of the dialogue, or of another dialogue, half and half where both are there."""
    here = [f.text for f in own if f.turn == feeling.turn]

    def fits(f: _Feeling) -> bool:
        return f.turn != feeling.turn and all(token_overlap(f.text, h)[2] < SAME_EVENT for h in here)

    near = [f for f in own if fits(f)]
    if near and rng.random() < 0.5:
        return rng.choice(near), OTHER_TURN
    said = " ".join(t.text for t in feeling.dialogue.turns)
    for _ in range(DRAWS):
        f = rng.choice(pool)
        apart = f.dialogue.id != feeling.dialogue.id and f.text not in said
        if apart and all(token_overlap(f.text, h.text)[2] < SAME_EVENT for h in own):
            return f, ABSENT
    return (rng.choice(near), OTHER_TURN) if near else (None, "")


def _wrong_feeling(feeling: _Feeling, pool: list[_Feeling], rng: random.Random) -> str | None:
    """An emotion that the turn does not have, drawn as often as it comes in the corpus."""
    for _ in range(DRAWS):
        label = rng.choice(pool).label
        if ALIKE.get(label, label) != ALIKE.get(feeling.label, feeling.label):
            return label
    return None


# -- answers ------------------------------------------------------------------------------------------------------


def choice_of(answer: object, question: Question) -> int | None:
    """The option that ``answer`` names: a letter, "B.", "(b)", an index from 0, or an option's text; None if none."""
    if isinstance(answer, bool):
        return None
    if isinstance(answer, int):
        return answer if 0 <= answer < len(question.options) else None
    if not isinstance(answer, str):
        return None
    text = answer.strip()
    for i, option in enumerate(question.options):
        if text == option.text:
            return i
    bare = text.strip("().[]：:。 \t*").upper()
    if len(bare) == 1 and bare in LETTERS[: len(question.options)]:
        return LETTERS.index(bare)
    named = {i for i, o in enumerate(question.options) if text.upper().startswith((f"{LETTERS[i]}.", f"{LETTERS[i]})"))}
    return named.pop() if len(named) == 1 else None


def equivalent(question: Question) -> bool:
    """Whether two of a question's options say the same."""
    return any(a.text == b.text for a, b in combinations(question.options, 2))
