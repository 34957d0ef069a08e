"""The key to a system: read from the environment when needed, sent in a header, cut out of all that comes back."""

from __future__ import annotations

import os

from duologue.errors import UserError

# Local servers take any word for a key ("EMPTY"); such a word is no secret and may well be part of an answer.
_SHORTEST_SECRET = 8


class Key:
    """The key in environment variable ``env``; "" for none. The value is held nowhere."""

    def __init__(self, env: str) -> None:
        self.env = env

    def __repr__(self) -> str:
        return f"Key({self.env!r})"

    def read(self) -> str:
        """The key, "" where the variable is unset. UserError for characters that no header carries."""
        key = os.environ.get(self.env, "").strip() if self.env else ""
        if not all(0x21 <= ord(c) <= 0x7E for c in key):
            raise UserError("the key holds characters that no key has", field=self.env)
        return key

    def cut(self, text: str) -> str:
        """``text`` without the key, wherever a server may have echoed it."""
        key = self.read()
        return text.replace(key, "[key]") if len(key) >= _SHORTEST_SECRET else text

    def cut_all(self, value: object) -> object:
        """A JSON value without the key in any of its strings."""
        if isinstance(value, str):
            return self.cut(value)
        if isinstance(value, list):
            return [self.cut_all(v) for v in value]
        if isinstance(value, dict):
            return {self.cut(k): self.cut_all(v) for k, v in value.items()}
        return value
