"""How much of the user's speech in a corpus the recogniser of the understanding baseline gets wrong.

    python benchmarks/understanding.py CORPUS [--most 24] [--track duplex] [--cache .duologue-cache]

Prints WER (en) and CER (zh) of what is heard in the user's microphone of the test split, bystanders included, against
the transcripts: the first dialogues of each language.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from duologue.corpus.read import Corpus
from duologue.listen.readback import compare
from duologue.listen.words import Recogniser
from duologue.understanding.stretch import RATE, RememberedListener, at_rate


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("corpus", type=Path)
    parser.add_argument("--most", type=int, default=24)
    parser.add_argument("--track", default="duplex")
    parser.add_argument("--cache", type=Path, default=Path(".duologue-cache"))
    given = parser.parse_args()
    listener = RememberedListener(Recogniser(1), given.cache)
    for language in ("en", "zh"):
        told, heard, apart = [], [], "" if language == "zh" else " "
        for n, item in enumerate(Corpus(given.corpus, split="test", track=given.track, language=language)):
            if n == given.most:
                break
            main_audio, turns = item.file(), [t for t in item.dialogue.turns if t.role != "system" and t.segments]
            samples, rate = item.audio(role="user")
            places = sorted(
                {
                    (round(s.start * RATE / rate), round(s.end * RATE / rate))
                    for t in turns
                    for s in t.segments
                    if s.audio == main_audio.id
                }
            )
            words = listener.words(at_rate(np.asarray(samples, np.float32), rate), places, language)
            told.append(apart.join(t.text for t in turns))
            heard.append(apart.join(w.text for w in words))
        if told:
            found = compare(told, heard, language)
            print(f"{language}: error rate {found.rate:.3f} of {found.length} in {found.utterances} dialogues")


if __name__ == "__main__":
    main()
