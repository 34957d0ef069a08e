"""How much of a text a recogniser gets wrong: WER for English, CER for Chinese.

Both sides are written the same way first: numbers and symbols as words, no marks or punctuation, one case, and one
spelling for what no ear can tell apart (他, 她 and 它; 的, 地 and 得; "OK" and "okay"). Rates are
(substitutions + deletions + insertions) / reference length, pooled over all utterances (jiwer).
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import msgspec

from duologue.corpus.spoken import normalise
from duologue.errors import MissingPartError, UserError


class Readback(msgspec.Struct, frozen=True, kw_only=True):
    """``rate`` is errors / ``length`` (words or characters); ``worst`` are (reference, heard) of wrong utterances."""

    rate: float
    errors: int
    length: int
    utterances: int
    exact: int
    worst: tuple[tuple[str, str], ...]


_SAME_SOUND = str.maketrans("她它牠地得两恩唔", "他他他的的二嗯嗯")
_SAME_WORD = {
    "alright": "all right",
    "anymore": "any more",
    "apologise": "apologize",
    "canceled": "cancelled",
    "cannot": "can not",
    "colour": "color",
    "doctor": "dr",
    "everytime": "every time",
    "favourite": "favorite",
    "gonna": "going to",
    "grey": "gray",
    "huh": "hmm",
    "mhm": "hmm",
    "missis": "mrs",
    "mister": "mr",
    "mm": "hmm",
    "mom": "mum",
    "neighbour": "neighbor",
    "neighbours": "neighbors",
    "ok": "okay",
    "realise": "realize",
    "realised": "realized",
    "theatre": "theater",
    "wanna": "want to",
    "yep": "yeah",
}
# A recogniser writes times without their colon: 705 pm, 10.15.
_CLOCK = re.compile(
    r"(?<![\d.$£€])(1[0-2]|[1-9])(?:[.:]|(?=\d\d\s?[ap]))([0-5]\d)(?=\s?[ap]\.?m\b|\W*$)", re.IGNORECASE
)


def tokens(text: str, language: str) -> list[str]:
    """Words of ``text`` (characters where it is Chinese) as they are compared."""
    if language == "en":
        text = _CLOCK.sub(r"\1:\2", text)
    spoken = normalise(text, language).text.lower()
    if language == "zh":
        return re.findall(r"[a-z']+|[^\W\d_a-z]", spoken.translate(_SAME_SOUND))
    words = re.findall(r"[^\W\d_]+(?:'[^\W\d_]+)*", spoken.replace("-", " "))
    return " ".join(_SAME_WORD.get(w, w) for w in words).split()


def compare(references: Sequence[str], heard: Sequence[str], language: str) -> Readback:
    """Pooled error rate of ``heard`` against ``references``, utterance by utterance.

    A reference without a word is refused: it has no length to divide by.
    """
    try:
        import jiwer
    except ImportError as error:
        raise MissingPartError(
            f"read-back needs the package {error.name!r}", mend="pip install 'duologue[asr]'"
        ) from error
    pairs = []
    for reference, guess in zip(references, heard, strict=True):
        wanted = " ".join(tokens(reference, language))
        if not wanted:
            raise UserError("a reference holds no word to compare with", field="references", value=reference)
        pairs.append((wanted, " ".join(tokens(guess, language))))
    if not pairs:
        return Readback(rate=0.0, errors=0, length=0, utterances=0, exact=0, worst=())
    out = jiwer.process_words([a for a, _ in pairs], [b for _, b in pairs])
    wrong = [jiwer.process_words(a, b).wer for a, b in pairs]
    order = sorted((i for i, w in enumerate(wrong) if w), key=lambda i: -wrong[i])
    errors = out.substitutions + out.deletions + out.insertions
    return Readback(
        rate=float(out.wer),
        errors=errors,
        length=out.hits + out.substitutions + out.deletions,
        utterances=len(pairs),
        exact=sum(w == 0 for w in wrong),
        worst=tuple((references[i], heard[i]) for i in order[:20]),
    )
