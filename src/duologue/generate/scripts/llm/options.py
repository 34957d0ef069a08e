"""What a recipe sets for the LLM writer, under ``options: {llm: {...}}``."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec

from duologue.errors import UserError
from duologue.remote.endpoint import Timeouts

AtLeastOne = Annotated[int, msgspec.Meta(ge=1)]
NotNegative = Annotated[float, msgspec.Meta(ge=0)]
Positive = Annotated[float, msgspec.Meta(gt=0)]


class LlmOptions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """See docs/llm-writer.md. Budgets hold for all that a cache folder has ever asked ``model`` for."""

    model: str
    base_url: str = ""
    key_env: str = "OPENAI_API_KEY"
    temperature: Annotated[float, msgspec.Meta(ge=0, le=2)] = 1.0
    top_p: Annotated[float, msgspec.Meta(gt=0, le=1)] = 1.0
    max_tokens: AtLeastOne = 4096
    extra: dict[str, Any] = {}
    omit: tuple[Literal["temperature", "top_p", "seed", "max_tokens"], ...] = ()
    turns_at_once: Annotated[int, msgspec.Meta(ge=0)] = 0
    attempts: AtLeastOne = 3
    requests_at_once: AtLeastOne = 4
    requests_per_minute: Positive | None = None
    budget_tokens: AtLeastOne | None = None
    budget_usd: Positive | None = None
    usd_per_million_in: NotNegative | None = None
    usd_per_million_out: NotNegative | None = None
    cache: str = ""
    offline: bool = False
    prompts: str = ""
    stream: bool = False
    plain_http: bool = False
    timeouts: Timeouts = Timeouts()
    retries: AtLeastOne = 5

    @property
    def folder(self) -> Path:
        """The cache folder: ``cache``, else ``duologue/llm`` in the user's cache folder (XDG)."""
        if self.cache:
            return Path(self.cache).expanduser()
        return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "duologue" / "llm"


# An address, a folder, speed, patience and money change no script that was accepted.
LOCAL = frozenset(LlmOptions.__struct_fields__) - {
    "model",
    "temperature",
    "top_p",
    "max_tokens",
    "extra",
    "omit",
    "turns_at_once",
}


def read_options(options: Mapping[str, Any]) -> LlmOptions:
    """UserError for an option that is unknown, of a wrong type or contradicts another."""

    def error(message: str, field: str, **more: Any) -> UserError:
        return UserError(message, where="recipe", field=f"options.llm.{field}".rstrip("."), **more)

    for name in options:
        if name not in LlmOptions.__struct_fields__:
            raise error("unknown option", name, allowed=", ".join(LlmOptions.__struct_fields__))
    try:
        found = msgspec.convert(dict(options), LlmOptions)
    except msgspec.ValidationError as problem:
        message, _, field = str(problem).partition(" - at `$.")
        raise error(message, field.rstrip("`"), mend="see docs/llm-writer.md") from None
    if not found.base_url and not found.offline:
        raise error("which server?", "base_url", allowed="an address such as http://localhost:8000/v1")
    if found.budget_usd is not None and None in (found.usd_per_million_in, found.usd_per_million_out):
        raise error("a budget in money needs prices", "budget_usd", mend="give usd_per_million_in and _out")
    return found
