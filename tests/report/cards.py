"""Score cards made up from a real corpus: channel 1 is the system's audio, changed item by item.

An "honest" item keeps the reference system's audio, a "late" one hears it up to 4 s later, a "mute" one never; others
left no file or a broken one. What the rules measure is read off the resulting intervals, so that numbers, pictures
and sound of an item agree; relevance is drawn. Nothing here is a scorer.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

import numpy as np

from duologue.corpus.interval import Intervals, normalise
from duologue.corpus.observation import Observation, SaidWord
from duologue.corpus.read import OpenDialogue
from duologue.report.score_gallery import GalleryItem
from duologue.score.exchange import RATE, Exchange, PlayedEvent, PlayedTurn
from duologue.score.scorecard import Cell, DelaySummary, Estimate, EventScore, ItemScore, ReplyScore, Rule, Scorecard

LIMIT, STOP_LIMIT = 8.0, 3.0
STYLES = (("missing", 0.03), ("failed", 0.05), ("mute", 0.11), ("late", 0.40), ("honest", 1.01))


def fabricate(
    corpus: Iterable[OpenDialogue], *, seed: int = 0, system: str = "made-up", late: float = 4.0
) -> tuple[Scorecard, dict[str, GalleryItem]]:
    """A card over every dialogue of ``corpus``, and what a page shows of each scored item, by id.

    The draws of a dialogue depend on ``seed`` and its place alone; ``late`` is the largest delay in seconds.
    """
    gallery, items = {}, []
    for n, item in enumerate(corpus):
        rng = np.random.default_rng([seed, n])
        draw = rng.random()
        shown = _item(item, next(s for s, share in STYLES if draw < share), rng, late)
        items.append(shown.score)
        if shown.score.outcome == "scored":
            gallery[item.id] = shown
    return card(items, system=system), gallery


def card(items: Sequence[ItemScore], *, system: str = "made-up", name: str = "small") -> Scorecard:
    """The card of ``items``: means with normal intervals, the headline the mean over scenarios."""
    scenarios = sorted({i.scenario for i in items})
    languages = sorted({i.language for i in items})
    cells = []
    for scenario in ("all", *scenarios):
        for language in ("all", *languages):
            inside = [i for i in items if scenario in ("all", i.scenario) and language in ("all", i.language)]
            if inside:
                cells.append(_cell(scenario, language, inside))
    replies = [r for i in items for r in i.replies]
    stops = [e for i in items for e in i.events if e.stop_limit is not None]
    accounted = Counter(i.outcome for i in items)
    return Scorecard(
        profile="corrected",
        system=system,
        mode="files",
        comparable="files",
        corpus=name,
        corpus_sha256="ab" * 32,
        expected=len(items),
        scored=accounted["scored"],
        accounted={k: accounted[k] for k in ("missing", "failed", "infrastructure")},
        headline=next(c.utility for c in cells if (c.scenario, c.language) == ("all", "all")),
        cells=tuple(cells),
        delays={
            "sound": _delays([r.sound for r in replies], LIMIT),
            "content": _delays([r.content for r in replies], LIMIT),
            "stop": _delays([e.stop for e in stops], STOP_LIMIT),
        },
        rates={
            "early_interrupt": _estimate([float(r.early > 0) for r in replies]),
            "miss": _estimate([float(r.content is None) for r in replies]),
        },
        methods={"words": "run", "speech": "silero 6.2.3", "relevance": "e5-small, rank of 20", "judge": "not judged"},
        warnings=("This run is of ready files: it could look ahead.",),
        extra_files=("stray.wav", "notes/unknown.flac"),
        items=tuple(items),
    )


def _estimate(values: Sequence[float | None]) -> Estimate:
    x = np.array([v for v in values if v is not None], float)
    if not len(x):
        return Estimate(value=None)
    half = 1.96 * float(x.std(ddof=1)) / len(x) ** 0.5 if len(x) > 1 else 0.0
    mean = float(x.mean())
    low, high = (max(0.0, mean - half), min(1.0, mean + half)) if len(x) >= 6 else (None, None)
    return Estimate(value=mean, low=low, high=high, n=len(x), clusters=len(x) // 2, method="normal")


def _cell(scenario: str, language: str, items: Sequence[ItemScore]) -> Cell:
    return Cell(
        scenario=scenario,
        language=language,
        expected=len(items),
        scored=sum(i.outcome == "scored" for i in items),
        utility=_estimate([i.utility for i in items]),
        behaviour=_estimate([i.behaviour for i in items]),
        speed=_estimate([i.speed for i in items]),
        relevance=_estimate([i.relevance for i in items]),
        naturalness=_estimate([i.naturalness for i in items]),
    )


def _delays(values: Sequence[float | None], limit: float) -> DelaySummary:
    """Quantiles of a delay whose misses all lie at the limit, where Kaplan-Meier is the empirical curve."""
    seen = sorted(v for v in values if v is not None and v <= limit)
    n = len(values)

    def quantile(q: float) -> float | None:
        return next((v for i, v in enumerate(seen, 1) if i / n >= q), None) if n else None

    curve = tuple((v, 1 - i / n) for i, v in enumerate(seen, 1))
    return DelaySummary(
        n=n,
        missed=n - len(seen),
        limit=limit,
        median=quantile(0.5),
        median_low=quantile(0.45),
        median_high=quantile(0.55),
        p90=quantile(0.9),
        p95=quantile(0.95),
        curve=curve,
    )


def _item(item: OpenDialogue, style: str, rng: np.random.Generator, late: float) -> GalleryItem:
    d = item.dialogue
    main = item.file("main")
    audio, rate = item.audio(which=main.id)
    assert rate == RATE
    user, system = np.array(audio[:, 0]), np.array(audio[:, 1])
    shift = round(rng.uniform(0.3, late) * RATE) if style == "late" else 0
    if style in ("mute", "missing", "failed"):
        system[:] = 0
    elif shift:
        system = np.concatenate([np.zeros(shift, np.float32), system])[: len(system)]
    rows = [(s.start, s.end) for t in d.turns if t.role == "system" for s in t.segments if s.audio == main.id]
    said = [] if style in ("mute", "missing", "failed") else [(a + shift, min(b + shift, main.length)) for a, b in rows]
    sound = normalise([(a, b) for a, b in said if a < b])
    words = tuple(
        SaidWord(w.text, w.start + shift, w.end + shift)
        for t in d.turns
        if t.role == "system" and len(sound)
        for w in t.words
        if w.end + shift <= main.length
    )
    status = style if style in ("missing", "failed") else "ok"
    exchange = Exchange(
        dialogue=d,
        observation=Observation(id=d.id, status=status, why="" if status == "ok" else f"no audio of {d.id}"),
        length=main.length,
        heard_until=main.length,
        turns=tuple(
            PlayedTurn(t, normalise([(s.start, s.end) for s in t.segments])) for t in d.turns if t.role != "system"
        ),
        events=tuple(
            PlayedEvent(e, r.start, r.end)
            for e in d.events
            for r in d.realised
            if r.event == e.id and r.audio == main.id
        ),
        sound=sound,
        speech=sound,
        words=words,
        words_from="run",
    )
    clusters = {"script_family": d.groups["script_family"][0], "speaker": d.groups["speaker"][0]}
    head = {"id": d.id, "language": d.languages[0], "scenario": d.scenario, "split": d.split, "clusters": clusters}
    if status != "ok":
        why = "no output" if status == "missing" else f"{d.id}.wav: no audio: unknown format"
        score = ItemScore(**head, outcome=status, utility=0.0, why=why)
    else:
        replies, events = _replies(exchange, rng), _events(exchange)
        behaviour = float(np.mean([e.score for e in events])) if events else 1.0
        mean = float(np.mean([r.score for r in replies])) if replies else 1.0
        score = ItemScore(
            **head,
            outcome="scored",
            utility=behaviour * mean,
            behaviour=behaviour,
            speed=float(np.mean([r.speed for r in replies])) if replies else 0.0,
            relevance=float(np.mean([r.relevance or 0.0 for r in replies])) if replies else None,
            naturalness=float(rng.uniform(0.6, 1.0)) if len(sound) else None,
            events=events,
            replies=replies,
            words_from="run",
            official={
                "stop_latency": 0.41,
                "response_latency": 0.86,
                "first_response_delay": None,
                "tag": "RESPOND",
                "why": ["a reply that comes before the turn's end is left out"],
            },
        )
    return GalleryItem(exchange=exchange, score=score, user=user, system=system)


def _replies(x: Exchange, rng: np.random.Generator) -> tuple[ReplyScore, ...]:
    result = []
    for p in x.turns:
        if p.turn.role != "user" or p.turn.kind not in ("turn", "interruption"):
            continue
        begin = next((int(a) for a in x.sound[:, 0] if p.end - RATE < a < p.end + LIMIT * RATE), None)
        rank = int(rng.choice([1, 1, 1, 2, 5]))
        sound = None if begin is None else (begin - p.end) / RATE
        content = None if sound is None else sound + float(rng.choice([0.0, 0.0, 0.45]))
        speed = 0.0 if content is None else float(np.clip(1 - content / LIMIT, 0, 1))
        relevance = 0.0 if sound is None else 1 - (rank - 1) / 19
        stop = None if begin is None else int(x.sound[x.sound[:, 0] >= begin][0, 1])
        result.append(
            ReplyScore(
                turn=p.turn.index,
                end=p.end / RATE,
                limit=LIMIT,
                score=speed * relevance,
                speed=speed,
                relevance=relevance,
                sound=sound,
                content=content,
                text="" if begin is None or stop is None else x.text(begin, stop),
                query=p.turn.text,
                rank=None if begin is None else rank,
                candidates=21,
                early=max(0.0, -(sound or 0.0)),
                why="no sound within 8 s" if begin is None else "",
                start=None if begin is None else begin / RATE,
                stop=None if stop is None else stop / RATE,
            )
        )
    return tuple(result)


def _speaking(sound: Intervals, at: int) -> int | None:
    """Where the system falls silent that speaks at sample ``at``; None where it is silent then."""
    return next((int(b) for a, b in sound if a <= at < b), None)


def _events(x: Exchange) -> tuple[EventScore, ...]:
    result = []
    for e in x.events:
        start, end = e.start / RATE, e.end / RATE
        until = _speaking(x.sound, e.start)
        stop = None
        if "stop" in e.event.expected:
            stop = None if until is None else (until - e.start) / RATE
            good = stop is not None and stop <= 1.0
            rule = Rule(
                name="falls silent",
                score=float(good),
                value=stop,
                unit="s",
                allowed="<= 1 s",
                why="" if good else "still heard after 1 s",
                start=start,
                end=start + 1.0,
            )
        else:
            held = until is None or until > e.end
            rule = Rule(
                name="goes on with its answer",
                score=0.4 if held and until is None else float(held),
                value=0.2,
                unit="s",
                allowed="<= 0.5 s",
                why="" if held else "fell silent",
                start=start,
                end=end + 1.0,
            )
        exercised = until is not None or e.event.kind in ("pause", "third_party")
        spare = Rule(name="goes on when asked", score=None, why="nothing asks for it")
        result.append(
            EventScore(
                event=e.event.id,
                kind=e.event.kind,
                position=e.event.position,
                start=start,
                end=end,
                score=(rule.score or 0.0) if exercised else 0.0,
                exercised=exercised,
                why="" if exercised else "the system was silent when the event fell",
                rules=(rule, spare) if exercised else (),
                stop=stop if exercised else None,
                stop_limit=STOP_LIMIT if "stop" in e.event.expected else None,
            )
        )
    return tuple(result)
