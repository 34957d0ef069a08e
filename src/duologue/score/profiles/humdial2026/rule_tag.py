"""Official tags by rule, where no judge was asked: a stand-in, and every report says that it is one.

The official tag is given by a language model that reads four transcripts. What it is told to look for shows in what
it sees: a new stretch of speech after the event, and whether its words answer the event or go on from the answer. A
system that keeps silent, or talks on without a break, opens no new stretch and is tagged UNKNOWN, as officially.
"""

from __future__ import annotations

from duologue.corpus.event import INTERRUPTION
from duologue.corpus.interval import merge_gaps
from duologue.score.exchange import RATE
from duologue.score.profiles.corrected.evaluate import Read
from duologue.score.profiles.corrected.events import Reading

METHOD = "by rule, without a judge"
# The official merging of the system's speech.
_GAP = 0.5
_SURE = 0.5


def rule_tag(read: Read, reading: Reading) -> str:
    """RESPOND, RESUME, UNCERTAIN_HANDLING or UNKNOWN for the first event of an exchange."""
    x = read.exchange
    if not x.events or x.events[0].not_exercised:
        return "UNKNOWN"
    e = x.events[0]
    rows = merge_gaps(x.speech, _GAP * RATE)
    new = [(int(a), int(b)) for a, b in rows if a > e.start]
    if not new:
        return "UNKNOWN"
    start = new[0][0]
    before, after = x.text(0, start), x.text(start, new[-1][1] if len(new) < 3 else new[1][1])
    if not after:
        return "UNKNOWN"
    if e.event.kind in INTERRUPTION:
        reply = next((a for a in read.answers if a.wanted.index == e.event.target_turn), None)
        if e.event.kind == "termination":
            # Any word on it is a response: "okay". Silence was UNKNOWN above.
            return "RESPOND" if start < e.end + 4 * RATE else "UNKNOWN"
        judged = read.judged.get(e.event.target_turn)
        if reply is not None and judged is not None:
            worth = judged.score
            if e.event.kind == "repetition":
                worth = reading.repeats(reply.text, before, x.language)
            if worth >= _SURE:
                return "RESPOND"
        return "RESUME" if reading.continues(before, after, x.language) >= _SURE else "UNCERTAIN_HANDLING"
    if before and reading.continues(before, after, x.language) >= _SURE:
        return "RESUME"
    return "RESPOND" if start < e.end + 4 * RATE else "UNCERTAIN_HANDLING"
