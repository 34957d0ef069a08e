"""``duologue baseline``: train the understanding baseline, answer with it, evaluate it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import msgspec
from rich.console import Console

from duologue.cli.progress import bar
from duologue.corpus.read import Corpus

if TYPE_CHECKING:
    from duologue.understanding.stretch import RememberedListener

FOLDER = click.Path(path_type=Path, file_okay=False)
THREADS = os.cpu_count() or 1


@click.group()
def command() -> None:
    """Train a small baseline of both tracks' understanding tasks; answer and evaluate with it.

    \b
    Examples:  duologue baseline train data/demo -o MODEL
               duologue baseline answer data/demo MODEL -o RUN
               duologue baseline evaluate data/demo MODEL --real ACTED_CLIPS

    It learns from the train split, chooses on dev, and never opens test. Words come from the embedded recogniser,
    prosody from our own features.
    """


def _hearing(f: Any) -> Any:
    for option in (
        click.option("--json", "as_json", is_flag=True, help="Print everything as JSON."),
        click.option(
            "--words",
            type=click.Choice(["recogniser", "transcript"]),
            default="recogniser",
            show_default=True,
            help="Where words come from: heard in the audio, or given with the corpus.",
        ),
        click.option(
            "--cache",
            type=FOLDER,
            default=Path(".duologue-cache"),
            show_default=True,
            help="Where words that were heard are kept.",
        ),
    ):
        f = option(f)
    return f


@command.command()
@click.argument("corpus", type=FOLDER)
@click.option("-o", "--out", type=FOLDER, required=True, help="The model's folder.")
@click.option("--most", type=click.IntRange(1), help="Dialogues to hear of each track, language and split.")
@_hearing
def train(corpus: Path, out: Path, most: int | None, as_json: bool, words: str, cache: Path) -> None:
    """Train on CORPUS's train split, choose on its dev split.

    \b
    Example:  duologue baseline train data/demo -o MODEL --words transcript
    """
    from duologue.report.understanding_text import trained
    from duologue.understanding.model import save
    from duologue.understanding.train import train as learn

    with bar("hearing", None) as advance:
        manifest = save(learn(corpus, listener=_listener(words, cache), most=most, advance=advance), out)
    _print(manifest, as_json, trained)
    click.echo(f"wrote {out}", err=True)


@command.command()
@click.argument("corpus", type=FOLDER)
@click.argument("model", type=FOLDER)
@click.option("-o", "--out", type=FOLDER, required=True, help="The run's folder.")
@click.option("--split", default="test", show_default=True, help="The split to answer.")
@_hearing
def answer(corpus: Path, model: Path, out: Path, split: str, as_json: bool, words: str, cache: Path) -> None:
    """Answer CORPUS's questions of track 1: RUN/answers.jsonl, which "duologue score --track emotion" reads.

    \b
    Example:  duologue baseline answer data/demo MODEL -o RUN
              duologue score data/demo RUN --track emotion --split test
    """
    from duologue.understanding.answer import answer as write
    from duologue.understanding.model import load

    opened = Corpus(corpus, track="emotion", split=split)
    trained = load(model)
    with bar("answering", len(opened)) as advance:
        n = write(opened, trained, out, listener=_listener(words, cache), advance=advance)
    if as_json:
        click.echo(msgspec.json.encode({"answers": n, "run": str(out), "model_sha256": trained.manifest.model_sha256}))
    else:
        click.echo(f"wrote {n} answers; score them: duologue score {corpus} {out} --track emotion --split {split}")


@command.command()
@click.argument("corpus", type=FOLDER)
@click.argument("model", type=FOLDER)
@click.option("--split", default="test", show_default=True, help="The split to evaluate on.")
@click.option("--track", type=click.Choice(["emotion", "duplex"]), help="Only this track.")
@click.option("--language", help="Only this language.")
@click.option("--most", type=click.IntRange(1), help="Dialogues to hear of each track and language.")
@click.option("--real", type=FOLDER, help="Clips acted by people, in English: labels.csv with file, emotion, actor.")
@_hearing
def evaluate(
    corpus: Path, model: Path, split: str, most: int | None, real: Path | None, as_json: bool, words: str, **o: Any
) -> None:
    """Measure MODEL on CORPUS's test split, task by task, and on clips acted by people.

    \b
    Example:  duologue baseline evaluate data/demo MODEL --real acted/
    """
    from duologue.report.understanding_text import evaluated
    from duologue.understanding.evaluate import evaluate as measure
    from duologue.understanding.model import load
    from duologue.understanding.real import read_clips

    opened = Corpus(corpus, split=split, track=o["track"], language=o["language"])
    trained = load(model)
    clips = read_clips(real) if real is not None else []
    with bar("hearing", None) as advance:
        found = measure(
            opened,
            trained,
            split=split,
            listener=_listener(words, o["cache"]),
            most=most,
            clips=clips,
            advance=advance,
        )
    _print(found, as_json, evaluated)


def _listener(words: str, cache: Path) -> RememberedListener | None:
    if words == "transcript":
        return None
    from duologue.listen.words import Recogniser
    from duologue.understanding.stretch import RememberedListener

    return RememberedListener(Recogniser(THREADS), cache)


def _print(found: Any, as_json: bool, text: Any) -> None:
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode(found), indent=1))
    else:
        Console(highlight=False).print(text(found))
