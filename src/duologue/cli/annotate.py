"""``duologue annotate``: what people say about a corpus, and what its audio tells by itself."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click
import msgspec

from duologue.corpus import read

_PATH = click.Path(path_type=Path)
_OUT = click.option("-o", "--out", type=_PATH, required=True, help="New folder or file.")
_JSON = click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
_SKIP = click.option("--skip-bad", is_flag=True, help="Write what is sound; list the rest.")


@click.group(no_args_is_help=True)
def command() -> None:
    """Annotation by people, and from audio.

    \b
    Example:
      duologue annotate guidelines zh > guidelines.md
      duologue annotate export data/demo -o sheets --raters ann,bo,cy --format csv --layers emotion,cause
      duologue annotate import data/demo sheets -o data/rated
      duologue annotate agree data/rated
      duologue annotate disagreements data/rated -o decide.csv
      duologue annotate adjudicate data/rated decide.csv -o data/gold --majority --adjudicator dee
      duologue annotate audio calls -o data/calls --language en --licence CC-BY-4.0 --consent c1 ...

    The corpus that is named is never changed: what comes of it is a new one, its audio linked.
    """


@command.command("guidelines")
@click.argument("language", type=click.Choice(["zh", "en"]))
def guidelines(language: str) -> None:
    """What raters read first: every emotion, shift, cause and scenario, with borderline cases.

    \b
    Example:  duologue annotate guidelines en > guidelines.md
    """
    from duologue.annotate.guidelines import guidelines

    click.echo(guidelines(language), nl=False)


@command.command("export")
@click.argument("corpus", type=_PATH)
@_OUT
@click.option("--raters", required=True, metavar="A,B", help="Names of the raters, two or more.")
@click.option("--each", default=2, show_default=True, help="Raters an item.")
@click.option("--format", type=click.Choice(["csv", "jsonl", "labelstudio", "textgrid"]), default="csv")
@click.option("--layers", default="emotion,shift,cause,event", show_default=True, help="Or time, alone.")
@click.option("--blind/--open", default=True, show_default=True, help="Open: with the answer that counts so far.")
@click.option("--language", help="Only dialogues of this language.")
@click.option("--track", help="Only this track: emotion or duplex.")
@click.option("--split", help="Only this split.")
@_JSON
def export(
    corpus: Path,
    out: Path,
    raters: str,
    each: int,
    format: Any,
    layers: str,
    blind: bool,
    language: str | None,
    track: str | None,
    split: str | None,
    as_json: bool,
) -> None:
    """Send the items of CORPUS to raters: a folder each.

    \b
    Example:  duologue annotate export data/demo -o sheets --raters ann,bo --format labelstudio --layers emotion
    """
    from duologue.annotate.send import send

    opened = read.open(corpus, language=language, track=track, split=split)
    kinds: Any = _listed(layers)
    sent = send(opened, out, _listed(raters), layers=kinds, format=format, each=each, blind=blind)
    if as_json:
        _print(sent)
        return
    per_layer = ", ".join(f"{n} {layer}" for layer, n in sent.layers.items())
    click.echo(f"{out}: {sent.items} items of {sent.dialogues} dialogues: {per_layer}")
    for rater, n in sent.load.items():
        click.echo(f"  {rater}: {n} items")


@command.command("import")
@click.argument("corpus", type=_PATH)
@click.argument("files", nargs=-1, required=True, type=_PATH)
@_OUT
@_SKIP
@_JSON
def import_(corpus: Path, files: tuple[Path, ...], out: Path, skip_bad: bool, as_json: bool) -> None:
    """Take raters' FILES in as annotations of CORPUS: files or folders, as they were sent and filled in.

    \b
    Example:  duologue annotate import data/demo sheets/ann sheets/bo -o data/rated
    """
    from duologue.annotate.take_in import take_in

    r = take_in(read.open(corpus), files, out, skip_bad=skip_bad)
    if as_json:
        _print(r)
    else:
        for p in r.findings:
            click.echo(f"{p.where}: {p.what}")
        click.echo(f"{r.rows} rows: {r.taken} taken, {r.open} without an answer, {r.refused} refused")
        click.echo(f"{r.missing} items did not come back; " + ", ".join(f"{k} {n}" for k, n in r.raters.items()))
        click.echo(f"{out}: corpus {r.corpus_sha256}" if r.written else "nothing written (--skip-bad takes the rest)")
    sys.exit(0 if r.written else 1)


@command.command("agree")
@click.argument("corpus", type=_PATH)
@click.option("--resamples", type=click.IntRange(0, 100_000), default=1000, show_default=True, help="Bootstrap draws.")
@click.option("--seed", type=int, default=0, show_default=True, help="Of the draws.")
@_JSON
def agree(corpus: Path, resamples: int, seed: int, as_json: bool) -> None:
    """Agreement of the people who judged CORPUS, layer by layer; weak layers are provisional.

    \b
    Example:  duologue annotate agree data/rated
    """
    from duologue.annotate.judgements import agreement

    r = agreement(read.open(corpus), resamples=resamples, seed=seed)
    if as_json:
        _print(r)
        return
    for m in r.alphas:
        a = m.alpha
        value = "undefined" if a.value is None else f"{a.value:.3f}"
        between = "" if a.low is None or a.high is None else f" [{a.low:.3f}, {a.high:.3f}]"
        weak = "  provisional" if m.provisional else ""
        click.echo(f"{m.question}: alpha ({m.level}) {value}{between}, {a.n} items of two or more ratings{weak}")
    if r.words is not None:
        click.echo(f"cause words: {r.words:.3f} of both spans shared, where raters name the same turn")
    if r.time is not None:
        t = r.time
        click.echo(
            f"time: starts {t.start_median:.0f} ms apart in the median, {t.start_p95:.0f} ms in 95%; "
            f"ends {t.end_median:.0f} and {t.end_p95:.0f} ms; {t.pairs} pairs{'  provisional' if t.provisional else ''}"
        )
    if r.once:
        click.echo(f"{r.once} items were judged once and tell nothing of agreement")
    if not r.alphas and r.time is None:
        click.echo("nobody has judged this corpus")


@command.command("disagreements")
@click.argument("corpus", type=_PATH)
@_OUT
@_JSON
def disagreements(corpus: Path, out: Path, as_json: bool) -> None:
    """List what raters of CORPUS differ on, as a CSV with a column to decide in.

    \b
    Example:  duologue annotate disagreements data/rated -o decide.csv
    """
    from duologue.annotate.judgements import disputes, write_disputes

    found = disputes(read.open(corpus))
    write_disputes(found, out)
    if as_json:
        _print(found)
    else:
        click.echo(f"{out}: {len(found)} items to decide")


@command.command("adjudicate")
@click.argument("corpus", type=_PATH)
@click.argument("sheet", required=False, type=_PATH)
@_OUT
@click.option("--adjudicator", default="adjudicator", show_default=True, help="Who decided in SHEET.")
@click.option("--majority", is_flag=True, help="Accept what more than half of an item's raters say.")
@_SKIP
@_JSON
def adjudicate(
    corpus: Path, sheet: Path | None, out: Path, adjudicator: str, majority: bool, skip_bad: bool, as_json: bool
) -> None:
    """Make gold of what raters of CORPUS agree on and of the decisions in SHEET.

    \b
    Example:  duologue annotate adjudicate data/rated decide.csv -o data/gold --majority
    """
    from duologue.annotate.adjudicate import adjudicate

    r = adjudicate(read.open(corpus), sheet, out, rater=adjudicator, majority=majority, skip_bad=skip_bad)
    if as_json:
        _print(r)
    else:
        for p in r.findings:
            click.echo(f"{p.where}: {p.what}")
        click.echo(f"gold: {r.agreed} agreed, {r.majority} by majority, {r.decided} decided; {len(r.open)} still open")
        if r.superseded:
            click.echo(f"{r.superseded} earlier gold annotations are raw now")
        if r.provisional:
            click.echo(f"provisional, as raters agree too little: {', '.join(r.provisional)}")
        click.echo(f"{out}: corpus {r.corpus_sha256}" if r.written else "nothing written")
    sys.exit(0 if r.written else 1)


@command.command("audio")
@click.argument("src", metavar="CORPUS|SRC", type=_PATH)
@_OUT
@click.option("--licence", default="", help="Of recordings: an SPDX expression.")
@click.option("--consent", default="", help="Of recordings: id of the record of the speakers' consent.")
@click.option("--source-url", default="", help="Of recordings: where they come from.")
@click.option("--holder", default="", help="Of recordings: who holds the rights.")
@click.option("--kind", default="", help="Of recordings: human-human, human-machine, ...")
@click.option("--language", default="", help="Of recordings: en or zh.")
@click.option("--words/--no-words", default=True, show_default=True, help="With the embedded recogniser.")
@_SKIP
@_JSON
def audio(src: Path, out: Path, words: bool, skip_bad: bool, as_json: bool, **rights: Any) -> None:
    """Turns, words, overlaps, floor-transfer offsets, backchannel and pause candidates, from audio; all estimated.

    SRC is a corpus, a folder of two-channel recordings (a speaker a channel), or of audio with RTTM. Turns that are
    there already are kept.

    \b
    Example:  duologue annotate audio calls -o data/calls --language en --kind human-human \\
                --licence CC-BY-4.0 --consent c1 --holder "Our lab"
    """
    import tempfile

    from duologue.annotate.audio import annotate, listener, open_source
    from duologue.formats.format import ImportOptions, options_of
    from duologue.listen.speech import SpeechDetector

    with tempfile.TemporaryDirectory(prefix="duologue-") as work:
        options = options_of(ImportOptions, {**rights, "skip_bad": skip_bad})
        corpus, problems = open_source(src, Path(work) / out.name, options)
        r = annotate(corpus, out, detector=SpeechDetector(), listener=listener() if words else None, skip_bad=skip_bad)
    if as_json:
        _print(msgspec.structs.replace(r, findings=(*problems, *r.findings)))
    else:
        for p in (*problems, *r.findings):
            click.echo(f"{p.where}: {p.what}")
        for id, f in r.dialogues.items():
            click.echo(
                f"{id}: speech {100 * f.speech:.1f}%, overlap {100 * f.overlap:.1f}%, {len(f.offsets)} transfers, "
                f"{f.backchannels} backchannel and {f.pauses} pause candidates"
            )
        click.echo(f"words: {r.words}")
        click.echo(f"{out}: corpus {r.corpus_sha256}" if r.written else "nothing written")
    sys.exit(0 if r.written else 1)


@command.command("turns")
@click.argument("corpus", type=_PATH)
@_OUT
def turns(corpus: Path, out: Path) -> None:
    """Write the turns of CORPUS as JSON Lines to correct; for Praat: duologue export textgrid.

    \b
    Example:  duologue annotate turns data/calls -o turns.jsonl
    """
    from duologue.annotate.turns_file import write_turns

    click.echo(f"{out}: {write_turns(read.open(corpus), out)} turns")


@command.command("correct")
@click.argument("corpus", type=_PATH)
@click.argument("file", type=_PATH)
@_OUT
@click.option("--rater", required=True, help="Who corrected.")
@_SKIP
def correct(corpus: Path, file: Path, out: Path, rater: str, skip_bad: bool) -> None:
    """Take corrected turns (JSON Lines) back in; for Praat: duologue import textgrid --corpus.

    \b
    Example:  duologue annotate correct data/calls turns.jsonl -o data/calls2 --rater ann
    """
    from duologue.annotate.turns_file import correct

    r = correct(read.open(corpus), file, out, rater=rater, skip_bad=skip_bad)
    for p in r.problems:
        click.echo(f"{p.where}: {p.what}")
    click.echo(f"{out}: {', '.join(r.notes)}; corpus {r.corpus_sha256}" if r.written else "nothing written")
    sys.exit(0 if r.written else 1)


def _listed(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]


def _print(result: Any) -> None:
    click.echo(msgspec.json.format(msgspec.json.encode(result), indent=1).decode())
