"""A corpus's dialogues as Full-Duplex-Bench tasks, so that any run gets its numbers too.

    pause          the turn with the pause: anything said before the turn's end is a takeover
    turn_taking    the first turn that wants a reply, of dialogues without an event
    interruption   what is said after an interruption's end

The benchmark's own "backchannel" task is the system's backchannels while a person tells something. No scenario of ours
is that, and none is scored as if it were.
"""

from __future__ import annotations

from collections.abc import Iterator

from duologue.score.exchange import RATE, Exchange
from duologue.score.profiles.corrected.replies import claims
from duologue.score.profiles.fdb import FdbItem, FdbWord, Task

_TASKS: dict[str, Task] = {
    "follow_up": "interruption",
    "negation": "interruption",
    "repetition": "interruption",
    "topic_switch": "interruption",
    "pause": "pause",
    "none": "turn_taking",
}


def fdb_items(x: Exchange) -> Iterator[FdbItem]:
    """The tasks of one exchange; none for scenarios that the benchmark does not know."""
    task = _TASKS.get(x.dialogue.scenario)
    floor = claims(x)
    if task is None or not floor or (task != "turn_taking" and not x.events):
        return
    if task == "turn_taking":
        end = floor[0].end
        until = floor[1].start if len(floor) > 1 else x.heard_until
        begin = floor[0].start
    else:
        e = x.events[0]
        turn = x.played(e.event.target_turn)
        if turn is None or e.not_exercised:
            yield FdbItem(id=x.dialogue.id, task=task)
            return
        begin, end = turn.start, turn.end
        until = end if task == "pause" else next((c.start for c in floor if c.start > end), x.heard_until)
        begin = begin if task == "pause" else end
    readable = x.observation.status == "ok"
    words = tuple(FdbWord(w.text, w.start / RATE, w.end / RATE) for w in x.words if begin <= w.start < until)
    yield FdbItem(
        id=x.dialogue.id,
        task=task,
        words=words if readable else None,
        event_end=None if task == "pause" else end / RATE,
        duration=x.heard_until / RATE,
    )
