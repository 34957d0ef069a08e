"""The neural voice measured: read-back, word times, cost, speakers.

python benchmarks/voices.py readback en|zh [--count 102] [--emotional] [--everyone]
python benchmarks/voices.py edges          # word times beside pauses against the sound; against a recogniser
python benchmarks/voices.py cost           # CPU of synthesis with prosody over CPU of bare synthesis
python benchmarks/voices.py speakers en|zh # similarity within and between speakers, and of mixes
"""

from __future__ import annotations

import argparse
import itertools
import time
from pathlib import Path

import numpy as np

from duologue.corpus.emotion import DUOLOGUE
from duologue.generate.emotion_prosody import draw
from duologue.generate.prosody import Prosody
from duologue.generate.seeds import stream
from duologue.generate.voices.kokoro import KokoroVoice
from duologue.generate.voices.kokoro_timing import audible

RATE = 24_000
MIXES = 8
EMOTIONS = [label for label in DUOLOGUE.labels if label != "neutral"]


def texts(language: str) -> list[str]:
    return (Path(__file__).parent / f"texts_{language}.txt").read_text("utf-8").split("\n")[:-1]


def drawn(i: int, sex: str = "female") -> tuple[str, Prosody]:
    """Emotions and intensities in turn, each drawn anew from the table: ("angry-3", its prosody)."""
    label, intensity = EMOTIONS[i % len(EMOTIONS)], 1 + i // len(EMOTIONS) % 3
    return f"{label}-{intensity}", draw(label, intensity, sex, stream(7, i))


def readback(language: str, count: int, emotional: bool, everyone: bool) -> None:
    from pypinyin import Style, lazy_pinyin

    from duologue.listen.readback import compare, tokens
    from duologue.listen.words import Recogniser

    # Whole words are read, so that a character with several readings gets the one it has there.
    def toned(t: str) -> str:
        return " ".join(lazy_pinyin("".join(tokens(t, "zh")), style=Style.TONE, neutral_tone_with_five=True))

    def toneless(t: str) -> str:
        return " ".join(lazy_pinyin("".join(tokens(t, "zh"))))

    voice, recogniser = KokoroVoice(), Recogniser(1)
    # A speaker for the system alone has no feelings.
    speakers = [s for s in voice.speakers(language, everyone=everyone) if not (emotional and s.system_only)]
    said, heard, who, how = [], [], [], []
    for i, text in enumerate(texts(language)[:count]):
        # One further each round: emotions come in turn too, and none is to stay with one speaker.
        speaker = speakers[(i + i // len(speakers)) % len(speakers)]
        kind, prosody = drawn(i, speaker.sex) if emotional else ("neutral", Prosody())
        speech = voice.synthesise(text, language=language, speaker=speaker.id, prosody=prosody, seed=i)
        samples = speech.samples / max(1.0, float(np.abs(speech.samples).max()))
        said.append(text)
        heard.append(recogniser.hear(samples, RATE, language=language, times=False).text)
        who.append(speaker.id)
        how.append(kind)

    def line(title: str, mine: list[int]) -> str:
        part = compare([said[i] for i in mine], [heard[i] for i in mine], language)
        line = f"{title}: {part.rate:.3f} ({part.errors}/{part.length})"
        if language == "zh":
            # A recogniser picks characters; which of several with one sound says nothing about the voice.
            for name, syllables in (("syllables with tone", toned), ("toneless", toneless)):
                wrong = compare([syllables(said[i]) for i in mine], [syllables(heard[i]) for i in mine], "en")
                line += f", {name} {wrong.rate:.3f} ({wrong.errors}/{wrong.length})"
        return line + f", {part.exact}/{len(mine)} exact"

    unit = "CER" if language == "zh" else "WER"
    print(line(f"{language} {'emotional' if emotional else 'neutral'}: {unit}", list(range(len(said)))))
    for keys in (who, how, [k[-1] for k in how]) if emotional else (who,):
        for key in sorted(set(keys)):
            print("  " + line(key, [i for i, k in enumerate(keys) if k == key]))
    for reference, guess in compare(said, heard, language).worst[:8]:
        i = said.index(reference)
        print(f"  {who[i]} {how[i]}: {reference} | {guess}")


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
        _, prosody = drawn(i)
        prosody = Prosody(**{f: getattr(prosody, f) for f in prosody.__struct_fields__ if f != "tempo"})
        for turn in (0, 1) if i % 2 else (1, 0):
            start = time.process_time()
            voice.synthesise(text, language="en", speaker="af_heart", prosody=prosody if turn else Prosody())
            if turn:
                edited += time.process_time() - start
            else:
                plain += time.process_time() - start
    print(f"CPU with prosody / bare: {edited / plain:.3f} (equal durations)")


def speakers(language: str) -> None:
    """Are speakers, and mixes of two styles half and half, persons of their own?

    The limit is the similarity below which 95% of the pairs of distinct speakers of one sex lie: a mix that is nearer
    to one of its parents, or to anybody else, than that is not kept apart.
    """
    from duologue.listen.identity import SpeakerEncoder, similarity

    voice, encoder = KokoroVoice(), SpeakerEncoder()
    pool = texts(language)[:4]
    lines = [" ".join(pool[:2]), " ".join(pool[2:])]

    def embed(speaker: str) -> list[np.ndarray]:
        return [encoder.embed(voice.synthesise(t, language=language, speaker=speaker).samples, RATE) for t in lines]

    def between(x: str, y: str) -> float:
        return float(np.mean([similarity(a, b) for a in of[x] for b in of[y]]))

    of = {s.id: embed(s.id) for s in voice.speakers(language, everyone=True)}
    same = [similarity(a, b) for a, b in of.values()]
    pairs = sorted(((between(a, b), a, b) for a, b in itertools.combinations(of, 2) if a[1] == b[1]), reverse=True)
    values = [v for v, _, _ in pairs]
    limit = float(np.percentile(values, 95))
    print(
        f"{language}: one speaker, two texts: 5% {np.percentile(same, 5):.2f}, median {np.median(same):.2f}; "
        f"two speakers of one sex: median {np.median(values):.2f}, 95% {limit:.2f}, most {values[0]:.2f}"
    )
    for v, a, b in pairs[:4]:
        print(f"  {a} {b} {v:.2f}")
    apart = 0
    originals = list(of)
    farthest = pairs[::-1][:MIXES]
    for v, a, b in farthest:
        # A mix is half of each style; the farthest pairs leave it the most room.
        kept = voice._styles[a]
        voice._styles[a] = 0.5 * kept + 0.5 * voice._styles[b]
        of["mix"] = embed(a)
        voice._styles[a] = kept
        nearest = max(originals, key=lambda o: between("mix", o))
        apart += between("mix", nearest) < limit
        print(
            f"  mix of {a} and {b} (apart {v:.2f}): to its parents {between('mix', a):.2f}, {between('mix', b):.2f}; "
            f"nearest {nearest} {between('mix', nearest):.2f}"
        )
    print(f"  mixes kept apart: {apart} of {len(farthest)}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["readback", "edges", "cost", "speakers"])
    parser.add_argument("language", nargs="?", choices=["en", "zh"], default="en")
    parser.add_argument("--count", type=int, default=102)
    parser.add_argument("--emotional", action="store_true")
    parser.add_argument("--everyone", action="store_true", help="speakers above the read-back limit too")
    args = parser.parse_args()
    if args.what == "readback":
        readback(args.language, args.count, args.emotional, args.everyone)
    elif args.what == "speakers":
        speakers(args.language)
    else:
        {"edges": edges, "cost": cost}[args.what]()
