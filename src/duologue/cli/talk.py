"""``duologue talk``: one exchange with a system, and its timeline."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import msgspec

from duologue.cli.run import FOLDER, open_system_of, system_options
from duologue.errors import UserError

if TYPE_CHECKING:
    from duologue.live.call import Recording
    from duologue.systems.system import LiveSystem

CONSENT = """\
Your voice will be recorded, sent to {system}
and, with --keep, written to {out} under the licence {licence}.
Ctrl-C ends the call at once and keeps nothing; to withdraw later, delete the folder."""


@click.command(epilog="Example:  duologue talk --system realtime:ws://127.0.0.1:8080/v1/realtime --wav query.wav")
@click.option("--system", "spec", metavar="SPEC", required=True, help="KIND:REST; 'duologue systems list' tells them.")
@click.option("--wav", type=click.Path(path_type=Path, dir_okay=False), help="Ask what this file holds.")
@click.option("--mic", is_flag=True, help="Talk yourself, with microphone and loudspeaker.")
@click.option("--tail", type=float, default=8.0, show_default=True, help="Listen so long after the query, s.")
@click.option("--seconds", type=click.FloatRange(1, 3600), default=60.0, show_default=True, help="Of talk with --mic.")
@click.option("-o", "--out", type=click.Path(path_type=Path, dir_okay=False), help="Write both sides into this file.")
@click.option("--keep", type=FOLDER, metavar="OUT", help="With --mic: make a corpus of the call.")
@click.option("--consent", metavar="ID", help="With --mic: your record of consent; asked for if not given.")
@click.option("--speaker", default="", metavar="ID", help="With --keep: who speaks.")
@click.option("--language", type=click.Choice(["en", "zh"]), default="en", show_default=True, help="With --keep.")
@click.option("--licence", default="CC-BY-4.0", show_default=True, help="With --keep: of your voice.")
@click.option("--json", "as_json", is_flag=True, help="Print the timeline as JSON.")
@system_options
def command(spec: str, wav: Path | None, mic: bool, out: Path | None, as_json: bool, **o: Any) -> None:
    """Have one exchange with a system and print when who was heard, what was said and where the time went."""
    from duologue.live.one_exchange import timeline
    from duologue.systems.system import LiveSystem

    if mic == (wav is not None):
        raise UserError("what shall be said?", mend="give --wav QUERY.wav or --mic")
    if o["keep"] is not None and not mic:
        raise UserError(
            "only a person's own voice becomes a corpus here", field="--keep", mend="duologue run --keep OUT"
        )
    system = open_system_of(spec, o)
    if not isinstance(system, LiveSystem):
        raise UserError(
            "this system is not called", field="system", value=spec, mend="duologue run CORPUS --system ..."
        )
    recording = _spoken(system, o) if mic else _asked(system, wav, o)
    if out is not None:
        _write(out, recording)
    moments = timeline(recording)
    if as_json:
        found = {"timeline": moments, "latency": recording.latency, "notes": recording.notes}
        click.echo(msgspec.json.format(msgspec.json.encode(found), indent=1))
    else:
        for m in moments:
            click.echo(f"{m.at:8.3f} s  {m.by:6}  {m.what}")
        shown = {k: v for k, v in recording.latency.items() if k in ("network", "server", "audible")}
        if shown:
            click.echo("latency: " + ", ".join(f"{k} {v:.0f} ms" for k, v in shown.items()))
        for note in recording.notes:
            click.echo(f"note: {note}")
    if recording.failure is not None:
        raise click.exceptions.Exit(1)


def _asked(system: LiveSystem, wav: Path | None, o: dict[str, Any]) -> Recording:
    from duologue.live.call import CallSettings, call
    from duologue.live.loop import run_loop
    from duologue.live.one_exchange import asking

    assert wav is not None
    return run_loop(call(system.session(), asking(wav), CallSettings(tail=o["tail"])))


def _spoken(system: LiveSystem, o: dict[str, Any]) -> Recording:
    from duologue.live.call import CallSettings, call
    from duologue.live.loop import run_loop
    from duologue.live.microphone import Microphone, keep_spoken, open_device

    open_device(16_000).close()  # before consent is asked for what cannot be done
    out, licence = o["keep"], o["licence"]
    if out is not None and not o["speaker"]:
        raise UserError("who speaks?", field="--speaker", mend="--speaker ID, the same in every call of yours")
    click.echo(CONSENT.format(system=system.spec, out=out or "nothing", licence=licence), err=True)
    if not o["consent"] and not click.confirm("Do you agree?", err=True):
        raise click.Abort
    settings = CallSettings(tail=0.0, limit=o["seconds"] + 30)
    recording = run_loop(
        call(system.session(), lambda rate: Microphone(open_device(rate), rate, o["seconds"]), settings)
    )
    if out is not None:
        keep_spoken(
            recording,
            out,
            system=system.spec,
            speaker=o["speaker"],
            language=o["language"],
            licence=licence,
            consent_id=o["consent"] or f"given at the terminal by {o['speaker']}",
        )
        click.echo(f"wrote {out}", err=True)
    return recording


def _write(out: Path, recording: Recording) -> None:
    import io

    import numpy as np
    import soundfile

    from duologue.corpus.write import write_atomic
    from duologue.live.source import RATE

    buffer = io.BytesIO()
    both = np.stack([recording.user, recording.system], axis=1)
    soundfile.write(buffer, both, RATE, format="WAV", subtype="PCM_16")
    write_atomic(out, buffer.getvalue())
    click.echo(f"wrote {out}", err=True)
