"""The command ``duologue``: one file a verb, loaded only when called, no logic of its own."""

from __future__ import annotations

import sys
from importlib import import_module
from typing import Any

import click

from duologue.errors import UserError

# verb -> one line of help; each lives in duologue/cli/<verb>.py as ``command``.
VERBS = {
    "build": "Build a corpus from a recipe.",
    "scripts": "Write a recipe's scripts into a file; check them.",
    "sheets": "Write reading sheets for actors from a file of scripts.",
    "recordings": "Check what people recorded from reading sheets.",
    "reproduce": "Build a corpus again and compare it.",
    "check": "List every broken invariant of a corpus.",
    "stats": "Count a corpus: hours, emotions, scenarios, timing, gaps.",
    "inspect": "Say how good a corpus is: words, voices, sound, timing, feeling.",
    "shortcuts": "Try to guess labels from artefacts of the construction.",
    "explorer": "Write a corpus as one HTML file to search and hear.",
    "show": "Show one dialogue as text and as a picture.",
    "systems": "List ways to reach a system; serve one to talk to.",
    "run": "Run a system on a corpus, live or not; diagnose logged calls.",
    "talk": "Have one exchange with a system and see its timeline.",
    "score": "Score a system's run; explain, compare, self-check.",
    "agree": "Measure how far raters agree, and a judge with them.",
    "questions": "Make multiple-choice questions of track 1; score answers.",
    "baseline": "Train a small baseline of understanding; answer with it.",
    "models": "List, fetch and verify voices and models.",
    "import": "Bring recordings or another layout into a corpus.",
    "export": "Write a corpus in another layout.",
    "annotate": "Send items to raters, take answers in, decide; annotate audio.",
    "split": "Deal a corpus into train, dev and test that do not touch.",
    "seal": "Take the answers out of a test set and lock them up.",
    "unseal": "Open a sealed test set; give a run on it its ids.",
    "audit": "Look for a test set in training data.",
    "declare": "Declare the data and models used; check and sign that.",
    "submission": "Make, check and score a team's submission.",
    "leaderboard": "Rank the teams of a challenge; keep its board.",
}


class _Verbs(click.Group):
    """Loads a verb's module on first use, so that ``duologue --help`` starts fast."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(VERBS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        if name not in VERBS:
            return None
        module = import_module(f"duologue.cli.{name}_" if name == "import" else f"duologue.cli.{name}")
        command: click.Command = module.command
        return command

    def resolve_command(self, ctx: click.Context, args: list[str]) -> Any:
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            import difflib

            near = difflib.get_close_matches(args[0], VERBS, n=1) if args else []
            if near:
                raise click.UsageError(f"{error.message} Did you mean '{near[0]}'?", ctx) from None
            raise

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Verbs"):
            formatter.write_dl(list(VERBS.items()))


@click.group(cls=_Verbs, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(package_name="duologue")
def cli() -> None:
    """Build, guard and score spoken-dialogue challenge datasets.

    \b
    Example:  duologue build recipes/demo.yaml data/demo && duologue stats data/demo
    Shell completion:  eval "$(_DUOLOGUE_COMPLETE=bash_source duologue)"   (zsh_source, fish_source)
    """


def main() -> None:
    """Entry point: a user's mistake ends in one line and exit code 2, an interrupt in 130."""
    try:
        # Outside its standalone mode click gives the code of an exit back.
        code = cli.main(standalone_mode=False)
        sys.exit(code if isinstance(code, int) else 0)
    except click.exceptions.Exit as done:
        sys.exit(done.exit_code)
    except click.Abort:
        click.echo("interrupted", err=True)
        sys.exit(130)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except UserError as error:
        click.echo(f"duologue: {error.message}", err=True)
        sys.exit(2)
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(141)
