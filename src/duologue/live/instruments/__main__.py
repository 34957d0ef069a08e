"""Serve one instrument until standard input is closed: ``python -m duologue.live.instruments PROTOCOL [BEHAVIOUR]``."""

from __future__ import annotations

import sys

import msgspec

from duologue.live.instruments import PROTOCOLS, Behaviour, Instrument


def main(argv: list[str]) -> int:
    if len(argv) not in (1, 2) or argv[0] not in PROTOCOLS:
        print(f"usage: python -m duologue.live.instruments {{{','.join(PROTOCOLS)}}} [JSON]", file=sys.stderr)
        return 2
    behaviour = msgspec.json.decode(argv[1], type=Behaviour) if argv[1:] else Behaviour()
    with Instrument(argv[0], behaviour) as server:
        print(server.spec, flush=True)
        sys.stdin.read()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
