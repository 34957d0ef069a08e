"""The score of one item: its replies, its events, and one utility in [0, 1].

    utility = behaviour x mean over the turns that want a reply of (relevance x speed)

``behaviour`` is the mean of the events' scores, 1 where an item has none. See docs/corrected-profile.md.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import fmean

from duologue.score.exchange import Exchange
from duologue.score.profiles.corrected.events import Reading, judge
from duologue.score.profiles.corrected.limits import Limits
from duologue.score.profiles.corrected.replies import Found, Wanted, find, seconds, wanted
from duologue.score.profiles.corrected.speech import is_signal, samples, talk
from duologue.score.scorecard import EventScore, ItemScore, ReplyScore, outcome

# Index of the first word that is content, or None: (words, language).
FirstContent = Callable[[Sequence[str], str], int | None]


@dataclass(frozen=True, slots=True)
class Answer:
    """A wanted turn, the reply found for it, and what was said: ``text`` from ``content`` (sample) on, fillers cut."""

    wanted: Wanted
    found: Found | None
    content: int | None
    text: str


@dataclass(frozen=True, slots=True)
class Judged:
    """What a reader of text says of one answer: ``score`` in [0, 1] and, for people, how it came about.

    ``nearness`` in [0, 1] is how close answer and query are, without the thresholds that shape the score.
    """

    score: float
    nearness: float | None = None
    rank: int | None = None
    candidates: int | None = None
    copied: float | None = None
    language: str = ""
    why: str = ""


def answers(x: Exchange, first_content: FirstContent, limits: Limits) -> list[Answer]:
    """What the system gave for every turn that wants a reply; its relevance is judged later, many items at once."""
    rows = []
    for w in wanted(x, limits):
        found = find(x, w, limits)
        if found is None:
            rows.append(Answer(w, None, None, ""))
            continue
        begin = _after_signals(x, found, limits)
        words = [s for s in x.words if begin <= (s.start + s.end) // 2 < found.stop]
        first = first_content([s.text for s in words], x.language)
        if first is None:
            rows.append(Answer(w, found, None, ""))
            continue
        # The first word starts with the sound; a recogniser's own times are good to 100 ms only.
        content = begin if first == 0 else max(begin, words[first].start)
        joiner = "" if x.language == "zh" else " "
        rows.append(Answer(w, found, content, joiner.join(s.text for s in words[first:])))
    return rows


def _after_signals(x: Exchange, found: Found, limits: Limits) -> int:
    """Where the reply begins in earnest: a signal and a long silence in front of it are a filler, whatever the word."""
    rows = [(int(a), int(b)) for a, b in talk(x, limits) if found.start <= a < found.stop]
    for (a, b), (after, _) in pairwise(rows):
        if not is_signal(x, a, b, limits) or after - b < samples(limits.gap.full):
            return a
    return rows[-1][0] if rows else found.start


def score(
    x: Exchange,
    given: Sequence[Answer],
    judged: Mapping[int, Judged],
    reading: Reading,
    limits: Limits,
    *,
    notes: Sequence[str] = (),
) -> ItemScore:
    """The item's score; ``judged`` holds, by turn, what was said of the answers that have content."""
    replies = tuple(_reply(x, a, judged.get(a.wanted.index), limits) for a in given)
    by_turn = {r.turn: r for r in replies}
    events = tuple(judge(x, e, by_turn, reading, limits) for e in x.events)
    behaviour = fmean(e.score for e in events) if events else 1.0
    worth = fmean(r.score for r in replies) if replies else 1.0
    relevances = [r.relevance or 0.0 for r in replies]
    d = x.dialogue
    return ItemScore(
        id=d.id,
        language=x.language,
        scenario=d.scenario,
        split=d.split,
        outcome=outcome(x.observation.status),
        utility=round(behaviour * worth, 6),
        behaviour=round(behaviour, 6),
        speed=round(fmean(r.speed for r in replies), 6) if replies else 0.0,
        relevance=round(fmean(relevances), 6) if relevances else None,
        why=_why(events, replies),
        events=events,
        replies=replies,
        clusters=clusters(x),
        words_from=x.words_from,
        notes=(*x.observation.notes, *notes),
    )


def clusters(x: Exchange) -> dict[str, str]:
    """What this item shares with others: its script family and the person or voice that plays the user."""
    d = x.dialogue
    user = sorted(s.parent_voice or s.voice or s.id for s in d.speakers if s.role == "user")
    family = d.groups.get("script_family") or d.groups.get("source_recording") or (d.id,)
    return {"script_family": "+".join(sorted(family)), "speaker": "+".join(user) or d.id}


def _reply(x: Exchange, a: Answer, judged: Judged | None, limits: Limits) -> ReplyScore:
    w = a.wanted
    base = ReplyScore(
        turn=w.index,
        end=seconds(w.end),
        limit=seconds(w.until - w.end),
        score=0.0,
        query=w.query,
        why="no reply",
    )
    if a.found is None:
        return base
    sound = seconds(a.found.start - w.end)
    early = seconds(a.found.early)
    content = seconds(a.content - w.end) if a.content is not None else None
    speed = limits.late(content) * limits.early(-early) if content is not None else 0.0
    relevance = judged.score if judged else None
    why = judged.why if judged else "" if content is not None else "only fillers, or no words"
    if not why and speed < 0.5:
        why = f"it began {early:.2f} s before the user was done" if early > 0.5 else f"content came after {content} s"
    return ReplyScore(
        turn=w.index,
        end=base.end,
        limit=base.limit,
        score=round((relevance or 0.0) * speed, 6),
        speed=round(speed, 6),
        relevance=relevance,
        sound=sound,
        content=content,
        text=a.text,
        query=w.query,
        rank=judged.rank if judged else None,
        candidates=judged.candidates if judged else None,
        copied=judged.copied if judged else None,
        language=judged.language if judged else "",
        early=early,
        why=why,
        start=seconds(a.found.start),
        stop=seconds(a.found.stop),
    )


def _why(events: Sequence[EventScore], replies: Sequence[ReplyScore]) -> str:
    for e in events:
        if not e.exercised:
            return f"{e.kind} not exercised: {e.why}"
        for r in e.rules:
            if r.score is not None and r.score < 0.5:
                measured = "" if r.value is None else f" ({r.value:g} {r.unit})".replace(" )", ")")
                return f"{e.kind}: {r.name}{measured}: {r.score:.2f}" + (f", {r.why}" if r.why else "")
    worst = min(replies, key=lambda r: r.score, default=None)
    if worst is not None and worst.score < 0.5:
        return f"reply to turn {worst.turn}: {worst.why or f'relevance {worst.relevance:.2f}, speed {worst.speed:.2f}'}"
    return ""
