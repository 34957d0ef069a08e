"""``duologue systems``: ways to reach a system under test, and systems to serve."""

from __future__ import annotations

import signal
import threading
from typing import Any

import click
import msgspec

from duologue import registry
from duologue.errors import UserError

# Ways of ours in one line each; those of other packages are told by the first line of their docstring.
WAYS = {
    "realtime": "OpenAI Realtime, current or beta: realtime:wss://HOST/v1/realtime?model=NAME",
    "gemini": "Gemini Live: gemini:wss://HOST/PATH, with --model",
    "moshi": "Moshi, Ogg-Opus over a WebSocket, one call at a time: moshi:ws://HOST:8998/api/chat",
    "ws": "a raw WebSocket, PCM16 both ways (docs/raw-websocket.md): ws:ws://HOST:PORT/",
    "command": "a local command an item, given the whole audio: command:'./infer {input} {output}'",
    "files": "a folder of ready outputs, ID.wav each: files:DIR",
    "degenerate": "a system that a careless metric would reward: degenerate:mute",
}


@click.group()
def command() -> None:
    """List the ways to reach a system, and serve one to talk to.

    \b
    Example:  duologue systems serve baseline --port 8080
              duologue talk --system realtime:ws://127.0.0.1:8080/v1/realtime --wav query.wav
    """


@command.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def list_(as_json: bool) -> None:
    """Ways to reach a system, instruments of programmed behaviour, degenerate systems."""
    from duologue.systems.degenerate import DEGENERATE, HONEST, describe

    found = {
        "ways": {name: WAYS.get(name) or _doc(name) for name in registry.names("systems")},
        "serve": {"baseline": "a real cascaded system behind the Realtime protocol", **_instruments()},
        "degenerate": {name: describe(name) for name in (HONEST, *DEGENERATE)},
    }
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode(found), indent=1))
        return
    headings = {
        "ways": "to reach a system (--system KIND:REST)",
        "serve": "to serve (duologue systems serve NAME)",
        "degenerate": "degenerate systems (--system degenerate:NAME)",
    }
    for key, heading in headings.items():
        click.echo(heading)
        for name, line in found[key].items():
            click.echo(f"  {name:16} {line}")


@command.command()
@click.argument("name")
@click.option("--host", default="127.0.0.1", show_default=True, help="Address that the baseline listens at.")
@click.option(
    "--port", type=click.IntRange(0, 65_535), help="Port; 0 takes a free one.  [default: baseline 8080, else 0]"
)
@click.option("--behaviour", metavar="JSON", help="What an instrument does: '{\"reply_after\": 0.3}'.")
@click.option("--llm", metavar="URL", help="Let the baseline answer by this OpenAI-compatible endpoint.")
@click.option("--llm-model", default="", help="Model of that endpoint.")
@click.option("--key-env", default="", metavar="VAR", help="Environment variable that holds that endpoint's key.")
@click.option("--instructions", default="", help="What that model is told about its part.")
@click.option("--language", type=click.Choice(["en", "zh"]), help="Of the baseline's calls, where all are in one.")
@click.option("--voice", default="", help="The baseline's voice: kokoro or espeak.")
def serve(name: str, host: str, port: int | None, behaviour: str | None, **o: Any) -> None:
    """Serve NAME (baseline, or an instrument) until interrupted; prints how to reach it.

    \b
    Example:  duologue systems serve realtime --behaviour '{"reply_after": 0.3, "stop_after": 0.2}'
    """
    if name == "baseline":
        if behaviour is not None:
            raise UserError("only instruments are programmed", field="--behaviour", value=behaviour)
        _baseline(host, 8080 if port is None else port, {k: v for k, v in o.items() if v})
        return
    instruments = _instruments()
    if name not in instruments:
        raise UserError("nothing to serve by this name", value=name, allowed=", ".join(["baseline", *instruments]))
    from duologue.live.instruments import Behaviour, Instrument

    try:
        told = msgspec.json.decode(behaviour or "{}", type=Behaviour)
    except msgspec.MsgspecError as error:
        raise UserError(f"not a behaviour: {error}", field="--behaviour", value=behaviour) from None
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    with Instrument(name, told, port=port or 0) as server:
        if not server.url:
            raise UserError("cannot listen there", field="--port", value=port, mend="choose another, or leave it out")
        click.echo(server.spec)
        while not stop.wait(3600):
            pass


def _instruments() -> dict[str, str]:
    try:
        from duologue.live.instruments import PROTOCOLS
    except ModuleNotFoundError:
        return {}
    return dict.fromkeys(PROTOCOLS, "an instrument of programmed behaviour, to measure with")


def _baseline(host: str, port: int, options: dict[str, Any]) -> None:
    try:
        from duologue.systems.baseline import serve
    except ModuleNotFoundError as error:
        raise UserError(
            f"the baseline needs the package {error.name!r}", mend="pip install 'duologue[live,vad,asr,espeak]'"
        ) from None
    serve(host, port, **options)


def _doc(name: str) -> str:
    try:
        part = registry.load("systems", name)
    except UserError as error:
        return error.message
    return next(iter((part.__doc__ or "").strip().splitlines()), "")
