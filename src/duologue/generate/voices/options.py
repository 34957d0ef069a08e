"""A voice's part of a recipe's ``options``, read strictly."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

import msgspec

from duologue.errors import UserError

Options = TypeVar("Options", bound=msgspec.Struct)


def read_options(name: str, options: Mapping[str, Any], kind: type[Options], page: str) -> Options:
    """UserError, naming ``page`` of docs/, for an option of voice ``name`` that is unknown, missing or mistyped."""
    try:
        return msgspec.convert(dict(options), kind)
    except msgspec.ValidationError as error:
        message, _, field = str(error).partition(" - at `$.")
        raise UserError(
            message, field=f"options.{name}.{field.rstrip('`')}".rstrip("."), mend=f"see docs/{page}"
        ) from None
