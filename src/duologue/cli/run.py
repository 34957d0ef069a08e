"""``duologue run``: a system under test on a corpus, live or not; or logged calls without a corpus."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import msgspec

from duologue.cli.progress import bar
from duologue.corpus.invariants import SEALED
from duologue.corpus.read import Corpus, OpenDialogue
from duologue.errors import UserError

if TYPE_CHECKING:
    from duologue.live.run import MakeSource, RunSummary
    from duologue.systems.system import System

FOLDER = click.Path(path_type=Path)
FILE = click.Path(path_type=Path, dir_okay=False)


def system_options(f: Any) -> Any:
    """What a user may set for any system, shared by the verbs that call one."""
    for option in (
        click.option("--plain-key", is_flag=True, help="Let the key travel unencrypted to another machine."),
        click.option("--ca-file", default="", help="Certificates to trust beside the machine's own."),
        click.option("--instructions", default="", help="What the system is told about its part."),
        click.option("--voice", default="", help="The system's voice, by the protocol's name for it."),
        click.option("--model", default="", help="The model, where the address does not name it."),
        click.option("--key-env", default="", metavar="VAR", help="Environment variable that holds the key."),
    ):
        f = option(f)
    return f


@click.command(
    epilog="Example:  duologue run data/demo --system realtime:ws://127.0.0.1:8080/v1/realtime -o RUN --sessions 8"
)
@click.argument("corpus", type=FOLDER, required=False)
@click.option("--system", "spec", metavar="SPEC", help="KIND:REST; 'duologue systems list' tells the kinds.")
@click.option("-o", "--out", type=FOLDER, required=True, help="Folder of the run; one begun before goes on.")
@click.option("--mode", type=click.Choice(["fixed", "adaptive"]), default="fixed", show_default=True)
@click.option("--sessions", type=click.IntRange(1, 1024), default=1, show_default=True, help="Calls at once.")
@click.option("--echo", metavar="LEVEL", help="The user's room has a loudspeaker: the system in the microphone, -30dB.")
@click.option("--split", help="Only this split.")
@click.option("--language", help="Only this language.")
@click.option("--scenario", help="Only this scenario.")
@click.option("--limit-per-cell", type=click.IntRange(1), help="Items a scenario and language.")
@click.option("--tail", type=float, help="Listen so long after the user's last word, s.  [default: 8]")
@click.option("--delay", type=float, default=0.0, show_default=True, help="Hold back playback against jitter, s.")
@click.option("--frame-ms", type=int, default=20, show_default=True, help="Length of a frame of the user's audio.")
@click.option(
    "--attempts",
    type=click.IntRange(1, 20),
    default=3,
    show_default=True,
    help="Calls an item where connections break.",
)
@click.option("--item-limit", type=float, help="Longest that an item may take, s.  [default: 1800, a command 300]")
@click.option("--time-limit", type=float, default=0.0, help="Longest that the run may take, s.  [default: none]")
@click.option(
    "--prefix-test/--no-prefix-test", default=True, show_default=True, help="Test whether commands look ahead."
)
@click.option("--keep", type=FOLDER, metavar="OUT", help="Also make a corpus of the exchanges.")
@click.option(
    "--system-licence", default="LicenseRef-system-output", show_default=True, help="Of what the system says."
)
@click.option("--wav-dir", type=FOLDER, help="Diagnose logged calls: one wav each, channel 0 user, 1 system.")
@click.option("--html", type=FILE, help="With --wav-dir: write the diagnosis as a page.")
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
@system_options
def command(corpus: Path | None, spec: str | None, out: Path, wav_dir: Path | None, **o: Any) -> None:
    """Run a system on CORPUS and leave a run, which 'duologue score' reads.

    In mode "fixed" the user's side is played as it was recorded; in "adaptive" each turn begins when what the system
    really does calls for it. Run it again after an interruption: it goes on where it was, and tries again what the
    infrastructure had spoilt. Exit code 0: every item was observed; 1: some were lost to the infrastructure or are
    left; 2: a mistake of the user's.
    """
    if wav_dir is not None:
        if corpus is not None or spec is not None:
            raise UserError("logged calls need neither a corpus nor a system", field="--wav-dir", value=str(wav_dir))
        _logged(wav_dir, out, o)
        return
    if corpus is None or not spec:
        raise UserError("nothing to run", mend="duologue run CORPUS --system SPEC -o RUN, or --wav-dir CALLS -o RUN")
    if o["html"] is not None:
        raise UserError(
            "a run has no page of its own", field="--html", mend=f"duologue score {corpus} {out} --html PAGE"
        )
    if (keep := o["keep"]) is not None and keep.exists() and (not keep.is_dir() or any(keep.iterdir())):
        raise UserError("the folder is not empty", field="--keep", value=str(keep), mend="give a new folder")
    opened = Corpus(corpus, track="duplex", language=o["language"], scenario=o["scenario"], split=o["split"])
    summary, system = _run(opened, spec, out, o)
    result: dict[str, Any] = {"run": str(out), **msgspec.to_builtins(summary)}
    if o["keep"] is not None:
        from duologue.live.corpus_of import corpus_of

        kept = corpus_of(opened, out, o["keep"], system_licence=o["system_licence"])
        result["corpus"] = msgspec.to_builtins(kept)
    if o["as_json"]:
        click.echo(msgspec.json.format(msgspec.json.encode(result), indent=1))
    else:
        click.echo(_told(summary, system.spec, out))
        if o["keep"] is not None:
            click.echo(f"{result['corpus']['dialogues']} dialogues in {o['keep']}")
    if summary.left or summary.counts.get("infrastructure"):
        raise click.exceptions.Exit(1)


def _run(corpus: Corpus, spec: str, out: Path, o: dict[str, Any]) -> tuple[RunSummary, System]:
    from duologue.corpus.observation import RunMode
    from duologue.live.call import CallSettings
    from duologue.live.loop import run_loop
    from duologue.live.prefix import PrefixTested
    from duologue.live.run import RunSettings, run
    from duologue.systems.command import CommandSystem
    from duologue.systems.degenerate.system import DegenerateSystem
    from duologue.systems.files import FilesSystem
    from duologue.systems.system import LiveSystem

    system = open_system_of(spec, o)
    live = isinstance(system, LiveSystem)
    mode: RunMode = "adaptive" if o["mode"] == "adaptive" else "fixed"
    if not live and (mode == "adaptive" or o["echo"]):
        raise UserError(
            "this system is given the whole audio at once",
            field="system",
            value=spec,
            allowed="--mode fixed, no --echo",
        )
    if mode == "adaptive" and (first := next(iter(corpus), None)) and first.dialogue.scenario == SEALED:
        raise UserError(
            "a sealed test set does not say who speaks when, which an adaptive user needs",
            where=corpus.root,
            field="mode",
            value=mode,
            allowed="fixed",
        )
    parameters: dict[str, Any] = {k: o[k] for k in ("model", "voice", "instructions") if o[k]}
    if isinstance(system, FilesSystem | DegenerateSystem):
        mode = "files"
    if isinstance(system, DegenerateSystem):
        system.read(corpus)
    if isinstance(system, CommandSystem) and o["prefix_test"]:
        system = PrefixTested(system)
    source, more = source_of(mode, o["echo"])
    items = chosen(corpus, o["limit_per_cell"])
    # An adaptive user listens to the end by itself.
    tail = o["tail"] if o["tail"] is not None else 0.2 if mode == "adaptive" else 8.0
    settings = RunSettings(
        call=CallSettings(frame_ms=o["frame_ms"], tail=tail, delay=o["delay"], limit=o["item_limit"] or 1800.0),
        sessions=o["sessions"],
        attempts=o["attempts"],
        limit=o["time_limit"],
    )
    if live:
        at_once = min(o["sessions"], system.at_once or o["sessions"])
        lengths = [i.file().length / i.file().sample_rate + (tail if mode == "fixed" else 8.0) for i in items]
        minutes = max(sum(lengths) / at_once, max(lengths)) / 60
        click.echo(f"{len(items)} dialogues, about {minutes:.1f} min with {at_once} calls at once", err=True)
    with bar("running", len(items)) as advance:
        work = run(
            system,
            items,
            out,
            settings,
            mode=mode,
            source=source,
            corpus_sha256=corpus.manifest.corpus_sha256,
            parameters=parameters | more,
            heard=lambda seen: advance(1),
        )
        return run_loop(work), system


def open_system_of(spec: str, o: dict[str, Any]) -> System:
    """The system that ``spec`` and the options of :func:`system_options` name."""
    from duologue.systems.spec import open_system
    from duologue.systems.system import Settings

    names = ("key_env", "model", "voice", "instructions", "ca_file", "plain_key")
    limit = {"time_limit": o["item_limit"]} if o.get("item_limit") else {}
    return open_system(spec, Settings(**{k: o[k] for k in names}, **limit))


def source_of(mode: str, echo: str | None) -> tuple[MakeSource, dict[str, Any]]:
    """What makes the user's side, and the parameters that a run keeps of it."""
    from duologue.live.adaptive import AdaptiveSettings, adaptive
    from duologue.live.echo import DELAY, Echoing, echo_level
    from duologue.live.source import Source, recorded

    # An echo of the recorded system is taken out of what a system under test hears (live/without_echo.py).
    kept: dict[str, Any] = {"reference_echo": "removed"} if mode in ("adaptive", "fixed") else {}
    if mode == "adaptive":
        kept["adaptive"] = msgspec.to_builtins(AdaptiveSettings())
    plain: MakeSource = adaptive if mode == "adaptive" else recorded
    if not echo:
        return plain, kept
    level = echo_level(echo)

    def echoing(item: OpenDialogue, rate: int) -> Source:
        return Echoing(plain(item, rate), rate, level)

    return echoing, {**kept, "echo_db": level, "echo_delay": DELAY}


def chosen(corpus: Corpus, per_cell: int | None) -> list[OpenDialogue]:
    """The dialogues that a run has to answer for: those with audio, the first ``per_cell`` of each cell."""
    cells: Counter[tuple[str, str]] = Counter()
    items = []
    for item in corpus:
        cell = item.dialogue.scenario, item.dialogue.languages[0]
        if item.dialogue.audio and (per_cell is None or cells[cell] < per_cell):
            cells[cell] += 1
            items.append(item)
    if not items:
        raise UserError("no dialogue to run", where=corpus.root, mend="look at the filters, or 'duologue stats'")
    return items


def _told(summary: RunSummary, spec: str, out: Path) -> str:
    counts = ", ".join(f"{n} {status}" for status, n in summary.counts.items()) or "none observed"
    before = f" ({summary.before} from before)" if summary.before else ""
    lines = [f"{spec}: {counts} of {summary.expected}{before} in {out}"]
    lines += [f"  {status}, for example: {why}" for status, why in summary.first_why.items()]
    if summary.left:
        lines.append(f"  {summary.left} left for want of time: run the same command again")
    return "\n".join(lines)


def _logged(wav_dir: Path, out: Path, o: dict[str, Any]) -> None:
    from rich.console import Console

    from duologue.corpus.write import write_atomic
    from duologue.live.logged import logged
    from duologue.report.calls_text import calls as text
    from duologue.score.parts import refined_speech

    with bar("listening", None) as advance:
        found = logged(wav_dir, out, refined_speech(), advance=advance)
    if o["html"] is not None:
        from duologue.report.calls_page import render

        write_atomic(o["html"], render(found).encode())
        click.echo(f"wrote {o['html']}", err=True)
    if o["as_json"]:
        click.echo(msgspec.json.format(msgspec.json.encode(found), indent=1))
    else:
        Console(highlight=False).print(text(found))
    if any(c.why for c in found.calls):
        raise click.exceptions.Exit(1)
