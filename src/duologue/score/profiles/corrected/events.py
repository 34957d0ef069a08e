"""How an event was handled: a handful of rules for each of the nine scenarios, their product the event's score.

Every rule says what it measured, where, and what it allows. An event that the system never let happen (it was silent,
late or already done when the event fell) scores 0: nothing was shown.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol

import msgspec

from duologue.corpus.interval import clip, merge_gaps, total
from duologue.score.exchange import RATE, Exchange, PlayedEvent
from duologue.score.profiles.corrected.limits import Limits
from duologue.score.profiles.corrected.replies import claims, seconds
from duologue.score.profiles.corrected.speech import is_signal, samples, talk, touches
from duologue.score.scorecard import EventScore, ReplyScore, Rule


class Reading(Protocol):
    """What the rules ask of a reader of text; both give a share in [0, 1]."""

    def continues(self, before: str, after: str, language: str) -> float:
        """How far ``after`` goes on from where ``before`` stopped, rather than starting over or turning elsewhere."""
        ...

    def repeats(self, reply: str, heard: str, language: str) -> float:
        """How much of ``reply`` says again what was ``heard`` before."""
        ...


def judge(
    x: Exchange, e: PlayedEvent, replies: Mapping[int, ReplyScore], reading: Reading, limits: Limits
) -> EventScore:
    """The score of event ``e``; ``replies`` are those of the item, by turn."""
    if e.not_exercised:
        return _scored(e, [], exercised=False, why=e.not_exercised)
    # Only what happens over the system's own speech needs it to speak; a pause or a bystander's call does not.
    if {"stop", "continue"} & set(e.event.expected) and not _speaking(x, e, limits):
        return _scored(e, [], exercised=False, why=_silent_why(x, e))
    return _JUDGES.get(e.event.kind, _plain)(x, e, replies, reading, limits)


def _interruption(
    x: Exchange, e: PlayedEvent, replies: Mapping[int, ReplyScore], reading: Reading, limits: Limits
) -> EventScore:
    stop = _stop(x, e, limits)
    reply = replies.get(e.event.target_turn)
    if e.event.kind == "repetition":
        before = x.text(0, e.start + samples(0.5))
        share = reading.repeats(reply.text, before, x.language) if reply and reply.text else 0.0
        addressed = Rule(
            name="says again what was heard",
            score=share,
            value=share,
            allowed="the share of the reply that restates it",
            why="" if reply and reply.text else "no reply",
        )
    else:
        relevance = reply.relevance if reply and reply.relevance is not None else 0.0
        addressed = Rule(
            name="answers the new words",
            score=relevance,
            value=relevance,
            allowed="relevance to the interruption",
            why=reply.why if reply and reply.why else "" if reply and reply.text else "no reply",
        )
    return _scored(e, [stop, addressed], stop=stop, limits=limits)


def _termination(
    x: Exchange, e: PlayedEvent, replies: Mapping[int, ReplyScore], reading: Reading, limits: Limits
) -> EventScore:
    stop = _stop(x, e, limits)
    later = [t.start for t in claims(x) if t.start >= e.end]
    until = later[0] if later else x.heard_until
    begin = e.start + samples(stop.value) if stop.value is not None else e.end
    said = total(clip(talk(x, limits), max(begin, e.start), until)) / RATE
    wait = Rule(
        name="stays silent",
        score=limits.after_stop(said),
        value=round(said, 3),
        unit="s spoken",
        allowed=str(limits.after_stop),
        start=seconds(begin),
        end=seconds(until),
    )
    rules = [stop, wait]
    if "resume" in e.event.expected and later:
        asked = next(t for t in claims(x) if t.start >= e.end)
        reply = replies.get(asked.turn.index)
        able = bool(reply and reply.text)
        rules.append(
            Rule(
                name="goes on when asked",
                score=1.0 if able else 0.0,
                allowed="a reply to the turn that asks for it",
                why="" if able else "no reply",
                start=seconds(asked.end),
            )
        )
    return _scored(e, rules, stop=stop, limits=limits)


def _backchannel(
    x: Exchange, e: PlayedEvent, replies: Mapping[int, ReplyScore], reading: Reading, limits: Limits
) -> EventScore:
    return _scored(e, [_goes_on(x, e, reading, limits, patient=False)])


def _bystander(
    x: Exchange, e: PlayedEvent, replies: Mapping[int, ReplyScore], reading: Reading, limits: Limits
) -> EventScore:
    """Third-party speech and speech directed at others: no reply to it; an answer under way goes on or comes back."""
    if "continue" in e.event.expected:
        return _scored(e, [_goes_on(x, e, reading, limits, patient=True)])
    return _scored(e, [_no_reply(x, e, limits)])


def _pause(
    x: Exchange, e: PlayedEvent, replies: Mapping[int, ReplyScore], reading: Reading, limits: Limits
) -> EventScore:
    turn = x.played(e.event.target_turn)
    begin, end = (turn.start, turn.end) if turn else (e.start, e.end)
    # The last moments of the turn may be overlapped, as people do; the pause itself and what follows it may not.
    last = max(e.end, end - samples(-limits.early.full))
    return _scored(e, [_no_start(x, begin + samples(0.2), last, "does not start inside the turn", limits)])


def _plain(
    x: Exchange, e: PlayedEvent, replies: Mapping[int, ReplyScore], reading: Reading, limits: Limits
) -> EventScore:
    """An event of a kind that we do not know is judged by the acts it expects."""
    if "stop" in e.event.expected:
        wait = "respond" not in e.event.expected
        return (_termination if wait else _interruption)(x, e, replies, reading, limits)
    if "ignore" in e.event.expected:
        return _bystander(x, e, replies, reading, limits)
    if "continue" in e.event.expected:
        return _backchannel(x, e, replies, reading, limits)
    return _pause(x, e, replies, reading, limits)


_JUDGES: dict[str, Callable[..., EventScore]] = {
    "follow_up": _interruption,
    "negation": _interruption,
    "repetition": _interruption,
    "topic_switch": _interruption,
    "termination": _termination,
    "backchannel": _backchannel,
    "pause": _pause,
    "third_party": _bystander,
    "others_directed": _bystander,
}


# -- rules --------------------------------------------------------------------------------------------------------


def _speaking(x: Exchange, e: PlayedEvent, limits: Limits) -> bool:
    return touches(x.speech, e.start - samples(limits.speaking_before), e.start + samples(limits.speaking_after))


def _silent_why(x: Exchange, e: PlayedEvent) -> str:
    last = [int(b) for _, b in x.speech if b <= e.start]
    if not last:
        return "the system had said nothing when the event fell"
    return f"the system had been silent for {(e.start - last[-1]) / RATE:.2f} s when the event fell"


def _stop(x: Exchange, e: PlayedEvent, limits: Limits) -> Rule:
    """From the event's onset until the system is silent, by sound, not words: a hum is not silence.

    What it starts again well inside the user's words means that it had not stopped. A reply that overlaps the user's
    last half second is a reply.
    """
    spans = [(int(a), int(b)) for a, b in x.sound if b > e.start and a < e.end]
    near = samples(limits.breath)
    silent = e.start
    for a, b in spans:
        begins_reply = a > silent + near and a >= e.end - samples(-limits.early.full)
        if begins_reply:
            break
        silent = b
    value = max(0.0, (silent - e.start) / RATE)
    return Rule(
        name="falls silent",
        score=limits.stop(value),
        value=round(value, 3),
        unit="s",
        allowed=str(limits.stop),
        start=seconds(e.start),
        end=seconds(e.start + samples(limits.stop.zero)),
    )


def _goes_on(x: Exchange, e: PlayedEvent, reading: Reading, limits: Limits, *, patient: bool) -> Rule:
    """The answer goes on over the event without a long silence, or comes back with what was to follow.

    A backchannel gives no reason to pause. Over a bystander (``patient``) one may wait until they are done.
    """
    ramp = limits.resume if patient else limits.gap
    unit = "s after it" if patient else "s of silence"
    until = next((t.start for t in claims(x) if t.start >= e.start), x.heard_until)
    need = min(e.end, e.start + RATE) + samples(limits.beyond)
    rows = [(int(a), int(b)) for a, b in merge_gaps(x.speech, samples(limits.gap.full))]
    i = max(i for i, (a, _) in enumerate(rows) if a < e.start + samples(limits.speaking_after))
    broke_off = rows[i][1]
    rule = Rule(
        name="goes on with its answer",
        score=1.0,
        value=0.0,
        unit=unit,
        allowed=str(ramp),
        start=seconds(e.start),
        end=seconds(min(until, e.end + samples(ramp.zero))),
    )
    if broke_off >= need:
        return rule
    later = [(a, b) for a, b in rows[i + 1 :] if a < until and not is_signal(x, a, b, limits)]
    if not later:
        why = f"it ended {(broke_off - e.start) / RATE:.2f} s into the event and did not come back"
        return msgspec.structs.replace(rule, score=limits.lost if patient else 0.0, value=None, why=why)
    back = later[0][0]
    waited = max(0, back - (e.end if patient else broke_off)) / RATE
    same = reading.continues(x.text(0, broke_off + RATE // 10), x.text(back, until), x.language)
    return msgspec.structs.replace(
        rule,
        score=ramp(waited) * same,
        value=round(waited, 3),
        why="" if same >= 0.5 else f"what it said then follows from its answer by {same:.2f} only",
    )


def _no_reply(x: Exchange, e: PlayedEvent, limits: Limits) -> Rule:
    """Nothing is said to it: no start between the event's onset and the user's own next turn, or the window's end."""
    query = next((t for t in claims(x) if t.start >= e.start), None)
    until = e.end + samples(e.event.window)
    if query is not None:
        # A reply to the user's own query may overlap its last moments.
        until = min(until, max(query.start, query.end - samples(-limits.early.full)))
    return _no_start(x, e.start + samples(0.2), min(until, x.heard_until), "does not answer it", limits)


def _no_start(x: Exchange, begin: int, end: int, name: str, limits: Limits) -> Rule:
    rows = talk(x, limits)
    starts = [(int(a), int(b)) for a, b in rows if begin < a < end and not is_signal(x, int(a), int(b), limits)]
    return Rule(
        name=name,
        score=0.0 if starts else 1.0,
        value=float(len(starts)),
        unit="starts",
        allowed="none",
        why=f"it spoke at {starts[0][0] / RATE:.2f} s" if starts else "",
        start=seconds(begin),
        end=seconds(max(begin, end)),
    )


def _scored(
    e: PlayedEvent,
    rules: list[Rule],
    *,
    exercised: bool = True,
    why: str = "",
    stop: Rule | None = None,
    limits: Limits | None = None,
) -> EventScore:
    score = 1.0 if exercised else 0.0
    for rule in rules:
        score *= rule.score if rule.score is not None else 1.0
    silent = stop.value if stop is not None and limits is not None and (stop.value or 0) < limits.stop.zero else None
    return EventScore(
        event=e.event.id,
        kind=e.event.kind,
        position=e.event.position,
        start=seconds(e.start),
        end=seconds(e.end),
        score=round(score, 6),
        exercised=exercised,
        why=why,
        rules=tuple(rules),
        stop=silent,
        stop_limit=limits.stop.zero if limits is not None and stop is not None else None,
    )
