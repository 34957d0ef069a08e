"""``duologue score``: score a run, explain an item, compare two runs, check the scorer itself."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import click
import msgspec
from rich.console import Console

from duologue.cli.progress import bar
from duologue.corpus.read import Corpus
from duologue.corpus.run import Run
from duologue.corpus.write import write_atomic
from duologue.errors import UserError

if TYPE_CHECKING:
    from duologue.judge.emotion import EmotionJudge
    from duologue.listen.transcribe import Listener
    from duologue.remote.chat import ChatEndpoint
    from duologue.report.emotion_gallery import EmotionTake
    from duologue.report.score_gallery import GalleryItem
    from duologue.score.emotion.card import EmotionCard
    from duologue.score.hear import Ears
    from duologue.score.parts import Words
    from duologue.score.profiles.corrected.evaluate import Reader
    from duologue.score.profiles.humdial2026.ears import OfficialEars
    from duologue.score.profiles.humdial2026.emotion.judgements import Judgements
    from duologue.score.profiles.humdial2026.emotion.submission import Problem
    from duologue.score.profiles.humdial2026.item import OfficialOptions, OfficialScore
    from duologue.score.scorecard import Scorecard
    from duologue.score.text_reader import TextReader

FOLDER = click.Path(path_type=Path)
FILE = click.Path(path_type=Path, dir_okay=False)
THREADS = os.cpu_count() or 1
# Regressed items that a page plays.
SHOWN = 12


class _WithDefault(click.Group):
    """``duologue score CORPUS RUN`` is ``duologue score run CORPUS RUN``."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if args and args[0] not in self.commands and args[0] not in ("-h", "--help"):
            args = ["run", *args]
        return super().parse_args(ctx, args)


@click.group(cls=_WithDefault)
def command() -> None:
    """Score what a system did: response speed, behaviour, naturalness.

    \b
    Examples:  duologue score data/demo RUN --html score.html
               duologue score OFFICIAL_DIR --layout humdial --profile humdial2026
               duologue score OFFICIAL_DIR --layout humdial --track emotion --judgements judged.jsonl
               duologue score explain data/demo RUN 4f21c0 --png item.png
               duologue score diff data/demo RUN_A RUN_B --junit diff.xml
               duologue score selfcheck data/demo

    RUN is a folder of the system's outputs, ID.wav each, on the clock of the dialogue's audio. "duologue score run
    --help" lists the options of scoring itself.
    """


def _filters(f: Any) -> Any:
    for option in (
        click.option("--split", help="Only this split."),
        click.option("--language", help="Only this language."),
        click.option("--scenario", help="Only this scenario."),
        click.option(
            "--words",
            type=click.Choice(["auto", "run", "recogniser"]),
            default="auto",
            show_default=True,
            help="Whose words count: the run's own where it has any, only those, or what is heard.",
        ),
        click.option("--transcribe", metavar="URL", help="Hear words by this OpenAI-compatible endpoint."),
        click.option("--transcribe-model", default="whisper-1", show_default=True),
        click.option("--key-env", default="OPENAI_API_KEY", show_default=True, help="Variable that holds the key."),
        click.option("--cache", type=FOLDER, default=Path(".duologue-cache"), show_default=True),
    ):
        f = option(f)
    return f


@command.command("run", hidden=True)
@click.argument("corpus", type=FOLDER)
@click.argument("run", type=FOLDER, required=False)
@click.option(
    "--profile",
    type=click.Choice(["corrected", "humdial2026", "fdb"]),
    help="How to score: corrected (default), or as the challenge or Full-Duplex-Bench did.",
)
@click.option("--layout", type=click.Choice(["duologue", "humdial"]), default="duologue", show_default=True)
@click.option(
    "--track",
    type=click.Choice(["duplex", "emotion"]),
    default="duplex",
    show_default=True,
    help="Full-duplex, or emotional dialogues: of an official layout, or of a corpus (RUN holds answers.jsonl).",
)
@click.option("--reference", type=FOLDER, help="Folder of the official reference, track emotion.")
@click.option(
    "--judgements", type=FILE, help="Official judgements, JSON Lines of {dialogue_id, scores}, track emotion."
)
@click.option(
    "--ear", type=FOLDER, help="Train the ear of spoken replies on these acted clips (labels.csv), track emotion."
)
@click.option("--judge-audio", is_flag=True, help="Send the judge audio too, track emotion.")
@click.option(
    "--target",
    type=click.Choice(["second", "last"]),
    default="second",
    show_default=True,
    help="Which turn that is not neutral is scored for empathy: as the released code, or as the readme.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the whole card as JSON.")
@click.option("--html", type=FILE, help="Write a page with figures, timelines and audio.")
@click.option("--emotion-run", type=FOLDER, help="Add track 1 to the page of track 2: a folder with answers.jsonl.")
@click.option("--emotion-split", help="Split that --emotion-run answers, where it is another.")
@click.option("--with-corpus", is_flag=True, help="Add the figures of the corpus to the page.")
@click.option("--tags", type=FILE, help="Official tags, JSON Lines of {id, tag}, for humdial2026.")
@click.option("--key", type=FILE, help="Key file of a shuffled official test set.")
@click.option("--slope", type=click.Choice(["40", "50"]), default="40", show_default=True, help="Of the delay score.")
@click.option("--lmin", type=float, help="Anchor of the delay score, seconds.")
@click.option("--lbase", type=float, help="Anchor of the delay score, seconds.")
@click.option("--judge", metavar="URL", help="Judge naturalness (or official tags) by this OpenAI-compatible endpoint.")
@click.option("--judge-model", help="Model of the judge.")
@click.option(
    "--judge-prompt",
    type=FILE,
    multiple=True,
    help="The user's own prompt file: for official tags, or one for each task of track emotion (repeat the option).",
)
@click.option(
    "--relevance",
    type=click.Choice(["rank", "judge"]),
    default="rank",
    show_default=True,
    help="How a reply is held against its query.",
)
@click.option("--repeats", type=click.IntRange(1, 20), default=1, show_default=True, help="Times each reply is judged.")
@_filters
def run_command(corpus: Path, run: Path | None, profile: str | None, layout: str, **o: Any) -> None:
    """Score RUN on CORPUS; with --layout humdial, score a folder in the challenge's own layout."""
    if layout == "humdial":
        if o["track"] == "emotion":
            _official_emotion(corpus, run, profile=profile or "humdial2026", **o)
        else:
            _official_folder(corpus, run, profile=profile or "humdial2026", **o)
        return
    if run is None:
        raise UserError("no run to score", mend="duologue score CORPUS RUN")
    if o["track"] == "emotion":
        _emotion(corpus, run, profile=profile or "corrected", **o)
        return
    opened, outputs = _open(corpus, o), Run(run)
    if profile == "humdial2026":
        _official(opened, outputs, **o)
    elif profile == "fdb":
        _fdb(opened, outputs, **o)
    else:
        _corrected(opened, outputs, **o)


@command.command()
@click.argument("corpus", type=FOLDER)
@click.argument("run", type=FOLDER)
@click.argument("id")
@click.option("--png", type=FILE, help="Draw the timeline into this file (.png, .svg).")
@click.option("--json", "as_json", is_flag=True, help="Print the item's score as JSON.")
@click.option("--tags", type=FILE, help="Official tags, JSON Lines of {id, tag}.")
@_filters
def explain(corpus: Path, run: Path, id: str, png: Path | None, as_json: bool, tags: Path | None, **o: Any) -> None:
    """Show one item: its timeline, what each rule saw, the official view beside it, and why they differ.

    \b
    Example:  duologue score explain data/demo RUN 4f21c0 --png item.png
    """
    from duologue.report.exchange_text import explain as text
    from duologue.report.nearest import find
    from duologue.report.score_gallery import gather
    from duologue.score.explain import explain as explained

    opened, outputs = _open(corpus, o), Run(run)
    item = find(corpus, id)
    ears, reader = _parts(opened, o)
    score, exchange = explained(item, outputs, ears, reader, official=_official_ears(), tags=_read_tags(tags))
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode(score), indent=1))
    else:
        Console(highlight=False).print(text(exchange, score))
    if png is not None:
        from duologue.report.exchange_timeline import draw

        for warning in draw(gather(item, outputs, exchange, score), png):
            click.echo(f"note: {warning}", err=True)
        click.echo(f"wrote {png}", err=True)


@command.command()
@click.argument("corpus", type=FOLDER)
@click.argument("run_a", type=FOLDER)
@click.argument("run_b", type=FOLDER)
@click.option("--json", "as_json", is_flag=True, help="Print the comparison as JSON.")
@click.option("--junit", type=FILE, help="Write a JUnit report, a test case an item.")
@click.option("--html", type=FILE, help="Write a page with the audio of regressed items.")
@click.option("--tolerance", type=float, default=0.05, show_default=True, help="A loss of an item that is none.")
@click.option("--max-drop", type=float, help="Any larger drop of the headline is a regression, however uncertain.")
@_filters
def diff(
    corpus: Path,
    run_a: Path,
    run_b: Path,
    as_json: bool,
    junit: Path | None,
    html: Path | None,
    tolerance: float,
    max_drop: float | None,
    **o: Any,
) -> None:
    """Compare RUN_B with RUN_A item by item; exit 1 where it got worse.

    \b
    Example:  duologue score diff data/demo runs/before runs/after --junit diff.xml
    """
    from duologue.score.diff import diff as compare

    opened, runs = _open(corpus, o), [Run(run_a), Run(run_b)]
    ears, reader = _parts(opened, o)
    a, b = (_card(opened, run, ears, reader, o) for run in runs)
    found = compare(a, b, tolerance=tolerance, max_drop=max_drop)
    if junit is not None:
        from duologue.report.junit import junit as to_junit

        write_atomic(junit, to_junit(found))
        click.echo(f"wrote {junit}", err=True)
    if html is not None:
        from duologue.report.diff_page import render

        ids = found.regressed[:SHOWN]
        pairs = list(
            zip(*(_gallery(opened, run, card, ids, ears) for run, card in zip(runs, (a, b), strict=True)), strict=True)
        )
        write_atomic(html, render(found, cast(Any, pairs)).encode())
        click.echo(f"wrote {html}", err=True)
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode(found), indent=1))
    else:
        from duologue.report.score_text import comparison as text

        Console(highlight=False).print(text(found))
    if found.regression:
        raise click.exceptions.Exit(1)


@command.command()
@click.argument("corpus", type=FOLDER)
@click.option("--json", "as_json", is_flag=True, help="Print every system's figures as JSON.")
@click.option("--per-cell", type=click.IntRange(1), default=4, show_default=True, help="Items a scenario and language.")
@click.option("--system", "systems", multiple=True, help="Only these systems (repeat the option).")
def selfcheck(corpus: Path, as_json: bool, per_cell: int, systems: tuple[str, ...]) -> None:
    """Score degenerate systems beside the honest reference of CORPUS; exit 1 if one outranks it.

    \b
    Example:  duologue score selfcheck data/demo
    """
    from duologue.score.parts import ears
    from duologue.score.selfcheck import selfcheck as check
    from duologue.score.text_reader import reader_of

    opened = Corpus(corpus, track="duplex")
    with bar("scoring systems", None) as advance:
        found = check(
            opened,
            ears("run", threads=THREADS),
            reader_of(opened),
            _official_ears(),
            per_cell=per_cell,
            systems=systems,
            advance=advance,
        )
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode(found), indent=1))
    else:
        from duologue.report.selfcheck_text import selfcheck as text

        Console(highlight=False).print(text(found))
    if not found.passed:
        raise click.exceptions.Exit(1)


# -- what the verbs share -----------------------------------------------------------------------------------------


def _open(corpus: Path, o: dict[str, Any]) -> Corpus:
    return Corpus(corpus, track="duplex", language=o["language"], scenario=o["scenario"], split=o["split"])


def _parts(corpus: Corpus, o: dict[str, Any]) -> tuple[Ears, TextReader]:
    from duologue.score.parts import ears
    from duologue.score.text_reader import reader_of

    # Distractors come from the whole corpus, so that a filter does not change an item's score.
    reader = reader_of(Corpus(corpus.root, track="duplex"))
    return ears(cast("Words", o["words"]), threads=THREADS, listener=_transcriber(o)), reader


def _transcriber(o: dict[str, Any]) -> Listener | None:
    if not o["transcribe"]:
        return None
    from duologue.remote.transcription import TranscriptionEndpoint

    return TranscriptionEndpoint(o["transcribe"], o["transcribe_model"], o["key_env"], cache_dir=o["cache"])


def _card(corpus: Corpus, run: Run, ears: Ears, reader: Reader, o: dict[str, Any]) -> Scorecard:
    from duologue.score.profiles.corrected.evaluate import evaluate

    with bar("scoring", len(corpus)) as advance:
        return evaluate(corpus, run, ears, reader, advance=advance)


def _gallery(corpus: Corpus, run: Run, card: Scorecard, ids: Sequence[str], ears: Ears) -> list[GalleryItem]:
    from duologue.report.score_gallery import gather
    from duologue.score.hear import hear, take

    scores = {i.id: i for i in card.items}
    shown = []
    for id in ids:
        item = corpus.get(id)
        (exchange,) = hear([item], take([item], run), ears)
        shown.append(gather(item, run, exchange, scores[id]))
    return shown


def _corrected(corpus: Corpus, run: Run, *, as_json: bool, html: Path | None, **o: Any) -> None:
    ears, text = _parts(corpus, o)
    reader: Reader = text
    if o["relevance"] == "judge":
        from duologue.judge.naturalness import NaturalnessJudge
        from duologue.score.judged_reader import JudgedReader

        if not o["judge"]:
            raise UserError("no judge to ask", field="--relevance", mend="give --judge URL --judge-model NAME")
        judge = NaturalnessJudge(_judge_endpoint(o), o["cache"], o["repeats"])
        reader = JudgedReader(text, judge, o["judge_model"])
    card = _card(corpus, run, ears, reader, o)
    if o["judge"]:
        card = _judged(corpus, card, o)
    if html is not None:
        from duologue.report.score_gallery import choose
        from duologue.report.score_page import render

        shown = _gallery(corpus, run, card, [i.id for i in choose(card.items)], ears)
        more = _track_1(corpus, o["emotion_run"], o) if o["emotion_run"] is not None else ""
        more += _figures(corpus) if o["with_corpus"] else ""
        write_atomic(html, render(card, shown, more=more).encode())
        click.echo(f"wrote {html}", err=True)
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode(card), indent=1))
    else:
        from duologue.report.score_text import scorecard

        Console(highlight=False).print(scorecard(card))


def _track_1(corpus: Corpus, run: Path, o: dict[str, Any]) -> str:
    """Track 1's part of a page that shows both."""
    from duologue.report.emotion_page import body
    from duologue.score.emotion.evaluate import evaluate

    split = o["emotion_split"] or o["split"]
    opened = Corpus(corpus.root, track="emotion", language=o["language"], split=split)
    card = _spoken(evaluate(opened, run), opened, run, o)
    return body(card, _takes(opened, run, card), system=run.name)


def _figures(corpus: Corpus) -> str:
    from duologue.corpus.describe import describe
    from duologue.report.corpus_page import body

    whole = Corpus(corpus.root)
    with bar("counting", len(whole)) as advance:
        return body(whole, describe(whole, lambda: advance(1)))


def _emotion(corpus: Path, run: Path, *, profile: str, as_json: bool, html: Path | None, **o: Any) -> None:
    """Track 1 without a judge: the answers of a run (a folder with answers.jsonl, or such a file)."""
    from duologue.score.emotion.evaluate import evaluate

    if profile != "corrected":
        raise UserError(
            "a corpus of track 1 is scored by the corrected profile",
            field="--profile",
            value=profile,
            allowed="corrected",
            mend="for the official profile: duologue score OFFICIAL_DIR --layout humdial --track emotion",
        )
    opened = Corpus(corpus, track="emotion", language=o["language"], scenario=o["scenario"], split=o["split"])
    card = _spoken(evaluate(opened, run), opened, run, o)
    if html is not None:
        from duologue.report.emotion_page import render

        page = render(
            card, _takes(opened, run, card), system=run.name, more=_figures(opened) if o["with_corpus"] else ""
        )
        write_atomic(html, page.encode())
        click.echo(f"wrote {html}", err=True)
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode(card), indent=1))
        return
    from duologue.report.emotion_text import card as text

    Console(highlight=False).print(text(card))
    if card.spoken is not None:
        from duologue.report.spoken_text import spoken

        Console(highlight=False).print(spoken(card.spoken))


def _spoken(card: EmotionCard, corpus: Corpus, run: Path, o: dict[str, Any]) -> EmotionCard:
    """The card with the run's spoken replies; a run that is a file of answers has none."""
    from duologue.listen.words import Recogniser
    from duologue.score.emotion.answers import read_answers
    from duologue.score.emotion.spoken import acted_ear, add_spoken, corpus_ear

    if not run.is_dir():
        return card
    clips, listener, words_from = o["ear"], _transcriber(o), "the recogniser given by --transcribe"
    if listener is None:
        listener, words_from = Recogniser(THREADS), "the embedded recogniser"
    if o["words"] == "run":
        listener, words_from = None, "not heard: --words run"
    return add_spoken(
        card,
        corpus,
        Run(run),
        read_answers(run),
        make_ear=(lambda: corpus_ear(corpus)) if clips is None else (lambda: acted_ear(clips)),
        ear_from="the corpus' train split" if clips is None else f"acted clips in {clips.name}",
        listener=listener,
        words_from=words_from,
    )


def _takes(corpus: Corpus, run: Path, card: EmotionCard) -> list[EmotionTake]:
    from duologue.report.emotion_gallery import choose, gather
    from duologue.score.emotion.answers import read_answers
    from duologue.score.emotion.extract import own_names

    items, answers = {(i.id, i.probe): i for i in card.items}, read_answers(run)
    own = own_names(corpus.manifest.taxonomy)
    return [gather(corpus.get(id), answers, items, own) for id in choose(card.items)]


def _official_ears() -> OfficialEars:
    from duologue.listen.speech import SpeechDetector
    from duologue.score.profiles.humdial2026.ears import OfficialEars

    return OfficialEars(SpeechDetector())


def _judged(corpus: Corpus, card: Scorecard, o: dict[str, Any]) -> Scorecard:
    from duologue.judge.naturalness import NaturalnessJudge
    from duologue.score.judged import add_judgements

    judge = NaturalnessJudge(_judge_endpoint(o), o["cache"], o["repeats"])
    replies = sum(len(i.replies) for i in card.items)
    with bar("judging", replies) as advance:
        done = 0

        def progress(count: int, _: int) -> None:
            nonlocal done
            advance(count - done)
            done = count

        found, _ = add_judgements(card, corpus, judge, model=o["judge_model"], progress=progress)
    return found


def _judge_endpoint(o: dict[str, Any]) -> ChatEndpoint:
    from duologue.remote.chat import ChatEndpoint

    if not o["judge_model"]:
        raise UserError("a judge needs a model", field="--judge-model", mend="give --judge-model NAME")
    return ChatEndpoint(o["judge"], o["judge_model"], o["key_env"])


def _options(o: dict[str, Any]) -> OfficialOptions:
    from duologue.score.profiles.humdial2026.item import OfficialOptions
    from duologue.score.profiles.humdial2026.totals import LBASE, LMIN

    return OfficialOptions(slope=50 if o["slope"] == "50" else 40, lmin=o["lmin"] or LMIN, lbase=o["lbase"] or LBASE)


def _read_tags(path: Path | None) -> dict[str, list[str]] | None:
    if path is None:
        return None
    from duologue.score.profiles.humdial2026.score_run import read_tags

    return read_tags(path)


def _official(corpus: Corpus, run: Run, *, as_json: bool, **o: Any) -> None:
    from duologue.judge.tag import TagJudge
    from duologue.score.profiles.humdial2026.score_run import score_run

    ears, reader = _parts(corpus, o)
    prompt = o["judge_prompt"][-1] if o["judge_prompt"] else None
    judge = TagJudge(_judge_endpoint(o), o["cache"], prompt) if o["judge"] else None
    with bar("scoring", len(corpus)) as advance:
        found = score_run(
            corpus,
            run,
            ears,
            _official_ears(),
            reader,
            tags=_read_tags(o["tags"]),
            judge=judge,
            options=_options(o),
            advance=advance,
        )
    _print_official(found.score, found.tags_from, as_json)


def _official_folder(folder: Path, submission: Path | None, *, profile: str, as_json: bool, **o: Any) -> None:
    from duologue.listen.speech import SpeechDetector
    from duologue.score.profiles.humdial2026.evaluate import evaluate
    from duologue.score.profiles.humdial2026.layout import find
    from duologue.score.profiles.humdial2026.read import read_item

    _only_official(profile)
    found = find(
        submission or folder, beside=folder if submission else None, key=o["key"], language=o["language"] or ""
    )
    detector = SpeechDetector()
    items = []
    with bar("scoring", len(found.files)) as advance:
        for files in found.files:
            items.append(read_item(files, detector))
            advance(1)
    for file, why in found.problems:
        click.echo(f"note: {file}: {why}", err=True)
    _print_official(evaluate(items, _options(o)), "the folder's tag files", as_json)


def _official_emotion(folder: Path, submission: Path | None, *, profile: str, as_json: bool, **o: Any) -> None:
    from duologue.score.profiles.humdial2026.emotion.evaluate import evaluate
    from duologue.score.profiles.humdial2026.emotion.judgements import judge, read_judgements
    from duologue.score.profiles.humdial2026.emotion.read import read

    _only_official(profile)
    if submission is not None and o["reference"] is not None:
        raise UserError("the reference is given twice", field="--reference", mend="duologue score REFERENCE SUBMISSION")
    reference = folder if submission is not None else o["reference"]
    read_in = read(submission or folder, reference, target=o["target"], language=o["language"])
    given: Judgements = {}
    problems: list[Problem] = []
    if o["judgements"] is not None:
        given, problems = read_judgements(o["judgements"], read_in)
    judges = [j for j in _emotion_judges(o) if not set(j.dimensions) <= set(given)] if o["judge"] else []
    with bar("judging", sum(r.task == j.task for j in judges for r in read_in.replies)) as advance:
        at = 0

        def progress(done: int, _: int) -> None:
            nonlocal at
            advance(done - at)
            at = done

        found = judge(read_in, judges, progress) | given
    methods = {d: f"judge {j.name}/{j.version} by {o['judge_model']}" for j in judges for d in j.dimensions}
    methods |= dict.fromkeys(given, f"file {o['judgements']}")
    score = evaluate(read_in, found, target=o["target"], methods=methods, problems=problems)
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode(score), indent=1))
        return
    from duologue.report.official_emotion_text import official_emotion

    Console(highlight=False).print(official_emotion(score))


def _emotion_judges(o: dict[str, Any]) -> list[EmotionJudge]:
    from duologue.judge.emotion import EmotionJudge, prompt_task
    from duologue.judge.grades import DIMENSIONS

    prompts = {prompt_task(path): path for path in o["judge_prompt"]}
    endpoint, judges = _judge_endpoint(o), []
    for task in DIMENSIONS:
        prompt = prompts.get(task)
        # With a prompt file the one request that carries the audio asks for everything, as the scripts do.
        voices = [True] if prompt and o["judge_audio"] and task == "empathy" else [False]
        if o["judge_audio"] and task == "empathy" and not prompt:
            voices = [False, True]
        judges += [EmotionJudge(endpoint, o["cache"], task, o["repeats"], voice=v, prompt_file=prompt) for v in voices]
    return judges


def _only_official(profile: str) -> None:
    if profile != "humdial2026":
        raise UserError(
            "this layout is scored by the official profile",
            field="--profile",
            value=profile,
            allowed="humdial2026",
            mend="for another profile bring it in first: duologue import humdial",
        )


def _print_official(score: OfficialScore, tags_from: str, as_json: bool) -> None:
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode(score), indent=1))
        return
    from duologue.report.official_text import official

    Console(highlight=False).print(official(score, tags_from))


def _fdb(corpus: Corpus, run: Run, *, as_json: bool, **o: Any) -> None:
    from functools import partial

    from duologue.score.hear import take
    from duologue.score.profiles.corrected.evaluate import Options, expected, heard
    from duologue.score.profiles.fdb import evaluate
    from duologue.score.profiles.fdb_exchange import fdb_items

    ears, _ = _parts(corpus, o)
    items = []
    with bar("scoring", len(corpus)) as advance:
        for batch in heard(expected(corpus, Options()), partial(take, run=run), ears):
            items += [i for x in batch for i in fdb_items(x)]
            advance(len(batch))
    score = evaluate(items)
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode(score), indent=1))
        return
    from duologue.report.official_text import fdb

    Console(highlight=False).print(fdb(score))
