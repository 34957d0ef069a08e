"""Instruments to measure the harness with: servers of programmed behaviour, one for each protocol, on loopback.

    with Instrument("realtime", Behaviour(reply_after=0.7)) as server:
        ...  # server.url

or, in a process of its own, ``python -m duologue.live.instruments realtime '{"reply_after": 0.7}'``, which prints the
address and serves until its standard input is closed.
"""

from duologue.live.instruments.behaviour import Behaviour
from duologue.live.instruments.server import PROTOCOLS, Instrument

__all__ = ["PROTOCOLS", "Behaviour", "Instrument"]
