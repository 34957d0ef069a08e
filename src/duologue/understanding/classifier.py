"""Multinomial logistic regression over words and numbers: fitted by scikit-learn, kept and used as plain arrays."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import msgspec
import numpy as np
import numpy.typing as npt

from duologue.errors import MissingPartError
from duologue.understanding.vocabulary import Vocabulary, learn

Floats = npt.NDArray[np.float64]
Cue = Literal["words", "voice", "both"]
CUES: tuple[Cue, ...] = ("words", "voice", "both")
# Inverse strengths of regularisation of which dev chooses.
STRENGTHS = (0.3, 1.0, 3.0, 10.0, 30.0)
# A row of words has length 1, a row of k standardised numbers about sqrt(k): this brings them nearer.
_NUMBERS = 0.3


class Example(msgspec.Struct, frozen=True, kw_only=True):
    """One thing to classify. ``numbers`` are None where nothing was heard: they then count as average."""

    id: str
    label: str
    text: str
    numbers: tuple[float, ...] | None
    clusters: dict[str, str] = {}


class Classifier(msgspec.Struct, frozen=True, kw_only=True):
    """``weights`` [labels, terms + numbers], ``bias`` [labels], ``mean`` and ``sd`` [numbers]."""

    labels: tuple[str, ...]
    cue: Cue
    vocabulary: Vocabulary
    mean: Floats
    sd: Floats
    weights: Floats
    bias: Floats

    def log_shares(self, examples: Sequence[Example]) -> Floats:
        """[n, labels] logarithms of probabilities."""
        if not examples:
            return np.zeros((0, len(self.labels)))
        scores = _matrix(examples, self.cue, self.vocabulary, self.mean, self.sd) @ self.weights.T + self.bias
        scores = scores - scores.max(axis=1, keepdims=True)
        logs: Floats = scores - np.log(np.exp(scores).sum(axis=1, keepdims=True))
        return logs

    def tell(self, examples: Sequence[Example]) -> list[str]:
        """The likeliest label of each example."""
        return [self.labels[k] for k in self.log_shares(examples).argmax(axis=1)]


def fit(examples: Sequence[Example], cue: Cue, strength: float) -> Classifier:
    """A classifier of the ``examples``' labels, each label weighing the same, the same bytes for the same examples.

    ``strength`` is C, the inverse of the L2 penalty. ValueError for fewer than two labels.
    """
    try:
        from sklearn.linear_model import LogisticRegression
        from threadpoolctl import threadpool_limits
    except ModuleNotFoundError as error:
        raise MissingPartError("training needs scikit-learn", mend="pip install 'duologue[analysis]'") from error
    labels = sorted({e.label for e in examples})
    if len(labels) < 2:
        raise ValueError("two labels or more")
    vocabulary = learn([e.text for e in examples]) if cue != "voice" else Vocabulary((), ())
    known = np.array([e.numbers for e in examples if e.numbers is not None], np.float64)
    width = len(known[0]) if len(known) and cue != "words" else 0
    mean, sd = (known.mean(axis=0), known.std(axis=0)) if width else (np.zeros(0), np.zeros(0))
    sd = np.where(sd > 1e-9, sd, 1.0)
    # One thread: the order of sums, and with it the last bits, does not hang on the machine's cores.
    with threadpool_limits(1):
        model: Any = LogisticRegression(C=strength, class_weight="balanced", max_iter=400, tol=1e-5)
        model.fit(_matrix(examples, cue, vocabulary, mean, sd), [labels.index(e.label) for e in examples])
    weights, bias = np.asarray(model.coef_), np.asarray(model.intercept_)
    if len(labels) == 2:
        # scikit-learn keeps one row for two labels: the second's against the first's.
        weights, bias = np.concatenate([-weights / 2, weights / 2]), np.concatenate([-bias / 2, bias / 2])
    return Classifier(
        labels=tuple(labels), cue=cue, vocabulary=vocabulary, mean=mean, sd=sd, weights=weights, bias=bias
    )


def _matrix(examples: Sequence[Example], cue: Cue, vocabulary: Vocabulary, mean: Floats, sd: Floats) -> Floats:
    parts = []
    if cue != "voice":
        parts.append(vocabulary.rows([e.text for e in examples]))
    if cue != "words":
        table = np.array([mean if e.numbers is None else e.numbers for e in examples], np.float64)
        parts.append((table.reshape(len(examples), -1) - mean) / sd * _NUMBERS)
    joined: Floats = np.concatenate(parts, axis=1)
    return joined
