"""Where the time went between the end of the user's turn and the first sound that the user heard.

    audible = onset of the sound heard - end of the turn as sent
    server  = arrival of the message that held that onset - end of the turn - network
    network = median time that a WebSocket ping took there and back

so ``audible`` is ``network + server`` and what playback added: its delay, a queue, silence at the beginning of the
message. All in milliseconds. A turn counts where the system is silent at its end and sounds before the next turn.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from statistics import median

import numpy as np

from duologue.corpus.observation import SentTurn
from duologue.listen.sound import audible
from duologue.live.playback import Piece
from duologue.systems.arrival import Int16


def split_latency(
    sent: Sequence[SentTurn],
    heard: Int16,
    rate: int,
    pieces: Sequence[Piece],
    player_rate: int,
    round_trips: Sequence[float],
) -> dict[str, float]:
    """Medians over the turns as ``network``, ``server`` and ``audible``, and each turn's own as ``server/3``.

    ``sent`` and ``heard`` (int16 [n]) are on the clock at ``rate``; ``pieces`` are the player's. What could not be
    measured is left out.
    """
    found: dict[str, float] = {}
    network = median(round_trips) * 1000 if round_trips else None
    if network is not None:
        found["network"] = round(network, 3)
    sounds = audible(heard.astype(np.float32) / np.float32(32_768), rate)
    ends = [p.end for p in pieces]
    server: list[float] = []
    total: list[float] = []
    for turn, end, until in _ends(sent, len(heard)):
        if any(a < end < b for a, b in sounds):
            continue
        onset = next((int(a) for a, _ in sounds if end <= a < until), None)
        if onset is None:
            continue
        delay = (onset - end) * 1000 / rate
        total.append(delay)
        found[f"audible/{turn}"] = round(delay, 3)
        # The piece that the onset lies in; where resampling rang ahead of it, the piece that comes next.
        at = bisect_right(ends, round(onset * player_rate / rate))
        if at < len(pieces) and network is not None:
            own = pieces[at].at * 1000 - end * 1000 / rate - network
            server.append(own)
            found[f"server/{turn}"] = round(own, 3)
    for name, values in (("server", server), ("audible", total)):
        if values:
            found[name] = round(median(values), 3)
    return found


def _ends(sent: Sequence[SentTurn], length: int) -> list[tuple[int, int, int]]:
    """(turn, its end, the beginning of the user's next sound) of each turn that another does not outlast."""
    last: dict[int, SentTurn] = {}
    for s in sent:
        if s.turn not in last or s.end > last[s.turn].end:
            last[s.turn] = s
    rows = []
    for s in sorted(last.values(), key=lambda s: s.end):
        if any(o.start < s.end < o.end for o in sent):
            continue
        rows.append((s.turn, s.end, min((o.start for o in sent if o.start >= s.end), default=length)))
    return rows
