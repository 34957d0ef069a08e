"""The neural voice measured: read-back, word times, cost, speakers.

python benchmarks/voices.py readback en|zh [--count 102] [--emotional]
python benchmarks/voices.py edges          # word times beside pauses against the sound; against a recogniser
python benchmarks/voices.py cost           # CPU of synthesis with prosody over CPU of bare synthesis
python benchmarks/voices.py speakers       # similarity within and between speakers
"""

from __future__ import annotations

import argparse
import itertools
import time
from pathlib import Path

import numpy as np

from duologue.generate.prosody import Prosody
from duologue.generate.seeds import stream
from duologue.generate.voices.kokoro import KokoroVoice
from duologue.generate.voices.kokoro_timing import audible

RATE = 24_000


def texts(language: str) -> list[str]:
    return (Path(__file__).parent / f"texts_{language}.txt").read_text("utf-8").split("\n")[:-1]


def drawn(i: int) -> Prosody:
    """A lively prosody, wide as the strong emotions of the table are."""
    r = stream(7, i)
    return Prosody(
        f0_shift=r.uniform(-3, 7), f0_range=r.uniform(0.6, 1.7), f0_slope=r.uniform(-2, 1), f0_final=r.uniform(-5, 5),
        tempo=r.uniform(0.85, 1.25), gain=r.uniform(-6, 10), energy_range=r.uniform(-1, 2), tilt=r.uniform(-2, 3),
        breath=r.uniform(0, 4),
    )  # fmt: skip


def readback(language: str, count: int, emotional: bool) -> None:
    import jiwer
    from pypinyin import lazy_pinyin

    from duologue.listen.readback import compare, tokens
    from duologue.listen.words import Recogniser

    voice, recogniser = KokoroVoice(), Recogniser(1)
    speakers = [s.id for s in voice.speakers(language)]
    said, heard, who = [], [], []
    for i, text in enumerate(texts(language)[:count]):
        who.append(speakers[i % len(speakers)])
        prosody = drawn(i) if emotional else Prosody()
        speech = voice.synthesise(text, language=language, speaker=who[-1], prosody=prosody, seed=i)
        samples = speech.samples / max(1.0, float(np.abs(speech.samples).max()))
        said.append(text)
        heard.append(recogniser.hear(samples, RATE, language=language, times=False).text)
    kind = "emotional" if emotional else "neutral"
    result = compare(said, heard, language)
    unit = "CER" if language == "zh" else "WER"
    print(
        f"{language} {kind}: {unit} {result.rate:.3f} ({result.errors}/{result.length}), "
        f"{result.exact}/{len(said)} exact"
    )
    if language == "zh":
        # The recogniser picks characters; which of several with one sound says nothing about the voice.
        def syllables(t: str) -> str:
            return " ".join(lazy_pinyin("".join(tokens(t, "zh")))) or "-"

        print(f"  syllables without tone: {jiwer.wer(list(map(syllables, said)), list(map(syllables, heard))):.3f}")
    for speaker in speakers:
        mine = [i for i, w in enumerate(who) if w == speaker]
        if mine and language == "zh":
            part = compare([said[i] for i in mine], [heard[i] for i in mine], language)
            syl = jiwer.wer([syllables(said[i]) for i in mine], [syllables(heard[i]) for i in mine])
            print(f"  {speaker}: {part.rate:.3f} ({part.errors}/{part.length}), syllables {syl:.3f}")
    for reference, guess in result.worst[:6]:
        print(f"  {reference} | {guess}")


def edges() -> None:
    from duologue.listen.words import Recogniser

    voice, recogniser = KokoroVoice(), Recogniser(1)
    ends, starts, apart = [], [], []
    for language in ("en", "zh"):
        speakers = [s.id for s in voice.speakers(language)]
        pool = texts(language)
        for i in range(0, 24, 2):
            text = f"{pool[i]} {pool[i + 1]}" if language == "en" else pool[i] + pool[i + 1]
            speech = voice.synthesise(text, language=language, speaker=speakers[i % len(speakers)])
            heard = np.flatnonzero(audible(speech.samples))
            words = speech.words
            for a, b in [(None, words[0]), *itertools.pairwise(words), (words[-1], None)]:
                if a and b and b.start - a.end < 0.1 * RATE:
                    continue
                middle = (((a.end if a else 0) + (b.start if b else len(speech.samples))) / 2) / 120
                if a:
                    ends.append((a.end - (heard[heard < middle].max() + 1) * 120) / RATE)
                if b:
                    starts.append((b.start - heard[heard >= middle].min() * 120) / RATE)
            if language == "en":
                other = recogniser.hear(speech.samples, RATE, language=language).words
                if len(other) == len(words):
                    apart += [o.end - w.end / RATE for o, w in zip(other, words, strict=True)]
    for name, values in (("word ends beside pauses", ends), ("word starts beside pauses", starts)):
        v = np.array(values) * 1000
        print(
            f"{name}: {len(v)}, median {np.median(v):+.0f} ms, |error| median {np.median(abs(v)):.0f} ms, "
            f"95% {np.percentile(abs(v), 95):.0f} ms"
        )
    v = np.array(apart) * 1000
    print(
        f"recogniser's word ends minus ours: {len(v)}, median {np.median(v):+.0f} ms, "
        f"95% of |d| {np.percentile(abs(v), 95):.0f} ms"
    )


def cost() -> None:
    voice = KokoroVoice()
    plain, edited = 0.0, 0.0
    pool = texts("en")[:12]
    voice.synthesise(pool[0], language="en", speaker="af_heart")
    for i, text in enumerate(pool):
        prosody = drawn(i)
        prosody = Prosody(**{f: getattr(prosody, f) for f in prosody.__struct_fields__ if f != "tempo"})
        for turn in (0, 1) if i % 2 else (1, 0):
            start = time.process_time()
            voice.synthesise(text, language="en", speaker="af_heart", prosody=prosody if turn else Prosody())
            if turn:
                edited += time.process_time() - start
            else:
                plain += time.process_time() - start
    print(f"CPU with prosody / bare: {edited / plain:.3f} (equal durations)")


def speakers() -> None:
    from duologue.listen.identity import SpeakerEncoder, similarity

    voice, encoder = KokoroVoice(), SpeakerEncoder()
    for language in ("en", "zh"):
        pool = texts(language)[:3]
        of = {}
        for s in voice.speakers(language):
            of[s.id] = [encoder.embed(voice.synthesise(t, language=language, speaker=s.id).samples, RATE) for t in pool]
        same = [similarity(a, b) for e in of.values() for a, b in itertools.combinations(e, 2)]
        pairs = {
            (a, b): float(np.mean([similarity(x, y) for x in of[a] for y in of[b]]))
            for a, b in itertools.combinations(of, 2)
        }
        sexed = [v for (a, b), v in pairs.items() if a[1] == b[1]]
        print(
            f"{language}: same speaker 5% {np.percentile(same, 5):.2f} median {np.median(same):.2f}; "
            f"different, same sex median {np.median(sexed):.2f} 95% {np.percentile(sexed, 95):.2f}"
        )
        for (a, b), v in sorted(pairs.items(), key=lambda kv: -kv[1])[:5]:
            print(f"  {a} {b} {v:.2f}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["readback", "edges", "cost", "speakers"])
    parser.add_argument("language", nargs="?", choices=["en", "zh"], default="en")
    parser.add_argument("--count", type=int, default=102)
    parser.add_argument("--emotional", action="store_true")
    args = parser.parse_args()
    if args.what == "readback":
        readback(args.language, args.count, args.emotional)
    else:
        {"edges": edges, "cost": cost, "speakers": speakers}[args.what]()
