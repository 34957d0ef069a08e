"""From a dialogue and what a run left of it to an exchange: everything that can be heard, on one clock."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import msgspec
import numpy as np
import numpy.typing as npt

from duologue.corpus.dialogue import Dialogue
from duologue.corpus.event import RealisedEvent
from duologue.corpus.interval import Intervals, normalise
from duologue.corpus.observation import Observation, SaidWord
from duologue.corpus.read import OpenDialogue
from duologue.corpus.run import Run
from duologue.corpus.write import is_main
from duologue.listen.sound import audible
from duologue.listen.transcribe import Listener, transcribe
from duologue.score.exchange import RATE, Exchange, PlayedEvent, PlayedTurn

Samples = npt.NDArray[np.float32]
# A word farther than this from any speech was not spoken, whatever a transcript says.
_REACH = round(0.4 * RATE)


@dataclass(frozen=True, slots=True)
class Ears:
    """What hears: ``speech`` finds speech in several channels (mono, 16 kHz) at once; ``listener`` the words.

    The listener hears runs without words of their own; with ``rehear`` it hears all.
    """

    speech: Callable[[Sequence[Samples]], list[Intervals]]
    listener: Listener | None = None
    rehear: bool = False


# The system's channel (mono, 16 kHz) and what was observed of it.
Taken = tuple[Samples, Observation]


def take(items: Sequence[OpenDialogue], run: Run) -> list[Taken]:
    """What ``run`` left of each item; trouble with one is in its observation."""
    return [run.system(run.observe(item.dialogue), item.dialogue, item) for item in items]


def hear(items: Sequence[OpenDialogue], taken: Sequence[Taken], ears: Ears) -> list[Exchange]:
    """The exchanges of ``items``, in order.

    An observation that is not ok gives an exchange without speech; its status says why.
    """
    usable = [samples for samples, seen in taken if seen.status == "ok"]
    found = iter(ears.speech(usable))
    return [
        _heard(item, samples, seen, next(found), ears)
        if seen.status == "ok"
        else exchange(item.dialogue, seen, samples)
        for item, (samples, seen) in zip(items, taken, strict=True)
    ]


def _heard(item: OpenDialogue, samples: Samples, seen: Observation, speech: Intervals, ears: Ears) -> Exchange:
    d = item.dialogue
    sound = audible(samples, RATE)
    words = _at_16k(seen)
    if ears.listener is not None and (ears.rehear or not words):
        # The language is left open: a system that answers in another one has to be heard as it is.
        words = transcribe(ears.listener, samples, speech, language=None)
        seen = msgspec.structs.replace(seen, words=words, words_from="recogniser", sample_rate=RATE)
    else:
        spoken = _spoken(words, speech)
        if len(spoken) < len(words):
            note = f"{len(words) - len(spoken)} of {len(words)} words of the run's transcript lie where nothing is said"
            seen = msgspec.structs.replace(seen, notes=(*seen.notes, note))
        words = spoken
    return exchange(d, seen, samples, speech=speech, sound=sound, words=words)


def exchange(
    d: Dialogue,
    seen: Observation,
    samples: Samples,
    *,
    speech: Intervals | None = None,
    sound: Intervals | None = None,
    words: tuple[SaidWord, ...] = (),
) -> Exchange:
    """Put the dialogue's turns and events, as they were really played, and what was heard on one clock at 16 kHz."""
    main = next((a for a in d.audio if is_main(a)), None)
    rate = main.sample_rate if main is not None else RATE
    length = round(main.length * RATE / rate) if main is not None else len(samples)
    if seen.length:
        length = round(seen.length * RATE / seen.sample_rate)
    none = np.empty((0, 2), np.int64)
    return Exchange(
        dialogue=d,
        observation=seen,
        length=length,
        heard_until=max(length, len(samples)),
        turns=_turns(d, seen, main.id if main else "", rate),
        events=_events(d, seen, rate),
        speech=none if speech is None else speech,
        sound=none if sound is None else sound,
        words=words,
        words_from=seen.words_from,
    )


def _turns(d: Dialogue, seen: Observation, main: str, rate: int) -> tuple[PlayedTurn, ...]:
    rows = []
    for t in d.turns:
        if t.role == "system":
            continue
        if seen.sent:
            spans = [(s.start, s.end) for s in seen.sent if s.turn == t.index]
            scale = RATE / seen.sample_rate
        else:
            spans = [(s.start, s.end) for s in t.segments if s.audio == main]
            scale = RATE / rate
        if spans:
            rows.append(PlayedTurn(t, normalise(np.rint(np.array(spans) * scale).astype(np.int64))))
    return tuple(sorted(rows, key=lambda p: (p.start, p.turn.index)))


def _events(d: Dialogue, seen: Observation, rate: int) -> tuple[PlayedEvent, ...]:
    live = bool(seen.sent)
    scale = RATE / (seen.sample_rate if live else rate)
    realised: dict[str, RealisedEvent] = {r.event: r for r in (seen.realised if live else d.realised)}
    rows = []
    for e in d.events:
        r = realised.get(e.id)
        if r is None or e.id in seen.not_exercised:
            why = seen.not_exercised.get(e.id, "it was never played")
            rows.append(PlayedEvent(e, 0, 0, not_exercised=why))
        else:
            rows.append(PlayedEvent(e, round(r.start * scale), round(r.end * scale)))
    return tuple(rows)


def _at_16k(seen: Observation) -> tuple[SaidWord, ...]:
    if seen.sample_rate == RATE:
        return seen.words
    scale = RATE / seen.sample_rate
    return tuple(SaidWord(w.text, round(w.start * scale), round(w.end * scale)) for w in seen.words)


def _spoken(words: tuple[SaidWord, ...], speech: Intervals) -> tuple[SaidWord, ...]:
    """The words near speech: a transcript of words that nobody could hear is worth nothing."""
    if not len(speech) or not words:
        return ()
    middle = np.array([(w.start + w.end) // 2 for w in words])
    at = np.searchsorted(speech[:, 0] - _REACH, middle, side="right") - 1
    near = (at >= 0) & (middle < speech[np.maximum(at, 0), 1] + _REACH)
    return tuple(w for w, ok in zip(words, near, strict=True) if ok)
