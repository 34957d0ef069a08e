"""What an instrument does, in numbers."""

from __future__ import annotations

from typing import Literal

import msgspec

from duologue.errors import UserError

# What may be wrong with a server.
#   refuse     answers the opening request with 503        silent     accepts, and never says anything
#   close      closes (1000) before it greets              drop       breaks the connection
#   hangup     closes (1000)                               busy       closes with 1013, "try again later"
#   garbage    sends random bytes                          malformed  sends JSON that is cut off
#   oversized  sends one message of 16 MiB                 rate       declares a sample rate that is not the protocol's
#   odd        sends half a sample                         error      reports an error in the protocol's own form
#   number     sends JSON that is no object                echo-key   reports the key it was given, in an error
Fault = Literal[
    "", "refuse", "silent", "close", "drop", "hangup", "busy", "garbage", "malformed", "oversized", "rate", "odd",
    "error", "number", "echo-key",
]  # fmt: skip


class Behaviour(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All times in seconds, on the server's own clock: a sample of the user's is heard when its message arrives, less
    what of the message comes after it.

    A reply of ``reply`` seconds of tone begins ``reply_after`` after the last loud sample of the user's (None: never).
    The user's speech is over after ``hush`` of silence, so ``reply_after`` has to be longer. Where the user speaks into
    the reply it stops ``stop_after`` after the first loud sample (None: it goes on). ``burst`` sends the reply at
    once, else it is sent in chunks of ``chunk``, one chunk ahead of its playback; after ``stall_at`` seconds of it
    nothing is sent for ``stall``. ``fault`` strikes ``fault_at`` after the session began, on the first
    ``fault_times`` connections (-1: on all).
    """

    reply_after: float | None = 0.7
    reply: float = 1.0
    hush: float = 0.2
    stop_after: float | None = 0.2
    burst: bool = False
    chunk: float = 0.04
    stall_at: float | None = None
    stall: float = 0.5
    text: str = "Hello there."
    fault: Fault = ""
    fault_at: float = 0.0
    fault_times: int = -1

    def __post_init__(self) -> None:
        if self.reply_after is not None and self.reply_after <= self.hush:
            raise UserError(
                "a reply cannot begin before the user's silence is certain",
                field="reply_after",
                value=self.reply_after,
                allowed=f"more than hush = {self.hush}",
            )
