"""A run as data: each exchange becomes a dialogue of a corpus, the user's side synthetic, the system's as it spoke.

Both channels are the run's own. The user's turns keep their words and emotions and lie where they were played; the
system's turns are what was heard of it, with the words that the system itself said it spoke, their times estimated.
"""

from __future__ import annotations

import hashlib
import json
import re
import unicodedata
from collections.abc import Sequence
from importlib.metadata import version
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal

import msgspec
import numpy as np

from duologue.corpus.annotation import EmotionAnnotation
from duologue.corpus.audio import Channel
from duologue.corpus.dialogue import SourceKind
from duologue.corpus.event import Event, RealisedEvent, Trigger
from duologue.corpus.interval import Intervals, merge_gaps
from duologue.corpus.observation import Observation, SaidWord
from duologue.corpus.provenance import Provenance, Step
from duologue.corpus.read import Corpus, OpenDialogue, resolve_inside
from duologue.corpus.recording import read_recording
from duologue.corpus.rights import Rights
from duologue.corpus.run import Run
from duologue.corpus.speaker import Speaker
from duologue.corpus.turn import Segment, Turn, Word
from duologue.errors import UserError
from duologue.formats.aside import aside, reveal
from duologue.formats.landing import Landing
from duologue.listen.sound import audible
from duologue.live.source import RATE

# Silences up to this lie inside a turn that was only heard (s); shorter ones inside a segment.
TURN, SEGMENT = 0.8, 0.2
# How fast text is spoken where an answer was cut off and its words have no times: characters a second.
_PACE = {"zh": 4.5}
_PACE_OTHER = 15.0
SYSTEM = "system"
AUDIO = "call"


class Kept(msgspec.Struct, frozen=True, kw_only=True):
    """``left_out`` maps each dialogue that could not be kept to the reason."""

    dialogues: int
    seconds: float
    corpus_sha256: str
    left_out: dict[str, str] = {}


def corpus_of(
    corpus: Corpus,
    run: str | Path,
    out: str | Path,
    *,
    system_licence: str,
    source: SourceKind = "synthetic-user-machine",
) -> Kept:
    """Make the corpus ``out`` of what the run in folder ``run`` did with ``corpus``.

    Items that were not observed, or whose run kept no user's channel, are left out with the reason. ``system_licence``
    joins the source's, as the system's words are its owner's. UserError where nothing is left or ``out`` is not empty.
    """
    opened, out = Run(run), Path(out)
    if opened.manifest.corpus_sha256 not in ("", corpus.manifest.corpus_sha256):
        raise UserError(
            "the run heard another corpus", where=str(run), mend=f"name the corpus {opened.manifest.corpus_sha256}"
        )
    left_out: dict[str, str] = {}
    count, observed = 0, opened.observed
    with aside(out) as folder:
        landing = Landing(folder)
        for item in corpus:
            seen = opened.observe(item.dialogue)
            if seen.status == "missing" and item.id not in observed:
                continue  # the run was not asked for it
            try:
                if seen.status != "ok":
                    raise UserError(seen.why or seen.status)
                kept = _Exchange(item, seen, opened, system_licence, source)
                audio = landing.store(kept.dialogue, AUDIO, kept.samples, RATE, kept.channels)
                landing.add(msgspec.structs.replace(kept.dialogue, audio=(audio,)))
                count += 1
            except UserError as error:
                left_out[item.id] = error.message
        if not count:
            why = next(iter(left_out.values()), "the corpus is empty")
            raise UserError(f"nothing to keep: {why}", where=str(run))
        notes = {
            "run": opened.manifest.system,
            "mode": opened.manifest.mode,
            "of": corpus.manifest.name,
            "of_sha256": corpus.manifest.corpus_sha256,
            "left_out": [f"{id}: {why}" for id, why in left_out.items()],
        }
        manifest = landing.finish(out.name, notes)
        reveal(folder, out)
    return Kept(
        dialogues=manifest.totals.dialogues,
        seconds=manifest.totals.seconds,
        corpus_sha256=manifest.corpus_sha256,
        left_out=left_out,
    )


class _Row(msgspec.Struct):
    """A turn on the run's clock, before turns are numbered; ``old`` is its index in the source dialogue."""

    old: int | None
    role: str
    spans: list[tuple[int, int]]
    text: str = ""
    intended: str = ""
    words: tuple[Word, ...] = ()

    @property
    def start(self) -> int:
        return self.spans[0][0]

    @property
    def end(self) -> int:
        return self.spans[-1][1]


class _Exchange:
    """One exchange as a ``dialogue`` (without its audio entry), its ``samples`` int16 [n, 2] and its ``channels``."""

    def __init__(
        self, item: OpenDialogue, seen: Observation, run: Run, system_licence: str, source: SourceKind
    ) -> None:
        self.item, self.seen, self.run = item, seen, run
        d = item.dialogue
        self.samples = self._both()
        self.language = d.languages[0]
        self.system = f"system:{hashlib.sha256(run.manifest.system.encode()).hexdigest()[:12]}"
        echo = run.manifest.parameters.get("echo_db")
        acoustics = msgspec.structs.replace(d.acoustics, echo_db=float(echo) if echo is not None else None)
        rows = sorted([*self._played(), *self._said()], key=lambda r: (r.start, r.old is None))
        if not rows:
            raise UserError("nobody speaks", where=f"dialogue {d.id}")
        self.new = {r.old: k for k, r in enumerate(rows) if r.old is not None}
        speakers = self._speakers()
        known = {s.id for s in speakers}
        mic = next((c for a in d.audio for c in a.channels if c.kind == "user-mic"), None)
        room = tuple(s for s in (mic.speakers if mic else ()) if s in known and s != self.system)
        turns = tuple(self._turn(k, r, rows) for k, r in enumerate(rows))
        events, realised = self._events(turns)
        self.channels = (
            Channel(kind="user-mic", speakers=room),
            Channel(kind="system", speakers=(self.system,)),
        )
        sha = hashlib.sha256(f"{run.manifest.system}\n{d.id}\n{seen.pcm_sha256}".encode()).hexdigest()
        licence = f"({d.rights.licence})" if " " in d.rights.licence else d.rights.licence
        holder = " and ".join(h for h in (d.rights.holder, "the system's operator") if h)
        self.dialogue = msgspec.structs.replace(
            d,
            id=f"{d.id}-{sha[:8]}",
            source=source,
            rights=Rights(
                licence=f"{licence} AND {system_licence}",
                consent_id=d.rights.consent_id,
                source_url=d.rights.source_url,
                holder=holder,
            ),
            scenario=d.scenario if events or not d.events else "none",
            groups={**d.groups, "source_recording": (d.id,)},
            speakers=speakers,
            audio=(),
            turns=turns,
            events=events,
            realised=realised,
            annotations=self._annotations(),
            probes=(),
            acoustics=msgspec.structs.replace(
                acoustics, positions=tuple(p for p in acoustics.positions if p.speaker in known)
            ),
            provenance=self._provenance(),
        )

    # -- sound and words ----------------------------------------------------------------------------------------------

    def _both(self) -> Any:
        seen = self.seen
        if seen.user_channel is None or not seen.audio:
            raise UserError("the run did not keep the user's side", where=f"dialogue {seen.id}")
        _, left = self.run.system(seen, self.item.dialogue)
        if left.status != "ok":
            raise UserError(left.why, where=f"dialogue {seen.id}")
        r = read_recording(Path(resolve_inside(self.run.root, seen.audio)), rate=RATE, keep_clipped=True)
        if r.samples.shape[1] <= seen.user_channel:
            raise UserError("no such channel", where=seen.audio, field="user_channel", value=seen.user_channel)
        return np.ascontiguousarray(r.samples[:, [seen.user_channel, seen.channel]])

    def _played(self) -> list[_Row]:
        """The turns of the user's room where they were played: where the run does not say, as the dialogue has them."""
        d, main = self.item.dialogue, self.item.file("main")
        scale, sent = RATE / self.seen.sample_rate, self.seen.sent
        rows = []
        for t in d.turns:
            own = sorted((s.start, s.end) for s in t.segments if s.audio == main.id)
            if t.role == "system" or not own:
                continue
            if sent:
                spans = sorted((round(s.start * scale), round(s.end * scale)) for s in sent if s.turn == t.index)
            else:
                spans = [(round(a * RATE / main.sample_rate), round(b * RATE / main.sample_rate)) for a, b in own]
            spans = [(a, min(b, len(self.samples))) for a, b in spans if a < min(b, len(self.samples))]
            if len(spans) != len(own):
                continue  # not played, or cut off by the end of the call
            words = []
            at = spans[0][0]
            for w in t.words:
                k = next((k for k, (a, b) in enumerate(own) if w.start < b), len(own) - 1)
                shift = spans[k][0] - own[k][0] * RATE / main.sample_rate
                start = max(at, spans[k][0], round(w.start * RATE / main.sample_rate + shift))
                end = min(round(w.end * RATE / main.sample_rate + shift), spans[-1][1])
                if start < end:
                    words.append(Word(w.text, w.char_start, w.char_end, start, end, w.source))
                    at = end
            rows.append(_Row(t.index, t.role, spans, t.text, t.intended_text, tuple(words)))
        return rows

    def _said(self) -> list[_Row]:
        """What was heard of the system, as turns."""
        sound = merge_gaps(audible(self.samples[:, 1].astype(np.float32) / np.float32(32_768), RATE), SEGMENT * RATE)
        rows = []
        groups = merge_gaps(sound, TURN * RATE)
        texts = self._texts(groups)
        for k, (start, end) in enumerate(groups.tolist()):
            spans = [(a, b) for a, b in sound.tolist() if start <= a < end]
            text, intended, words = texts[k]
            rows.append(_Row(None, SYSTEM, spans, text, intended, words))
        return rows

    def _texts(self, groups: Intervals) -> list[tuple[str, str, tuple[Word, ...]]]:
        """(text, intended text, words) of each stretch: by the run's words, else by the system's own transcript."""
        if self.seen.words:
            scale = RATE / self.seen.sample_rate
            said = [SaidWord(w.text, round(w.start * scale), round(w.end * scale)) for w in self.seen.words]
            by_group: list[list[SaidWord]] = [[] for _ in groups]
            for w in said:
                k = int(np.searchsorted(groups[:, 1], (w.start + w.end) // 2)) if len(groups) else 0
                if k < len(groups):
                    by_group[k].append(w)
            return [self._timed(rows, *span) for rows, span in zip(by_group, groups.tolist(), strict=True)]
        whole = zip(self._transcripts(groups), groups.tolist(), strict=True)
        return [spread(text, cut, start, end, self.language) for (text, cut), (start, end) in whole]

    def _timed(self, said: Sequence[SaidWord], start: int, end: int) -> tuple[str, str, tuple[Word, ...]]:
        """Words whose times the run gave."""
        text, words, at = "", [], start
        for w in said:
            token = _nfc(w.text.strip())
            a, b = max(at, w.start), min(w.end, end)
            if not token or a >= b:
                continue
            text += token if not text or self.language == "zh" else f" {token}"
            words.append(Word(token, len(text) - len(token), len(text), a, b, "estimated"))
            at = b
        return text, "", tuple(words)

    def _transcripts(self, groups: Intervals) -> list[tuple[str, bool]]:
        """(text, whether its playback was cut off) of each stretch, from the protocol events that the run kept."""
        if not self.seen.protocol or not len(groups):
            return [("", False)] * len(groups)
        try:
            with Path(resolve_inside(self.run.root, self.seen.protocol)).open("rb") as lines:
                raw = json.loads(next(lines, b"{}")).get("raw", {})
            transcript = [(float(at), str(role), str(text)) for at, role, text in raw.get("transcript", [])]
            cuts = [float(at) for at, *_ in raw.get("cuts", [])]
        except (OSError, ValueError, TypeError, AttributeError) as error:
            raise UserError(f"protocol events that cannot be read: {error}", where=self.seen.protocol) from None
        return assigned(transcript, SYSTEM, cuts, groups)

    # -- the dialogue -------------------------------------------------------------------------------------------------

    def _speakers(self) -> tuple[Speaker, ...]:
        d = self.item.dialogue
        others = tuple(s for s in d.speakers if s.role != SYSTEM)
        return (*others, Speaker(id=self.system, role="system", languages=d.languages, synthetic=True))

    def _turn(self, index: int, row: _Row, rows: Sequence[_Row]) -> Turn:
        channel = int(row.role == SYSTEM)
        segments = tuple(Segment(audio=AUDIO, channel=channel, start=a, end=b) for a, b in row.spans)
        inside = [
            k for k, r in enumerate(rows) if (r.role == SYSTEM) != (row.role == SYSTEM) and r.start < row.start < r.end
        ]
        host = inside[-1] if inside else None
        if row.old is None:
            user = next((s.id for s in self.item.dialogue.speakers if s.role == "user"), "")
            return Turn(
                index=index,
                role="system",
                speaker=self.system,
                addressee=user,
                language=self.language,
                text=row.text,
                intended_text=row.intended,
                segments=segments,
                words=row.words,
            )
        old = next(t for t in self.item.dialogue.turns if t.index == row.old)
        systems = {s.id for s in self.item.dialogue.speakers if s.role == SYSTEM}
        return msgspec.structs.replace(
            old,
            index=index,
            addressee=self.system if old.addressee in systems else old.addressee,
            segments=segments,
            words=row.words,
            inside_turn=host,
        )

    def _events(self, turns: Sequence[Turn]) -> tuple[tuple[Event, ...], tuple[RealisedEvent, ...]]:
        """The events that happened, each told from what it really followed."""
        d, seen = self.item.dialogue, self.seen
        main = self.item.file("main")
        live = bool(seen.sent)
        scale = RATE / (seen.sample_rate if live else main.sample_rate)
        where = {r.event: r for r in (seen.realised if live else d.realised)}
        events, realised = [], []
        for e in d.events:
            r, target = where.get(e.id), self.new.get(e.target_turn)
            if r is None or target is None or e.id in seen.not_exercised:
                continue
            start, end = round(r.start * scale), min(round(r.end * scale), len(self.samples))
            if start >= end:
                continue
            begun = [t.index for t in turns if t.segments[0].start < start and t.index != target]
            trigger = self._trigger(e, turns, target, start, begun)
            systems = {s.id for s in d.speakers if s.role == SYSTEM}
            events.append(
                msgspec.structs.replace(
                    e,
                    trigger=trigger,
                    target_turn=target,
                    context_end=target if e.halts else max(begun, default=0),
                    addressee=self.system if e.addressee in systems else e.addressee,
                    response_turn=None,
                )
            )
            realised.append(RealisedEvent(event=e.id, audio=AUDIO, channel=0, start=start, end=end))
        return tuple(events), tuple(realised)

    def _trigger(self, e: Event, turns: Sequence[Turn], target: int, start: int, begun: Sequence[int]) -> Trigger:
        if e.halts:
            words = [k for k, w in enumerate(turns[target].words) if w.end <= start + RATE // 20]
            if words:
                return Trigger(reference_turn=target, anchor="word_end", word=words[-1])
            return Trigger(
                reference_turn=target, anchor="turn_start", offset=_seconds(start - turns[target].segments[0].start)
            )
        host = turns[max(begun)] if begun else turns[target]
        anchor: Literal["turn_start", "turn_end"] = "turn_end" if host.segments[-1].end <= start else "turn_start"
        edge = host.segments[-1].end if anchor == "turn_end" else host.segments[0].start
        return Trigger(reference_turn=host.index, anchor=anchor, offset=_seconds(start - edge))

    def _annotations(self) -> tuple[EmotionAnnotation, ...]:
        """What was meant by the user's turns still holds; whatever else was said of the script does not."""
        kept = []
        for a in self.item.dialogue.annotations:
            kind, _, index = a.target.partition(":")
            if isinstance(a, EmotionAnnotation) and kind == "turn" and int(index) in self.new and not a.gold_of:
                kept.append(msgspec.structs.replace(a, target=f"turn:{self.new[int(index)]}"))
        return tuple(kept)

    def _provenance(self) -> Provenance:
        m, d = self.run.manifest, self.item.dialogue
        step = Step(
            step="call",
            part="duologue",
            version=version("duologue"),
            sha256=self.seen.pcm_sha256,
            parameters={"system": m.system, "mode": m.mode, "run_corpus": m.corpus_sha256, **m.parameters},
        )
        return Provenance(steps=(*d.provenance.steps, step), parents=(*d.provenance.parents, d.id))


def assigned(
    transcript: Sequence[tuple[float, str, str]], role: str, cuts: Sequence[float], groups: Intervals
) -> list[tuple[str, bool]]:
    """(text, whether its playback was cut off) of each stretch of sound, ``groups`` in samples.

    ``transcript`` holds (second at which it came, role, text). Servers send text ahead of its sound: a piece belongs to
    the stretch that is being heard, else to the next, and what comes after the last to that.
    """
    texts, cut = [""] * len(groups), [False] * len(groups)
    if len(groups):
        for at, whose, text in transcript:
            if whose == role:
                texts[min(int(np.searchsorted(groups[:, 1], round(at * RATE))), len(groups) - 1)] += text
        for at in cuts:
            cut[int(np.argmin(np.abs(groups[:, 1] - round(at * RATE))))] = True
    return [(_nfc(" ".join(t.split())), c) for t, c in zip(texts, cut, strict=True)]


def spread(text: str, cut: bool, start: int, end: int, language: str) -> tuple[str, str, tuple[Word, ...]]:
    """(text, intended text, words) of ``text``, spread over samples [start, end) by the words' lengths.

    Of an answer that was ``cut`` off only what a usual pace of speech had time for is kept.
    """
    tokens = _tokens(text, language)
    intended = ""
    if cut and tokens:
        heard = (end - start) / RATE * _PACE.get(language, _PACE_OTHER)
        kept = max(1, sum(e <= heard for _, e in tokens))
        if kept < len(tokens):
            intended, tokens = text, tokens[:kept]
            text = text[: tokens[-1][1]]
    if not tokens or end - start < len(tokens):
        return text, intended, ()
    size = np.cumsum([0, *(e - s for s, e in tokens)])
    edges = (start + (end - start) * size / size[-1]).astype(int).tolist()
    spans = zip(tokens, pairwise(edges), strict=True)
    words = [Word(text[s:e], s, e, a, b, "estimated") for (s, e), (a, b) in spans if a < b]
    return text, intended, tuple(words)


def _nfc(text: str) -> str:
    return unicodedata.normalize("NFC", text)


def _tokens(text: str, language: str) -> list[tuple[int, int]]:
    """Words of a text as spans of code points: hanzi one by one, all else between spaces."""
    pattern = r"[\u3400-\u9fff]|[^\s\u3400-\u9fff]+" if language == "zh" else r"\S+"
    return [m.span() for m in re.finditer(pattern, text)]


def _seconds(samples: int) -> float:
    return round(samples / RATE, 4)
