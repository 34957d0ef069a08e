"""Text normalisation for voices; it lies in ``corpus`` because the recogniser's side compares with it too."""

from duologue.corpus.spoken import Spoken, normalise

__all__ = ["Spoken", "normalise"]
