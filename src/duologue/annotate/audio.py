"""Annotate whole dialogues from their audio: turns, words, and who had the floor, all marked as estimated.

Two channels, a speaker each: speech is found on each channel, edges refined, and what is only the other channel's
crosstalk left out. Turns that are there already (RTTM, TextGrid, a person's correction) are kept, and only words and
floor are added. One channel without turns is refused: nothing here tells who speaks.
"""

from __future__ import annotations

from pathlib import Path

import msgspec
import numpy as np
import numpy.typing as npt

from duologue.annotate.floor import INSTRUMENT, RATER, Floor, floor, numbered
from duologue.annotate.rewrite import rewrite
from duologue.corpus import read
from duologue.corpus.annotation import Annotation, LabelAnnotation, TimeAnnotation, TimeMark
from duologue.corpus.audio import Audio, Channel
from duologue.corpus.dialogue import Dialogue
from duologue.corpus.interval import Intervals, merge_gaps
from duologue.corpus.read import Corpus, OpenDialogue
from duologue.corpus.recording import SUFFIXES, read_recording
from duologue.corpus.speaker import Speaker
from duologue.corpus.turn import Segment, Turn, Word
from duologue.corpus.write import is_main
from duologue.errors import MissingPartError, UserError
from duologue.formats.aside import aside
from duologue.formats.folder import language_of
from duologue.formats.format import ImportOptions, Problem
from duologue.formats.landing import Landing
from duologue.formats.unscripted import unscripted
from duologue.listen.edges import refine
from duologue.listen.speech import SpeechDetector
from duologue.listen.transcribe import Listener, transcribe

# Silences up to SEGMENT lie inside a stretch of speech, up to TURN inside a turn (seconds).
SEGMENT, TURN = 0.2, 0.8
# A stretch this much quieter (dB) than the other channel at that time is the other channel's.
CROSSTALK = 12.0
DETECTED = "turns/1 (silero-vad 6.2.3, refined edges)"
_RATE = 16_000


class Heard(msgspec.Struct, frozen=True, kw_only=True):
    """``dialogues`` maps each to its floor; ``words`` says how many words were heard, or why there are none."""

    written: bool
    dialogues: dict[str, Floor]
    words: str
    findings: tuple[Problem, ...]
    corpus_sha256: str = ""


def annotate(
    corpus: Corpus, out: Path, *, detector: SpeechDetector | None, listener: Listener | None, skip_bad: bool = False
) -> Heard:
    """Make the corpus ``out`` of ``corpus`` with turns, words and floor from its audio.

    Without ``listener`` no words are sought. ``detector`` is needed where a dialogue has no turns yet. What an earlier
    call found of the floor is replaced. Dialogues that cannot be annotated are findings, and keep it from writing
    unless ``skip_bad``, which leaves them as they are.
    """
    findings: list[Problem] = []
    floors: dict[str, Floor] = {}
    changed: dict[str, Dialogue] = {}
    count, why = 0, "" if listener is not None else "not asked for"
    for item in corpus:
        try:
            d = _cleared(item.dialogue)
            if not any(t.segments for t in d.turns):
                d = _turns(item, d, detector)
            if listener is not None:
                try:
                    d, n = _words(item, d, listener)
                    count += n
                except MissingPartError as error:
                    listener, why = None, error.message
            figures, notes = floor(d)
            taken = {a.id for a in d.annotations}
            own = list(numbered(notes, taken))
            if why:
                own.append(
                    LabelAnnotation(
                        id="floor-words",
                        target="dialogue",
                        rater=RATER,
                        rater_type="model",
                        instrument=INSTRUMENT,
                        value={"words": why},
                    )
                )
            changed[item.id] = msgspec.structs.replace(d, annotations=(*d.annotations, *own))
            floors[item.id] = figures
        except UserError as error:
            findings.append(Problem(where=item.id, what=error.message))
    report = Heard(written=False, dialogues=floors, words=why or f"{count} words", findings=tuple(findings))
    if not floors or (findings and not skip_bad):
        return report
    notes_ = {"annotated_from_audio": {"instruments": [INSTRUMENT, DETECTED], "words": report.words}}
    manifest = rewrite(corpus, out, lambda d: changed.get(d.id, d), notes_)
    return msgspec.structs.replace(report, written=True, corpus_sha256=manifest.corpus_sha256)


def recordings(src: Path, out: Path, options: ImportOptions) -> list[Problem]:
    """Make the corpus ``out`` of the two-channel recordings under ``src``, without turns; what could not be taken.

    The speaker of channel 0 is in the role of user; that of channel 1 is the system where the kind of source says that
    a machine speaks, else another user.
    """
    rights, kind = options.rights()
    language = language_of("", options.language)
    problems: list[Problem] = []
    paths = sorted((p for p in src.rglob("*") if p.suffix.lower() in SUFFIXES), key=lambda p: p.as_posix())
    if not paths:
        raise UserError("no recordings", where=str(src), allowed="audio files of two channels, or RTTM beside audio")
    machine = "machine" in kind
    with aside(out) as folder:
        landing, count = Landing(folder), 0
        for path in paths:
            file = path.relative_to(src).as_posix()
            try:
                r = read_recording(path, rate=options.rate, keep_clipped=options.keep_clipped)
                if r.samples.shape[1] != 2:
                    raise UserError(
                        "not two channels, and no RTTM says who speaks", value=r.samples.shape[1], allowed="2 channels"
                    )
            except UserError as error:
                problems.append(Problem(where=file, what=error.message))
                continue
            id = f"rec-{r.sha256[:12]}"
            names = (f"{id}-a", f"{id}-b")
            speakers = tuple(
                Speaker(
                    id=name,
                    role="system" if machine and k else "user",
                    languages=(language,),
                    synthetic=kind == "synthetic" or (machine and k == 1),
                    consent_id="" if machine and k else options.consent,
                )
                for k, name in enumerate(names)
            )
            channels = (
                Channel(kind="user-mic", speakers=names[:1]),
                Channel(kind="system" if machine else "mixed", speakers=names[1:]),
            )
            d = unscripted(id, "audio", file, r, language=language, source=kind, rights=rights, speakers=speakers)
            entry = landing.store(d, "a0", r.samples, r.sample_rate, channels)
            landing.add(msgspec.structs.replace(d, audio=(entry,)))
            count += 1
        if count and (not problems or options.skip_bad):
            landing.reveal(out, "audio", problems, [])
    return problems


def listener() -> Listener | None:
    """The embedded recogniser, which says by MissingPartError where it is not installed."""
    from duologue.listen.words import Recogniser

    return Recogniser(threads=1)


def open_source(src: Path, work: Path, options: ImportOptions) -> tuple[Corpus, tuple[Problem, ...]]:
    """``src`` as a corpus: itself, or made in the new folder ``work`` of RTTM and audio, or of two-channel audio."""
    if (src / "corpus.json").is_file():
        return read.open(src), ()
    if not src.is_dir():
        raise UserError("no such folder", where=str(src))
    if any(src.rglob("*.rttm")):
        from duologue.formats import rttm

        problems = rttm.import_(src, work, options).problems
    else:
        problems = tuple(recordings(src, work, options))
    if not (work / "corpus.json").is_file():
        raise UserError("nothing taken: " + "; ".join(f"{p.where}: {p.what}" for p in problems), where=str(src))
    return read.open(work), problems


def _cleared(d: Dialogue) -> Dialogue:
    """``d`` without what an earlier call said of the floor."""
    kept = tuple(a for a in d.annotations if not (a.rater == RATER and a.instrument == INSTRUMENT))
    return msgspec.structs.replace(d, annotations=kept)


def _main(d: Dialogue) -> Audio:
    main = next((a for a in d.audio if is_main(a)), None)
    if main is None:
        raise UserError("no audio", where=f"dialogue {d.id}")
    return main


def _turns(item: OpenDialogue, d: Dialogue, detector: SpeechDetector | None) -> Dialogue:
    main = _main(d)
    if len(main.channels) != 2 or any(len(c.speakers) != 1 for c in main.channels):
        raise UserError(
            "nobody tells who speaks", where=f"dialogue {d.id}", allowed="two channels, a speaker each, or turns (RTTM)"
        )
    if detector is None:
        raise UserError("no speech detector", where=f"dialogue {d.id}")
    samples, rate = item.audio()
    found = [refine(x, rate, _speech(x, rate, detector)) for x in samples.T]
    found = [
        merge_gaps(own_stretches(samples[:, k], samples[:, 1 - k], found[k]), SEGMENT * rate) for k in range(len(found))
    ]
    drafts: list[tuple[int, int, Intervals]] = []
    for k, spans in enumerate(found):
        for start, end in merge_gaps(spans, TURN * rate).tolist():
            drafts.append((start, k, spans[(spans[:, 0] >= start) & (spans[:, 1] <= end)]))
    roles = {s.id: s.role for s in d.speakers}
    turns: list[Turn] = []
    marks: list[Annotation] = []
    order = sorted(drafts, key=lambda x: (x[0], x[1]))
    for index, (start, k, spans) in enumerate(order):
        who = main.channels[k].speakers[0]
        end = int(spans[-1, 1])
        inside = next((n for n, (a, j, s) in enumerate(order) if j != k and a < start and end < int(s[-1, 1])), None)
        turns.append(
            Turn(
                index=index,
                role=roles[who],
                speaker=who,
                addressee=main.channels[1 - k].speakers[0],
                language=d.languages[0],
                text="",
                segments=tuple(Segment(audio=main.id, channel=k, start=a, end=b) for a, b in spans.tolist()),
                inside_turn=inside,
            )
        )
        marks.append(
            TimeAnnotation(
                id=f"turn-{index}",
                target=f"turn:{index}",
                rater=RATER,
                rater_type="model",
                instrument=DETECTED,
                value=TimeMark(audio=main.id, channel=k, start=start, end=end, label="turn"),
            )
        )
    return msgspec.structs.replace(d, turns=tuple(turns), annotations=(*d.annotations, *marks))


def _speech(x: npt.NDArray[np.float32], rate: int, detector: SpeechDetector) -> Intervals:
    found = detector.segments(x, rate=rate)
    scaled: Intervals = np.rint(found * (rate / _RATE)).astype(np.int64).clip(0, len(x))
    kept: Intervals = scaled[scaled[:, 1] > scaled[:, 0]]
    return kept


def own_stretches(x: npt.NDArray[np.float32], other: npt.NDArray[np.float32], spans: Intervals) -> Intervals:
    """The stretches that are not the other channel's voice, leaked: a quieter copy of what is louder there."""
    kept = []
    for start, end in spans.tolist():
        own, there = (float(np.mean(np.square(y[start:end], dtype=np.float64))) for y in (x, other))
        if there <= own * 10 ** (CROSSTALK / 10) or _unlike(x[start:end], other[start:end]):
            kept.append((start, end))
    return np.array(kept, np.int64).reshape(-1, 2)


def _unlike(x: npt.NDArray[np.float32], y: npt.NDArray[np.float32]) -> bool:
    """Whether the two channels' waves do not fit each other at any lag up to 20 ms (normalised correlation < 0.3)."""
    n = 1 << (len(x) + len(y) - 1).bit_length()
    a, b = x.astype(np.float64), y.astype(np.float64)
    c = np.fft.irfft(np.fft.rfft(a, n) * np.conj(np.fft.rfft(b, n)), n)
    lag = min(len(x), 882)
    best = float(np.abs(np.r_[c[:lag], c[-lag:]]).max())
    return best < 0.3 * float(np.sqrt(np.dot(a, a) * np.dot(b, b)) + 1e-20)


def _words(item: OpenDialogue, d: Dialogue, listener: Listener) -> tuple[Dialogue, int]:
    """``d`` with the words of its turns that have no text; times are a recogniser's, so they are estimated."""
    main = _main(d)
    turns = list(d.turns)
    count = 0
    for channel in range(len(main.channels)):
        own = [t for t in turns if not t.text and t.segments and t.segments[0].audio == main.id
               and t.segments[0].channel == channel]  # fmt: skip
        if not own:
            continue
        import soxr

        samples, rate = item.audio(channel)
        x = samples if rate == _RATE else soxr.resample(samples, rate, _RATE)
        scale = _RATE / rate
        for t in own:
            start, end = t.segments[0].start, t.segments[-1].end
            # A turn is heard by itself: words must not wander from one speaker to another.
            span = np.array([[round(start * scale), round(end * scale)]], np.int64)
            text, words, at = "", [], start
            for w in transcribe(listener, x, span, language=t.language):
                a, b = max(at, round(w.start / scale)), min(round(w.end / scale), end)
                token = w.text.strip()
                if not token or a >= b:
                    continue
                text += token if not text or t.language == "zh" else f" {token}"
                words.append(Word(token, len(text) - len(token), len(text), a, b, "estimated"))
                at = b
            turns[t.index] = msgspec.structs.replace(t, text=text, words=tuple(words))
            count += len(words)
    return msgspec.structs.replace(d, turns=tuple(turns)), count
