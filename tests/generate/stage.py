"""A stage for scene tests: a voice of tone bursts with exactly known times, casts, items, scripts of every scenario."""

from __future__ import annotations

import numpy as np

from duologue.corpus.dialogue import Situation
from duologue.generate.item import CastMember, Item
from duologue.generate.prosody import Prosody
from duologue.generate.script import Brief, Feeling, Line, Script, ScriptCause, ScriptEvent, ScriptProbe
from duologue.generate.voices.voice import Speech, SpokenWord, VoiceSpeaker

RATE = 22_050


class ToneVoice:
    """Each word is a tone of 60 ms a letter after 40 ms of silence; 100 ms of silence around it all."""

    name, version, sample_rate = "tone", "1", RATE

    def weights_sha256(self) -> str:
        return ""

    def speakers(self, language: str) -> tuple[VoiceSpeaker, ...]:
        return tuple(
            VoiceSpeaker(id=f"t{i}", languages=("en", "zh"), sex="female", age="adult", parent=f"t{i}")
            for i in range(4)
        )

    def synthesise(
        self, text: str, *, language: str, speaker: str, prosody: Prosody = Prosody(), seed: int = 0
    ) -> Speech:
        pad, gap = RATE // 10, RATE // 25
        spans, at = [], 0
        units = text.split() if language == "en" else list(text.replace("，", "").replace("。", ""))
        for unit in units:
            begin = text.index(unit, at)
            spans.append((begin, begin + len(unit)))
            at = begin + len(unit)
        pieces, words, now = [np.zeros(pad, np.float32)], [], pad
        pitch = 150.0 + 40.0 * int(speaker[1:])
        for n, (a, b) in enumerate(spans):
            letters = max(2, b - a) if language == "en" else 3
            size = round(0.06 * letters * RATE)
            if n:
                pieces.append(np.zeros(gap, np.float32))
                now += gap
            t = np.arange(size) / RATE
            tone = sum(np.sin(2 * np.pi * pitch * k * t) / k for k in range(1, 12))
            pieces.append((0.1 * 10 ** (prosody.gain / 20) * tone).astype(np.float32))
            words.append(SpokenWord(a, b, now, now + size))
            now += size
        if not words:
            return Speech(
                samples=np.zeros(0, np.float32), sample_rate=RATE, words=(), source="exact", onset=0, offset=0
            )
        pieces.append(np.zeros(pad, np.float32))
        return Speech(
            samples=np.concatenate(pieces), sample_rate=RATE, words=tuple(words), source="exact", onset=pad, offset=now
        )


VOICES = {"tone": ToneVoice()}


def member(role: str, n: int) -> CastMember:
    return CastMember(role=role, voice="tone", speaker=f"t{n}", parent=f"t{n}", sex="female", age="adult")  # type: ignore[arg-type]


CAST = (member("user", 0), member("system", 1), member("third_party", 2), member("addressee", 3))


def script(lines: tuple[Line, ...], events: tuple[ScriptEvent, ...] = (), **more: object) -> Script:
    given: dict = {
        "version": 1,
        "language": "en",
        "track": "duplex",
        "tasks": ("interruption",),
        "scenario": events[0].kind if events else "none",
        "family": "food/lunch",
        "situation": Situation(domain="food"),
        "lines": lines,
        "events": events,
    }
    return Script(**(given | more))


def item(of: Script, seed: int = 1, **more: object) -> Item:
    given: dict = {
        "id": f"x{seed}",
        "cell": "c",
        "index": 0,
        "shard": "s",
        "split": "train",
        "track": of.track,
        "language": of.language,
        "seed": seed,
        "brief": Brief(
            language=of.language,
            track=of.track,
            task="",
            scenario=of.scenario,
            family=of.family,
            user_turns=1,
            seed=seed,
        ),
        "cast": CAST,
    }
    return Item(**(given | more))


ASK = "could you tell me how to cook rice for four people"
ANSWER = (
    "you rinse the rice until the water runs clear, then you add two parts of water, bring it to the boil, "
    "cover it and leave it on a low flame for twelve minutes before you let it rest"
)


def user(text: str = ASK, **more: object) -> Line:
    return Line(**({"role": "user", "text": text, "to": "system"} | more))  # type: ignore[arg-type]


def system(text: str = ANSWER, **more: object) -> Line:
    return Line(**({"role": "system", "text": text, "to": "user"} | more))  # type: ignore[arg-type]


def event(kind: str, line: int, reference: int, expected: tuple[str, ...], response: int | None = None, **more: object):
    return ScriptEvent(
        kind=kind,
        line=line,
        reference_line=reference,
        expected=expected,
        response_line=response,
        **more,  # type: ignore[arg-type]
    )


def scenario(kind: str) -> Script:
    """A two-exchange script of one event; "none" has no event."""
    tail = (user("and how much salt does it need"), system("half a spoon is enough for four"))
    if kind in ("follow_up", "negation", "repetition", "topic_switch"):
        cut = user("wait what about brown rice", kind="interruption", over=1)
        lines = (user(), system(), cut, system("brown rice needs three parts of water"), *tail)
        return script(lines, (event(kind, 2, 1, ("stop", "respond"), 3),))
    if kind == "termination":
        stop = user("stop please", kind="interruption", over=1)
        return script((user(), system(), stop, *tail), (event(kind, 2, 1, ("stop", "wait", "resume")),))
    if kind == "backchannel":
        line = user("mhm right", kind="backchannel", over=1)
        return script((user(), system(), line, *tail), (event(kind, 2, 1, ("continue",)),))
    if kind == "pause":
        line = user(pause_at=(ASK.index("how") - 1,))
        return script((line, system(), *tail), (event(kind, 0, 0, ("wait", "respond"), 1),))
    aside = {"kind": "others_directed", "to": "addressee"}
    if kind == "others_directed":
        lines = (user(), system(), user("anna can you shut the door", over=1, **aside), *tail)
        return script(lines, (event(kind, 2, 0, ("ignore", "continue")),))
    third = Line(role="third_party", text="the bus is here", to="user", kind="third_party")
    if kind == "third_party_before":
        lines = (third, user(), system(), *tail)
        return script(lines, (event("third_party", 0, 1, ("ignore", "respond"), 2, position="before"),))
    if kind == "third_party":
        late = Line(role="third_party", text="the bus is here now", to="third_party", kind="third_party", over=1)
        return script((user(), system(), late, *tail), (event(kind, 2, 1, ("ignore", "continue"), position="after"),))
    return script((user(), system(), *tail))


SCENES = (
    "none",
    "follow_up",
    "negation",
    "repetition",
    "topic_switch",
    "termination",
    "backchannel",
    "pause",
    "third_party",
    "third_party_before",
    "others_directed",
)


def feeling_script() -> Script:
    """Three user turns of track 1 with a shift, a cause and a question at the end."""
    lines = (
        user("i got the job after all", feeling=Feeling(label="happy", intensity=2)),
        system("how wonderful"),
        user("but my friend did not call", feeling=Feeling(label="sad", intensity=3), emphasis=(4, 6)),
        system("that must hurt"),
        user("how did my mood change"),
        system("you began happy and ended sad"),
    )
    return script(
        lines,
        track="emotion",
        tasks=("trajectory",),
        scenario="dialogue",
        causes=(ScriptCause(emotion_line=2, evidence_line=2, span=(4, 26), cause_kind="interpersonal", explicit=True),),
        probes=(ScriptProbe(task="trajectory", line=4, reference="happy, then sad", answer="happy>sad>neutral"),),
    )
