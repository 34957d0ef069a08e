"""Estimated word times against known ones: what `openai`, `command` and recordings are annotated with.

python benchmarks/word_times.py espeak en [--count 20]
python benchmarks/word_times.py kokoro en|zh [--count 20]

espeak and kokoro know when they say each word. The recogniser hears the same sound, its words are joined to the text
(`align`), and the starts and ends are compared in milliseconds; so are those of the plain share by length (`spread`).
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np

from duologue.generate.voices.align import align, spread
from duologue.generate.voices.espeak import EspeakVoice
from duologue.generate.voices.kokoro import KokoroVoice
from duologue.generate.voices.voice import SpokenWord, Voice
from duologue.listen.words import Recogniser


def errors(known: tuple[SpokenWord, ...], guessed: tuple[SpokenWord, ...], rate: int) -> list[tuple[float, float]]:
    """|start| and |end| differences in ms of words that both have at the same code points."""
    at = {(w.char_start, w.char_end): w for w in guessed}
    pairs = [(w, at[w.char_start, w.char_end]) for w in known if (w.char_start, w.char_end) in at]
    return [(abs(w.start - g.start) / rate * 1000, abs(w.end - g.end) / rate * 1000) for w, g in pairs]


def measure(voice: Voice, language: str, recogniser: Recogniser, count: int) -> None:
    texts = (Path(__file__).parent / f"texts_{language}.txt").read_text("utf-8").split("\n")[:count]
    speakers = voice.speakers(language)
    found: dict[str, list[tuple[float, float]]] = {"recogniser": [], "by length": []}
    words = 0
    for i, text in enumerate(texts):
        said = voice.synthesise(text, language=language, speaker=speakers[i % len(speakers)].id)
        heard = recogniser.hear(said.samples, said.sample_rate, language=language)
        edges = {"onset": said.onset, "offset": said.offset}
        joined = align(text, language, heard.words, rate=said.sample_rate, **edges)
        words += len(said.words)
        found["recogniser"] += errors(said.words, joined, said.sample_rate)
        found["by length"] += errors(said.words, spread(text, language, **edges), said.sample_rate)
    for how, pairs in found.items():
        start, end = np.array(pairs).T
        print(
            f"{voice.name:7} {language}  {how:10}  {len(texts)} utterances, {len(pairs)} of {words} words:  "
            f"start median {np.median(start):.0f} ms, 95% {np.quantile(start, 0.95):.0f} ms;  "
            f"end median {np.median(end):.0f} ms, 95% {np.quantile(end, 0.95):.0f} ms",
            flush=True,
        )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("voice", choices=("espeak", "kokoro"))
    parser.add_argument("language", choices=("en", "zh"))
    parser.add_argument("--count", type=int, default=20)
    given = parser.parse_args()
    voice: Voice = {"espeak": EspeakVoice, "kokoro": KokoroVoice}[given.voice]()
    measure(voice, given.language, Recogniser(1), given.count)
    print(f"{time.process_time():.0f} s of CPU")
