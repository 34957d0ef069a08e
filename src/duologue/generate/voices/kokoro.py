"""The neural voice: Kokoro-82M, with word times from the network's own durations.

Emotion is put in between the network's halves (:mod:`duologue.generate.voices.kokoro_prosody`), so it costs next to
nothing and leaves the words whole.
"""

from __future__ import annotations

import csv
from functools import cached_property, lru_cache
from importlib.resources import files
from typing import cast

import numpy as np

from duologue.corpus.speaker import Sex
from duologue.errors import UserError
from duologue.generate.prosody import NEUTRAL, Prosody
from duologue.generate.voices import kokoro_prosody, response
from duologue.generate.voices.kokoro_network import SAMPLE_RATE, FloatArray, Network
from duologue.generate.voices.kokoro_phonemes import Phonemiser, Piece
from duologue.generate.voices.kokoro_timing import HALF, Placed, onset_offset, place, trimmed
from duologue.generate.voices.voice import Speech, SpokenWord, VoiceSpeaker
from duologue.models import store
from duologue.models.catalogue import KOKORO

# Share of words (characters where Chinese) that a recogniser gets wrong: three times what a whole language may have.
READ_BACK_LIMIT = 0.15
# Beyond this the network hurries; its own limit is 510.
_CHUNK_TOKENS = 300


class KokoroVoice:
    """Neural voice for English (28 speakers) and Mandarin (7, and one that is hard to recognise), 24 kHz.

    Word times come from the durations that the network gives each phoneme, in steps of 12.5 ms, before any sound
    is made. Where a word borders on a pause of 100 ms or more its edge is where the network's own energy curve
    rises or falls; silence belongs to no word. Between words of running speech the border is the point of least
    energy. Equal arguments give equal samples for any number of workers.
    """

    name = "kokoro"
    version = f"{KOKORO.version}+5"
    sample_rate = SAMPLE_RATE

    def __init__(self) -> None:
        self._styles: dict[str, FloatArray] = {}

    def weights_sha256(self) -> str:
        return KOKORO.sha256

    def speakers(self, language: str, *, everyone: bool = False) -> tuple[VoiceSpeaker, ...]:
        """Speakers that a recogniser understands; ``everyone`` adds those above ``READ_BACK_LIMIT``.

        ``kokoro_speakers.csv`` holds each one's measured errors, and whose emotional speech is too hard to recognise
        for any role but the system's. Who is left out can still speak, if named.
        """
        if language not in ("en", "zh"):
            raise UserError("unknown language", field="language", value=language, allowed="en, zh")
        return tuple(s for s, rate in _table() if language in s.languages and (everyone or rate <= READ_BACK_LIMIT))

    def synthesise(
        self, text: str, *, language: str, speaker: str, prosody: Prosody = NEUTRAL, seed: int = 0
    ) -> Speech:
        """Speak ``text``; see :class:`duologue.generate.voices.voice.Voice`.

        Text beyond about 300 phonemes is spoken sentence by sentence (or clause by clause) and joined.
        """
        known = {s.id for s in self.speakers(language, everyone=True)}
        if speaker not in known:
            raise UserError(
                f"unknown speaker of voice 'kokoro' for {language}", value=speaker, allowed=", ".join(sorted(known))
            )
        prosody = response.command(response.shipped(self.name), prosody)
        if language == "zh":
            prosody = kokoro_prosody.tonal(prosody)
        pieces = self._phonemiser.pieces(text, language, british=speaker.startswith("b"))
        chunks = _chunks(pieces)
        parts: list[FloatArray] = []
        words: list[SpokenWord] = []
        at = 0
        for number, chunk in enumerate(chunks):
            samples, placed = self._speak(
                chunk, speaker, prosody, seed, first=number == 0, last=number == len(chunks) - 1
            )
            parts.append(samples)
            words += [SpokenWord(*w.span, at + w.start * HALF, at + w.end * HALF) for w in placed]
            at += len(samples)
        samples = np.concatenate(parts) if parts else np.zeros(0, np.float32)
        onset, offset = onset_offset(samples)
        return Speech(
            samples=samples,
            sample_rate=SAMPLE_RATE,
            words=tuple(_merge(words)),
            source="exact",
            onset=onset,
            offset=offset,
        )

    @cached_property
    def _network(self) -> Network:
        return Network(*store.paths(KOKORO, "kokoro-v1.0.int8.onnx", "vocab.json"))

    @cached_property
    def _phonemiser(self) -> Phonemiser:
        return Phonemiser(self._network.vocabulary)

    def _style(self, speaker: str, tokens: int) -> FloatArray:
        """Style vector [1, 256] for an utterance of ``tokens`` phonemes."""
        if speaker not in self._styles:
            (path,) = store.paths(KOKORO, f"voices/{speaker}.bin")
            self._styles[speaker] = np.fromfile(path, "<f4").astype(np.float32).reshape(-1, 1, 256)
        table = self._styles[speaker]
        style: FloatArray = table[min(tokens, len(table) - 1)]
        return style

    def _speak(
        self, chunk: list[Piece], speaker: str, prosody: Prosody, seed: int, *, first: bool, last: bool
    ) -> tuple[FloatArray, list[Placed]]:
        tokens = [t for p in chunk for t in p.tokens]
        style = self._style(speaker, len(tokens))
        features = self._network.features(tokens, style)
        words = place(chunk, features)
        edited, words = kokoro_prosody.edit(features, words, prosody, last=last)
        edited, words = trimmed(edited, words, first=first, last=last)
        samples = self._network.sound(edited, style)
        samples = kokoro_prosody.colour(samples, edited.f0, words, prosody, seed)
        return samples, words


@lru_cache
def _table() -> tuple[tuple[VoiceSpeaker, float], ...]:
    """Each speaker with its read-back error rate; ids are Kokoro's: accent, sex, name."""
    with files("duologue.generate.voices").joinpath("kokoro_speakers.csv").open(encoding="utf-8") as file:
        return tuple(
            (
                VoiceSpeaker(
                    id=row["id"],
                    languages=(row["language"],),
                    sex=cast(Sex, row["sex"]),
                    age="adult",
                    parent=row["parent"],
                    accent=row["accent"],
                    system_only=row["use"] == "system",
                ),
                int(row["errors"]) / int(row["length"]),
            )
            for row in csv.DictReader(file)
        )


def _chunks(pieces: list[Piece]) -> list[list[Piece]]:
    """Cut a long text after sentences, failing that after clauses, failing that between words."""
    if sum(len(p.tokens) for p in pieces) <= _CHUNK_TOKENS:
        return [pieces] if pieces else []
    whole = [piece for p in pieces for piece in _halved(p)]
    chunks: list[list[Piece]] = []
    while whole:
        total, fits = 0, 0
        while fits < len(whole) and total + len(whole[fits].tokens) <= _CHUNK_TOKENS:
            total += len(whole[fits].tokens)
            fits += 1
        cut = fits
        if fits < len(whole):
            # The best mark in the last two thirds of what fits; a later one wins among equals.
            places = range(max(1, fits // 3), fits + 1)
            cut = max(places, key=lambda k: (whole[k - 1].rank, k))
        chunk, whole = whole[:cut], whole[cut:]
        if any(p.span for p in chunk):
            chunks.append(chunk)
    return chunks


def _halved(piece: Piece) -> list[Piece]:
    """A word longer than a chunk, in pieces that keep its span."""
    tokens = piece.tokens
    return [piece._replace(tokens=tokens[i : i + _CHUNK_TOKENS]) for i in range(0, len(tokens), _CHUNK_TOKENS)]


def _merge(words: list[SpokenWord]) -> list[SpokenWord]:
    """Join the pieces of one word that was cut between chunks."""
    merged: list[SpokenWord] = []
    for word in words:
        if merged and (merged[-1].char_start, merged[-1].char_end) == (word.char_start, word.char_end):
            word = SpokenWord(word.char_start, word.char_end, merged.pop().start, word.end)
        merged.append(word)
    return merged
