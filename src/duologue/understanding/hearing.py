"""Goes through the dialogues of a corpus and hears what the tasks are about.

Track 1: every turn of the user. Track 2: every stretch in the user's microphone that is a whole turn, the words of an
event, or what came before a pause.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import msgspec
import numpy as np
import numpy.typing as npt

from duologue.corpus.dialogue import Dialogue
from duologue.corpus.read import Corpus, OpenDialogue
from duologue.corpus.turn import Turn
from duologue.corpus.write import is_main
from duologue.understanding.stretch import RATE, RememberedListener, Stretch, at_rate, stretch, told

# What is heard around an event, as classes; a turn is ordinary speech to the system.
TURN, PAUSE = "turn", "pause"
COMPLETE, INCOMPLETE = "complete", "incomplete"
# What is due, by class. "continue" is also what speech asks for that is not meant for the system.
ACTIONS = {
    TURN: "respond",
    "follow_up": "respond",
    "negation": "respond",
    "repetition": "respond",
    "topic_switch": "respond",
    "termination": "stop",
    "backchannel": "continue",
    "third_party": "continue",
    "others_directed": "continue",
    PAUSE: "wait",
}
# A system that speaks in more than this share of frames of a stretch's start is talking.
_FLOOR = 1e-4
_START = RATE // 2

Spans = tuple[tuple[int, int], ...]
Samples = npt.NDArray[np.float32]


class HeardTurn(msgspec.Struct, frozen=True):
    turn: int
    stretch: Stretch


class HeardEvent(msgspec.Struct, frozen=True, kw_only=True):
    """A stretch in the user's microphone. ``label`` is of :data:`ACTIONS`; ``ended`` says whether the turn was over.

    ``key`` is "turn:3" or "event:e0". ``context``: share of the first half second in which the system sounds, share of
    the whole; level, and prosody by VOICE, against the mean of what the user said before (zeros where nothing was).
    """

    key: str
    label: str
    ended: bool
    stretch: Stretch
    context: tuple[float, ...]


class HeardDialogue(msgspec.Struct, frozen=True):
    dialogue: Dialogue
    turns: tuple[HeardTurn, ...] = ()
    events: tuple[HeardEvent, ...] = ()


def hear(
    corpus: Corpus,
    *,
    listener: RememberedListener | None,
    most: int | None = None,
    advance: Callable[[int], None] = lambda n: None,
) -> Iterator[HeardDialogue]:
    """The dialogues of ``corpus`` (filtered as it is), the first ``most`` of each shard's track, language and split.

    ``listener`` None takes the words from the corpus' transcripts. Ids are opaque, so the first are any.
    """
    taken: dict[tuple[str, str, str], int] = {}
    for shard in corpus.shards:
        kind = (shard.track, shard.language, shard.split)
        for item in corpus.shard(shard):
            if most is not None and taken.get(kind, 0) >= most:
                break
            taken[kind] = taken.get(kind, 0) + 1
            yield hear_dialogue(item, listener)
            advance(1)


def hear_dialogue(item: OpenDialogue, listener: RememberedListener | None) -> HeardDialogue:
    """What is heard in one dialogue's main audio."""
    d = item.dialogue
    if not any(is_main(a) for a in d.audio):
        return HeardDialogue(d)
    main = item.file()
    user = _user_channel(item)
    samples = at_rate(np.asarray(user), main.sample_rate)
    scale = RATE / main.sample_rate
    if d.track == "emotion":
        spans = {t.index: _spans(t, main.id, scale) for t in d.turns if t.role == "user"}
        words = _words(d, spans, samples, listener, scale)
        return HeardDialogue(d, tuple(HeardTurn(k, stretch(samples, s, words)) for k, s in spans.items() if s))
    named = _stretches(d, main.id, scale)
    words = _words(d, {i: s for i, (_, _, _, s) in enumerate(named)}, samples, listener, scale)
    system = _system_channel(item, len(user), main.sample_rate)
    events: list[HeardEvent] = []
    before: list[Stretch] = []
    for key, label, ended, place in named:
        heard = stretch(samples, place, words)
        events.append(
            HeardEvent(key=key, label=label, ended=ended, stretch=heard, context=_context(heard, before, system, place))
        )
        before.append(heard)
    return HeardDialogue(d, (), tuple(events))


def _user_channel(item: OpenDialogue) -> Samples:
    roles = {s.role for s in item.dialogue.speakers}
    samples, _ = item.audio(role="user") if "user" in roles else item.audio(0)
    return np.asarray(samples, np.float32)


def _system_channel(item: OpenDialogue, length: int, rate: int) -> Samples:
    kinds = [c.kind for c in item.file().channels]
    if "system" not in kinds:
        return np.zeros(length, np.float32)
    samples, _ = item.audio(kinds.index("system"))
    return at_rate(np.asarray(samples, np.float32), rate)


def _spans(turn: Turn, audio: str, scale: float) -> Spans:
    return tuple((round(s.start * scale), round(s.end * scale)) for s in turn.segments if s.audio == audio)


def _words(
    d: Dialogue, spans: dict[int, Spans], samples: Samples, listener: RememberedListener | None, scale: float
) -> list:  # type: ignore[type-arg]
    places = sorted({s for rows in spans.values() for s in rows})
    if listener is None:
        return sorted((w for t in d.turns for w in told(t, places, scale)), key=lambda w: w.start)
    return list(listener.words(samples, places, d.languages[0])) if places else []


def _stretches(d: Dialogue, audio: str, scale: float) -> list[tuple[str, str, bool, Spans]]:
    """(key, label, whether the turn was over, place) of what is heard in the user's microphone, in time."""
    events = {e.target_turn: e for e in d.events}
    realised = {r.event: r for r in d.realised if r.audio == audio}
    found: list[tuple[str, str, bool, Spans]] = []
    for t in d.turns:
        spans = _spans(t, audio, scale)
        if t.role == "system" or not spans:
            continue
        event = events.get(t.index)
        if event is not None and event.kind == PAUSE:
            if (r := realised.get(event.id)) is not None:
                cut = round(r.start * scale) + 1
                if before := tuple(s for s in spans if s[1] <= cut):
                    found.append((f"event:{event.id}", PAUSE, False, before))
            found.append((f"turn:{t.index}", TURN, True, spans))
        elif event is not None and event.kind in ACTIONS:
            found.append((f"event:{event.id}", event.kind, True, spans))
        elif t.kind == "turn":
            found.append((f"turn:{t.index}", TURN, True, spans))
    return sorted(found, key=lambda row: (row[3][0][0], row[3][-1][1]))


def _context(heard: Stretch, before: Sequence[Stretch], system: Samples, place: Spans) -> tuple[float, ...]:
    start, end = place[0][0], place[-1][1]
    told_voices = [s.voice for s in before if s.voice is not None]
    width = len(heard.voice) if heard.voice is not None else 0
    apart = np.zeros(width)
    level = 0.0
    if heard.voice is not None and told_voices:
        apart = np.asarray(heard.voice) - np.mean(told_voices, axis=0)
        level = heard.level - float(np.mean([s.level for s in before if s.voice is not None]))
    return (
        _sounding(system[start : min(end, start + _START)]),
        _sounding(system[start:end]),
        float(np.log(max(heard.seconds, 0.05))),
        float(bool(told_voices)),
        level,
        *map(float, apart),
    )


def _sounding(samples: Samples) -> float:
    """Share of 20 ms frames louder than -40 dB."""
    size = RATE // 50
    frames = samples[: len(samples) // size * size].reshape(-1, size)
    return float((np.mean(frames.astype(np.float64) ** 2, axis=1) > _FLOOR).mean()) if len(frames) else 0.0
