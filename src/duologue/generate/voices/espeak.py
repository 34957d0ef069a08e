"""The fast voice: espeak-ng, called in-process, with word times from its own events.

espeak-ng is a formant synthesiser. Its sound depends on counters that survive from one utterance to the next
(pitch flutter, cycle roughness, breath filters). The speakers here switch those off, so that equal arguments give
equal bytes whatever was spoken before. Prosody goes through espeak's own means wherever it can (rate, pitch and
range, a pitch command before each word, the clause intonation, the tone curve of the voice), which costs nothing.
"""

from __future__ import annotations

import ctypes
import hashlib
import math
import shutil
import tempfile
import threading
from collections.abc import Sequence
from functools import cached_property, lru_cache
from importlib.metadata import version
from multiprocessing.util import Finalize
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from duologue.corpus.speaker import Age, Sex
from duologue.errors import MissingPartError, UserError
from duologue.generate.prosody import NEUTRAL, Prosody
from duologue.generate.seeds import derive
from duologue.generate.voices import response
from duologue.generate.voices.level import NEUTRAL_DB, mean_level
from duologue.generate.voices.normalise import normalise
from duologue.generate.voices.voice import Samples, Speech, SpokenWord, VoiceSpeaker

SAMPLE_RATE = 22_050

# espeak's own variants that differ in formants: sex as the variant's file states it or its pitch and formants tell.
_FEMALE = (
    "f1", "f2", "f3", "f4", "f5", "alicia", "andrea", "anika", "annie", "aunty", "belinda", "linda", "steph", "grandma",
)  # fmt: skip
_MALE = (
    "m1", "m2", "m3", "m4", "m5", "m6", "m7", "m8", "andy", "antonio", "boris", "denis", "ed", "gene", "lee", "marco",
    "michael", "michel", "miguel", "paul", "sandro", "travis", "victor", "grandpa",
)  # fmt: skip
_SENIOR = {"grandma", "grandpa"}
# name -> (semitones of pitch, ratio of formants): small, so that a derived speaker stays in its parent's family.
_DERIVED = {"": (0.0, 1.0), "-low": (-1.5, 0.97), "-high": (1.5, 1.03)}
# Accents without a trilled r, whose cycle counter survives from one utterance to the next.
_ACCENTS = {"en": ("en-us", "en", "en-gb-x-rp", "en-029", "en-us-nyc"), "zh": ("cmn-latn-pinyin",)}

# A neutral reading uses these. The range is half as wide again as espeak's own, which is flatter than people's.
_PITCH, _RANGE, _RATE = 26, 39, 165
# Hz of depth for one of the variant's own range: leaves room for two and a half times the neutral range.
_DEPTH = 50 / 26
# espeak's neutral contour as measured over 14 sentences: st of fall from the first voicing to the last, and st of
# standard deviation about that line. Both grow in proportion to the range.
_FALL, _SPREAD = -4.2, 2.3
# st. espeak's men speak at 78 to 111 Hz, lower than most men do (about 115 Hz); lowered further, as for sadness, their
# pitch would leave what voices reach and pitch trackers follow.
_MEN_UP = 2.5
# Hz, the lowest mean of an utterance.
_LOWEST_MEAN = 72.0
# Hz. Below about 27 Hz espeak has more harmonics than its tables hold, and crashes.
_LOWEST = 45.0


class EspeakVoice:
    """espeak-ng 1.52 behind the Voice protocol. Word times are exact: espeak reports where it starts each word.

    Realised: shift, range, slope, final rise, tempo, gain, energy range, tilt, breath, emphasis and pauses.
    F0 slope moves in steps of a word. Mandarin is spoken from pinyin (pypinyin), a character a word; Latin words
    in Mandarin text are spoken by the same speaker in English.
    """

    name = "espeak"
    sample_rate = SAMPLE_RATE

    @cached_property
    def version(self) -> str:
        _engine()
        return f"espeak-ng {_engine().version}, espeakng-loader {version('espeakng-loader')}"

    def weights_sha256(self) -> str:
        """Hash of espeak's phonemes, intonations and the two dictionaries."""
        return _engine().data_sha256

    def speakers(self, language: str) -> tuple[VoiceSpeaker, ...]:
        return _speakers(_known(language))

    def synthesise(
        self, text: str, *, language: str, speaker: str, prosody: Prosody = NEUTRAL, seed: int = 0
    ) -> Speech:
        if speaker not in _ids(_known(language)):
            raise UserError(
                "unknown speaker of espeak",
                field="speaker",
                value=speaker,
                allowed=", ".join(s.id for s in _speakers(language)[:4]) + ", ...",
            )
        prosody = response.command(response.shipped(self.name), prosody)
        spoken = normalise(text, language)
        engine = _engine()
        pieces = _pieces(spoken.text, spoken.spans, language)
        if not pieces:
            return Speech(
                samples=np.zeros(0, np.float32), sample_rate=SAMPLE_RATE, words=(), source="exact", onset=0, offset=0
            )
        length = sum(end - start for start, end, _, _ in spoken.spans)
        plan = _Pitch(engine.pitch(speaker, _lift(prosody)), prosody, spoken.spans, length, language)
        chunks, starts, chars, size = [], [], [], 0
        for accent, spans in pieces:
            raw, at = _commands(spoken.text, spans, plan, prosody, accent)
            chunk, events = engine.speak(raw, accent or speaker.split("+")[0], speaker, plan, prosody)
            known = np.searchsorted(at, [p for p, _ in events], side="right") - 1
            first: dict[int, int] = {}
            for k, (_, sample) in zip(known.tolist(), events, strict=True):
                if k >= 0:
                    first.setdefault(k, sample + size)
            for k, (_, _, char_start, char_end) in enumerate(spans):
                if k in first:
                    starts.append(first[k])
                    chars.append((char_start, char_end))
                elif chars:
                    # espeak reads some pairs ("of the") as one word: the pair shares one time.
                    chars[-1] = (chars[-1][0], char_end)
            chunks.append(chunk)
            size += len(chunk)
        samples = np.concatenate(chunks).astype(np.float32) if len(chunks) > 1 else chunks[0].astype(np.float32)
        samples *= np.float32(1 / 32768)
        samples, starts = _glide(samples, starts, prosody, plan, seed)
        return _finish(samples, starts, chars, prosody, seed)


def _known(language: str) -> str:
    if language not in _ACCENTS:
        raise UserError("unknown language of espeak", field="language", value=language, allowed="en, zh")
    return language


@lru_cache
def _speakers(language: str) -> tuple[VoiceSpeaker, ...]:
    accents = _ACCENTS[language]
    found = []
    for i, variant in enumerate(_FEMALE + _MALE):
        sex: Sex = "female" if variant in _FEMALE else "male"
        age: Age = "senior" if variant in _SENIOR else "adult"
        for j, suffix in enumerate(_DERIVED):
            accent = accents[(i + j) % len(accents)]
            found.append(
                VoiceSpeaker(
                    id=f"{accent}+{variant}{suffix}",
                    languages=(language,),
                    sex=sex,
                    age=age,
                    parent=f"espeak:{variant}",
                    accent=accent,
                )
            )
    return tuple(found)


@lru_cache
def _ids(language: str) -> frozenset[str]:
    return frozenset(s.id for s in _speakers(language))


# --- text --------------------------------------------------------------------------------------------------

Span = tuple[int, int, int, int]


def _pieces(text: str, spans: Sequence[Span], language: str) -> list[tuple[str, list[Span]]]:
    """Runs of one language: (accent or "" for the speaker's own, spans)."""
    if language == "en":
        return [("", list(spans))] if spans else []
    runs: list[tuple[str, list[Span]]] = []
    for span in spans:
        accent = "en-us" if text[span[0]].isascii() else ""
        if not runs or runs[-1][0] != accent:
            runs.append((accent, []))
        runs[-1][1].append(span)
    return runs


def _lift(prosody: Prosody) -> int:
    """Semitones by which the voice file itself is raised: espeak's commands reach an octave up, and no further."""
    return 6 * min(max(round((prosody.f0_shift - 1.0) / 6), 0), 3)


class _Pitch:
    """Where each word's pitch lies: espeak's pitch command for a span, and the range for the utterance.

    A speaker has ``base`` Hz and ``depth`` Hz (its two figures in the voice file, raised by ``lift`` semitones).
    espeak then speaks with mean
    base * 2**((command - 50) / 50) + depth * (0.48 + 0.27 * range / 50) and a standard deviation of about
    0.0055 * depth * range Hz: fitted to its output over commands 0..99 and ranges 0..99.
    """

    def __init__(
        self, speaker: tuple[float, float], prosody: Prosody, spans: Sequence[Span], length: int, language: str
    ) -> None:
        self.base, self.depth = speaker
        self.prosody = prosody
        self.spans = spans
        # st/s of final slope that is still to be made after espeak.
        self.final = prosody.f0_final
        self.lift = _lift(prosody)
        ratio = 2 ** ((prosody.f0_shift - self.lift) / 12)
        self.seconds = max(length * (0.054 if language == "en" else 0.26) * prosody.tempo, 0.1)
        # A slope over a long utterance would leave the voice: it counts as over at most two seconds.
        added, depth = prosody.f0_slope * min(self.seconds, 2.0), 1.0
        if prosody.f0_slope or prosody.f0_range != 1.0:
            # The asked range is of the whole contour, so the slope's share of it is taken off the rest.
            whole = (_SPREAD**2 + _FALL**2 / 12) * max(prosody.f0_range, 0.0) ** 2
            depth = max(math.sqrt(max(whole - (_FALL + added) ** 2 / 12, 0.0)) / _SPREAD, 0.1)
        neutral = self.base * 2 ** ((_PITCH - 50) / 50) + self.depth * (0.48 + 0.27 * _RANGE / 50)
        self.mean = max(neutral * ratio, min(neutral, _LOWEST_MEAN))
        widest = max((self.mean - _LOWEST) / (2.5 * 0.0055 * self.depth), 0.0)
        self.range = round(min(_RANGE * ratio * depth, widest, 99))
        self.offset = self.depth * (0.48 + 0.27 * self.range / 50)
        self.least = _LOWEST + 2.5 * 0.0055 * self.depth * self.range - self.offset
        # A wider range steepens espeak's own fall, which the words' commands undo.
        self.slope = (added + _FALL * (1 - self.range / (_RANGE * ratio))) / self.seconds
        self.total = max(spans[-1][1], 1) if spans else 1

    def command(self, span: Span) -> int:
        start, end, char_start, char_end = span
        place = ((start + end) / 2 / self.total - 0.5) * self.seconds
        st = self.slope * place if abs(self.slope) > 0.2 else 0.0
        focus = self.prosody.emphasis
        if focus and char_start < focus[1] and char_end > focus[0]:
            st += self.prosody.emphasis_st
        wanted = max(self.mean * 2 ** (st / 12) - self.offset, self.least, 1.0)
        return min(max(math.ceil(50 + 50 * math.log2(wanted / self.base)), 0), 99)


# st/s of final slope from which espeak's question tune is used, and by how much that tune turns the end upwards.
_RISE, _TUNE = 22.0, 32.0


def _commands(
    text: str, spans: list[Span], plan: _Pitch, prosody: Prosody, accent: str
) -> tuple[str, npt.NDArray[np.int64]]:
    """espeak's input (a pitch command before each word whose pitch differs) and each span's place in it, from 1."""
    parts: list[str] = []
    at = np.zeros(len(spans), np.int64)
    size, last = 1, -1
    latin = text.isascii() or bool(accent) or not any(_is_han(text[s[0]]) for s in spans)
    sounds = [text[s[0] : s[1]] for s in spans] if latin else _pinyin([text[s[0] : s[1]] for s in spans])
    for i, (span, sound) in enumerate(zip(spans, sounds, strict=True)):
        command = plan.command(span)
        at[i] = size
        # Only where the pitch changes: espeak leaves a gap of some milliseconds at each command.
        piece = (f"\x01{command}P" if command != last else "") + sound
        last = command
        between = text[span[1] : spans[i + 1][0]] if i + 1 < len(spans) else _closing(text[span[1] :], plan, span)
        if not latin and not between:
            between = " "
        parts.append(piece + between)
        size += len(piece) + len(between)
    return "".join(parts), at


def _closing(rest: str, plan: _Pitch, span: Span) -> str:
    """The end of the text; a strong final rise or fall is espeak's own question or statement tune."""
    if span is not plan.spans[-1]:
        return rest[:1]
    asks = "?" in rest or "\uff1f" in rest
    if plan.prosody.f0_final > _RISE and not asks:
        plan.final -= _TUNE
        return "?"
    if plan.prosody.f0_final < -_RISE and asks:
        plan.final += _TUNE
        return "."
    return rest


def _is_han(char: str) -> bool:
    return "\u3400" <= char <= "\u9fff"


def _pinyin(pieces: list[str]) -> list[str]:
    """Each run of hanzi as syllables with tone digits, read in context where every character has one syllable."""
    try:
        from pypinyin import Style, lazy_pinyin
    except ModuleNotFoundError as error:
        raise MissingPartError(
            "espeak speaks Mandarin from pinyin and needs the package 'pypinyin'", mend="pip install 'duologue[espeak]'"
        ) from error
    sounds = lazy_pinyin("".join(pieces), style=Style.TONE3, neutral_tone_with_five=True)
    if len(sounds) != sum(map(len, pieces)):
        return [" ".join(lazy_pinyin(p, style=Style.TONE3, neutral_tone_with_five=True)) for p in pieces]
    found = iter(sounds)
    return [" ".join(next(found) for _ in piece) for piece in pieces]


# --- after espeak ------------------------------------------------------------------------------------------

_FRAME = 128
_LEVEL_FRAME = 512  # 23 ms


def _finish(samples: Samples, starts: list[int], chars: list[tuple[int, int]], prosody: Prosody, seed: int) -> Speech:
    """Measure silence, place the words, then apply what espeak cannot: breath, energy range, gain, pauses."""
    frames = -(-len(samples) // _FRAME)
    padded = np.zeros(frames * _FRAME, np.float32)
    padded[: len(samples)] = samples
    grid = padded.reshape(frames, _FRAME)
    peaks = np.maximum(grid.max(axis=1), -grid.min(axis=1))
    active = np.flatnonzero(peaks > 0.004 * peaks.max(initial=0.0))
    if not len(active):
        return Speech(samples=samples, sample_rate=SAMPLE_RATE, words=(), source="exact", onset=0, offset=0)
    onset = int(active[0]) * _FRAME + _edge(grid[active[0]], peaks.max())
    offset = min(int(active[-1] + 1) * _FRAME, len(samples))
    bounds = [*starts[1:], len(samples)]
    # The last sounding frame before the next word ends this one: pauses belong to no word.
    last = active[np.maximum(np.searchsorted((active + 1) * _FRAME, bounds, side="right") - 1, 0)]
    ends = np.minimum((last + 1) * _FRAME, bounds)
    words = [
        SpokenWord(c0, c1, max(s, onset), max(int(e), s + 1))
        for (c0, c1), s, e in zip(chars, starts, ends.tolist(), strict=True)
        if max(int(e), s + 1) > max(s, onset)
    ]
    if prosody.energy_range:
        samples = _spread(grid, prosody.energy_range)[: len(samples)]
    samples = _rough(samples, prosody, seed)
    samples = samples * np.float32(10 ** ((NEUTRAL_DB - mean_level(samples, _LEVEL_FRAME) + prosody.gain) / 20))
    speech = Speech(
        samples=samples, sample_rate=SAMPLE_RATE, words=tuple(words), source="exact", onset=onset, offset=offset
    )
    return _pause(speech, prosody.pauses) if prosody.pauses else speech


def _edge(frame: Samples, peak: float) -> int:
    return int(np.argmax(np.abs(frame) > 0.004 * peak))


# Noise to signal that espeak itself shows in our measure, and that of a neutral reading with noise added.
_OWN_NOISE, _NEUTRAL_NOISE = 0.042, 0.085


@lru_cache
def _noise() -> Samples:
    return np.random.Generator(np.random.PCG64(7)).standard_normal(1 << 17, dtype=np.float32)


def _rough(samples: Samples, prosody: Prosody, seed: int) -> Samples:
    """Noise in proportion to the signal (the modulated noise of ITU-T P.810), which lowers the harmonicity.

    What tempo, tilt, range and movement do to the harmonicity by themselves is taken into account.
    """
    side = 5.0 * math.log(prosody.tempo) - 0.4 * prosody.tilt - 1.4 * math.log(max(prosody.f0_range, 0.1))
    side -= 2.0 * math.log(max(prosody.movement, 0.1))
    power = _NEUTRAL_NOISE * 10 ** ((prosody.breath + side) / 10) - _OWN_NOISE
    if power <= 1e-4:
        return samples
    noise = _noise()
    place = derive(seed, "breath") % len(noise)
    factor = np.take(noise, np.arange(place, place + len(samples)), mode="wrap")
    factor *= np.float32(math.sqrt(min(power, 0.6)))
    factor += 1.0
    factor *= samples
    return factor


# Mean movement of F0 in st from one 10 ms frame to the next: espeak's own, and what is added to a neutral reading.
_MOVES, _ADDED = 0.13, 0.16
# st/s: formants move along with the final slope, at its end by at most 38% down, where the sound dies away, and 32% up.
_FALLING, _RISING = -28.0, 16.0


@lru_cache
def _wander() -> Samples:
    """Delay in samples, for a pitch that moves 1 st from frame to frame on average (8 to 20 Hz), twelve seconds."""
    frames = 1200
    spectrum = np.fft.rfft(np.random.Generator(np.random.PCG64(11)).standard_normal(frames))
    hz = np.fft.rfftfreq(frames, 0.01)
    spectrum[(hz < 8) | (hz > 20)] = 0
    st = np.fft.irfft(spectrum, frames)
    st /= np.abs(np.diff(st)).mean()
    fine = np.interp(np.arange(frames * 220) / 220, np.arange(frames), st)
    delay = np.cumsum(fine * math.log(2) / 12)
    wander: Samples = (delay - delay.mean()).astype(np.float32)
    return wander


def _glide(samples: Samples, starts: list[int], prosody: Prosody, plan: _Pitch, seed: int) -> tuple[Samples, list[int]]:
    """Move the pitch within words by reading the samples faster and slower: small movements, and the final slope.

    Formants move along, by a few per cent. ``starts`` are moved with the samples.
    """
    n = len(samples)
    depth = plan.range / (_RANGE * 2 ** ((prosody.f0_shift - plan.lift) / 12))
    wanted = prosody.movement * math.hypot(_MOVES, _ADDED)
    amount = math.sqrt(max(wanted * wanted - (_MOVES * depth) ** 2, 0.0))
    table = _wander()
    place = derive(seed, "wander") % len(table)
    delay = np.take(table, np.arange(place, place + n), mode="wrap")
    delay *= np.float32(min(amount, 0.6))
    final = min(max(plan.final, _FALLING), _RISING)
    sounding = np.flatnonzero(np.abs(samples[::32]) > 0.01)
    if abs(final) > 2 and len(sounding):
        end = int(sounding[-1]) * 32
        start = max(end - round(0.3 * SAMPLE_RATE), 0)
        t = np.arange(n - start, dtype=np.float32) / SAMPLE_RATE
        # The pitch ratio 1 + final * ln 2 / 12 * t, integrated.
        delay[start:] += np.float32(final * math.log(2) / 24 * SAMPLE_RATE) * t * t
    whole = np.floor(delay)
    delay -= whole
    index = np.arange(n) + whole.astype(np.int64)
    padded = np.concatenate([samples, np.zeros(1, np.float32)])
    left = np.take(padded, np.clip(index, 0, n))
    right = np.take(padded, np.clip(index + 1, 0, n))
    right -= left
    right *= delay
    left += right
    moved = [min(max(s - int(whole[min(s, n - 1)]), 0), n - 1) for s in starts]
    return left, [int(s) for s in np.maximum.accumulate(np.asarray(moved, np.int64))]


def _spread(grid: Samples, db: float) -> Samples:
    """Raise (or lower) the standard deviation of frame energy by ``db``."""
    level: Samples = np.sqrt(np.einsum("ij,ij->i", grid, grid) / _FRAME) + np.float32(1e-5)
    gain = np.clip((level / level.max() * 2.0) ** np.float32(db / 4.0), 0.1, 4.0)
    after = np.append(gain[1:], gain[-1])
    ramp = np.arange(_FRAME, dtype=np.float32) / _FRAME
    spread: Samples = (grid * (gain[:, None] + (after - gain)[:, None] * ramp)).ravel()
    return spread


_FADE = 110


def _pause(speech: Speech, pauses: Sequence[tuple[int, float]]) -> Speech:
    """Open silence at word boundaries, with 5 ms fades; later words move by as much."""
    pieces: list[Samples] = []
    words: list[SpokenWord] = []
    done, shift, k = 0, 0, 0
    opened = sorted((at, seconds) for at, seconds in pauses if seconds > 0)
    fade = np.linspace(0.0, 1.0, _FADE, dtype=np.float32)
    for word in speech.words:
        while k < len(opened) and opened[k][0] <= word.char_start:
            cut = word.start
            if cut > done:
                piece = speech.samples[done:cut].copy()
                if len(piece) >= 2 * _FADE:
                    piece[-_FADE:] *= fade[::-1]
                pieces.append(piece)
                done = cut
            gap = round(opened[k][1] * speech.sample_rate)
            pieces.append(np.zeros(gap, np.float32))
            shift += gap
            k += 1
        words.append(SpokenWord(word.char_start, word.char_end, word.start + shift, word.end + shift))
    rest = speech.samples[done:].copy()
    if pieces and len(rest) >= _FADE:
        rest[:_FADE] *= fade
    samples = np.concatenate([*pieces, rest])
    return Speech(
        samples=samples,
        sample_rate=speech.sample_rate,
        words=tuple(words),
        source="exact",
        onset=speech.onset,
        offset=speech.offset + shift,
    )


# --- the library -------------------------------------------------------------------------------------------


class _Event(ctypes.Structure):
    """``espeak_EVENT`` of speak_lib.h."""

    _fields_ = [
        ("type", ctypes.c_int),
        ("unique_identifier", ctypes.c_uint),
        ("text_position", ctypes.c_int),
        ("length", ctypes.c_int),
        ("audio_position", ctypes.c_int),
        ("sample", ctypes.c_int),
        ("user_data", ctypes.c_void_p),
        ("id", ctypes.c_char * 8),
    ]


_WORD = 1
_CALLBACK = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_int, ctypes.POINTER(_Event))


class _Engine:
    """The one espeak of this process. espeak keeps its state in globals, so calls take a lock."""

    def __init__(self) -> None:
        try:
            import espeakng_loader
        except ModuleNotFoundError as error:
            raise MissingPartError(
                "voice 'espeak' needs the package 'espeakng_loader'", mend="pip install 'duologue[espeak]'"
            ) from error
        self.source = Path(espeakng_loader.get_data_path())
        self.lock = threading.Lock()
        self.voices: dict[str, tuple[float, float]] = {}
        self.written: set[str] = set()
        self.lib: Any = ctypes.CDLL(str(espeakng_loader.get_library_path()))
        self.folder = self._folder()
        # 2: synchronous, samples to the callback; 20 s of buffer keeps callbacks few; 1 << 15: never exit the process.
        if self.lib.espeak_Initialize(2, 20_000, str(self.folder).encode(), 1 << 15) != SAMPLE_RATE:
            raise MissingPartError("espeak-ng does not start", mend="pip install --force-reinstall espeakng-loader")
        self.lib.espeak_Info.restype = ctypes.c_char_p
        self.version = str(self.lib.espeak_Info(None).decode()).split()[0]
        self.lib.espeak_Synth.argtypes = [
            ctypes.c_char_p, ctypes.c_size_t, ctypes.c_uint, ctypes.c_int,
            ctypes.c_uint, ctypes.c_uint, ctypes.c_void_p, ctypes.c_void_p,
        ]  # fmt: skip
        self.chunks: list[npt.NDArray[np.int16]] = []
        self.events: list[tuple[int, int]] = []
        self.callback = _CALLBACK(self._take)
        self.lib.espeak_SetSynthCallback(self.callback)

    def _folder(self) -> Path:
        """espeak's data with our speakers beside it: the dictionaries are links, the variants our own."""
        try:
            folder = Path(tempfile.mkdtemp(prefix="duologue-espeak-"))
            # Unlike atexit this also runs in worker processes, and never in a child that only inherited the folder.
            Finalize(None, shutil.rmtree, args=(folder, True), exitpriority=0)
            for entry in self.source.iterdir():
                if entry.name != "voices":
                    (folder / entry.name).symlink_to(entry)
            (folder / "voices" / "!v").mkdir(parents=True)
        except OSError as error:
            raise UserError(
                f"espeak's voices cannot be prepared: {error.strerror}",
                where=str(error.filename or tempfile.gettempdir()),
                mend="make room in the temporary folder, or set TMPDIR to another one",
            ) from error
        return folder

    @cached_property
    def data_sha256(self) -> str:
        total = hashlib.sha256()
        for name in ("phondata", "phonindex", "phontab", "intonations", "en_dict", "cmn_dict"):
            total.update((self.source / name).read_bytes())
        return total.hexdigest()

    def pitch(self, speaker: str, lift: int) -> tuple[float, float]:
        """(base, depth) in Hz of a speaker's voice file raised by ``lift`` semitones: see :class:`_Pitch`."""
        variant = speaker.split("+")[1]
        if variant not in self.voices:
            low, high = _variant(self.source, variant)[1]
            parent, (semitones, _) = _derivation(variant)
            scale = 2 ** ((semitones + (_MEN_UP if parent in _MALE else 0.0)) / 12)
            depth = (high - low) * _DEPTH
            mean = (low - 9) + (high - low) * (0.48 + 0.27)
            base = (mean - depth * (0.48 + 0.27 * _RANGE / 50)) * 2 ** ((50 - _PITCH) / 50)
            self.voices[variant] = (base * scale, depth * scale)
        base, depth = self.voices[variant]
        return base * 2 ** (lift / 12), depth * 2 ** (lift / 12)

    def variant(self, speaker: str, tilt: int, lift: int) -> str:
        """The speaker's voice file, ``tilt`` half dB per octave and ``lift`` semitones up, written on first use."""
        variant = speaker.split("+")[1]
        name = f"{variant}{tilt:+d}{lift:+d}"
        if name not in self.written:
            lines, _ = _variant(self.source, variant)
            base, depth = self.pitch(speaker, lift)
            scale = _derivation(variant)[1][1]
            body = [_formant(line, scale) for line in lines]
            body += ["flutter 0", "roughness 0", f"pitch {round(base + 9)} {round(base + 9 + depth)}", _tone(tilt / 2)]
            try:
                (self.folder / "voices" / "!v" / name).write_text("\n".join(body) + "\n")
            except OSError as error:
                raise UserError(
                    f"espeak's voices cannot be prepared: {error.strerror}",
                    where=str(error.filename or self.folder),
                    mend="make room in the temporary folder, or set TMPDIR to another one",
                ) from error
            self.written.add(name)
        return name

    def speak(
        self, raw: str, accent: str, speaker: str, plan: _Pitch, prosody: Prosody
    ) -> tuple[npt.NDArray[np.int16], list[tuple[int, int]]]:
        """int16 samples, and (character of ``raw`` from 1, sample) for each word that starts."""
        # A raised voice is brighter by itself.
        tilt = min(max(round(1.9 * prosody.tilt - 0.1 * prosody.f0_shift), -12), 24)
        # espeak lowers the base as it widens the range; below zero hertz, at its lowest pitch, it crashes.
        base, depth = self.pitch(speaker, plan.lift)
        range_ = min(plan.range, int(50 * (1 + 0.7 * base / max(depth, 1.0))))
        data = raw.encode()
        with self.lock:
            name = f"{accent}+{self.variant(speaker, tilt, plan.lift)}".encode()
            if self.lib.espeak_SetVoiceByName(name) != 0:
                raise MissingPartError(
                    f"espeak-ng has no voice {name.decode()!r}", mend="pip install --force-reinstall espeakng-loader"
                )
            rate = min(max(round(_RATE / max(prosody.tempo, 0.1)), 80), 400)
            for parameter, value in ((1, rate), (3, _PITCH), (4, range_)):
                self.lib.espeak_SetParameter(parameter, value, 0)
            self.chunks, self.events = [], []
            # flags 1: the text is UTF-8.
            self.lib.espeak_Synth(data, len(data) + 1, 0, 1, 0, 1, None, None)
            chunks, events = self.chunks, self.events
            self.chunks, self.events = [], []
        return (chunks[0] if len(chunks) == 1 else np.concatenate([np.zeros(0, np.int16), *chunks])), events

    def _take(self, wave: int | None, count: int, events: Any) -> int:
        if wave and count:
            self.chunks.append(np.frombuffer(ctypes.string_at(wave, 2 * count), np.int16))
        for event in events:
            if event.type == 0:
                break
            if event.type == _WORD:
                self.events.append((event.text_position, event.sample))
        return 0


@lru_cache(maxsize=1)
def _engine() -> _Engine:
    return _Engine()


def _derivation(variant: str) -> tuple[str, tuple[float, float]]:
    """The variant that a speaker comes from, and its semitones and formant ratio."""
    for suffix, change in _DERIVED.items():
        if suffix and variant.endswith(suffix):
            return variant[: -len(suffix)], change
    return variant, _DERIVED[""]


@lru_cache(maxsize=256)
def _variant(source: Path, variant: str) -> tuple[tuple[str, ...], tuple[float, float]]:
    """The lines of espeak's variant that we keep, and its two pitch figures."""
    parent = _derivation(variant)[0]
    path = next(p for p in (source / "voices" / "!v").iterdir() if p.name.lower() == parent)
    lines = [line.strip() for line in path.read_text(errors="replace").splitlines()]
    pitch = (82.0, 118.0)
    for line in lines:
        if line.startswith("pitch"):
            low, high = sorted(map(float, line.split()[1:3]))
            # A range within bounds leaves room to raise the pitch.
            pitch = (low, low * min(max(high / low, 1.2), 1.45))
    dropped = ("pitch", "flutter", "roughness", "echo", "breath", "tone", "//", "#")
    return tuple(line for line in lines if line and not line.startswith(dropped)), pitch


def _formant(line: str, scale: float) -> str:
    """A ``formant`` line with its frequency (per cent) scaled."""
    fields = line.split()
    if scale != 1.0 and fields[0] == "formant" and fields[1] in "12345678":
        fields[2] = str(round(float(fields[2]) * scale))
        return " ".join(fields)
    return line


# espeak's own curve (Hz, height of 255), which a tilt turns about 1 kHz.
_CURVE = ((150, 170.0), (600, 170.0), (1200, 135.0), (2400, 110.0), (5000, 110.0))


def _tone(tilt: float) -> str:
    heights = [height * 10 ** (tilt * math.log2(hz / 1000) / 20) for hz, height in _CURVE]
    top = max(*heights, 170.0) / 170.0
    return "tone " + " ".join(f"{hz} {max(round(h / top), 1)}" for (hz, _), h in zip(_CURVE, heights, strict=True))
