"""The options by which a verb is given a secret: a key file, or a passphrase that is typed or in the environment."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import click

from duologue.errors import UserError
from duologue.protect.key import Secret, new_key, passphrase, read_key


def secret_options(f: Any) -> Any:
    """``--key``, ``--passphrase`` and ``--passphrase-env``: one of them, see :func:`secret_of`."""
    for option in (
        click.option("--passphrase-env", default="", metavar="VAR", help="Environment variable with a passphrase."),
        click.option("--passphrase", "asked", is_flag=True, help="Ask for a passphrase instead."),
        click.option("--key", type=click.Path(path_type=Path), metavar="KEYFILE", help="The file that holds the key."),
    ):
        f = option(f)
    return f


def secret_of(key: Path | None, asked: bool, variable: str, *, new: bool = False, confirm: bool = False) -> Secret:
    """The secret that the options name; ``new`` makes the key file first, ``confirm`` asks for a passphrase twice.

    Warnings about the key file go to standard error. Neither the secret nor a passphrase is ever printed.
    """
    if sum((key is not None, asked, bool(variable))) != 1:
        raise UserError("one secret is needed", allowed="one of --key, --passphrase, --passphrase-env")
    if key is not None:
        if new:
            return new_key(key)
        secret, warnings = read_key(key)
        for warning in warnings:
            click.echo(f"warning: {warning}", err=True)
        return secret
    if new:
        raise UserError("a new key needs a file to go to", field="--new-key", mend="--key KEYFILE")
    if variable:
        if not (text := os.environ.get(variable, "")):
            raise UserError("this variable holds nothing", field="--passphrase-env", value=variable)
        return passphrase(text)
    return passphrase(click.prompt("Passphrase", hide_input=True, confirmation_prompt=confirm, err=True))
