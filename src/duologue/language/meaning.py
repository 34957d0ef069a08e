"""Sentence vectors: texts of like meaning are near each other, in Chinese, English and across them.

multilingual-e5-small in 4 bits (``duologue models fetch e5``), run by numpy alone. Its cosines crowd together
(paraphrases near 0.94, unrelated sentences 0.76-0.88), so they are ranked or compared with a baseline, never held
against a fixed threshold.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import cached_property
from typing import Any

import numpy as np

from duologue.language.e5_network import Network
from duologue.language.encoder import Side, Vectors
from duologue.models import store
from duologue.models.catalogue import E5

# Tokens that go through the network at once: bounds memory, and is enough to keep the matrix products busy.
_TOKENS = 512


class SentenceEncoder:
    """Loads, and verifies, the weights with the first text; MissingPartError names the command that fetches them.

    Equal calls give equal vectors; other texts in the same call move a vector by less than 1e-6. Texts over the
    network's 510 tokens are cut into windows whose vectors are averaged by length. Nothing is kept between calls.
    With threadpoolctl (``pip install 'duologue[meaning]'``) the matrix products keep to one thread, which costs a
    third of the processor time of several on a busy machine; without it numpy decides.
    """

    name = f"multilingual-e5-small {E5.version}"
    lexical = False

    @cached_property
    def _network(self) -> Network:
        return Network(store.paths(E5, E5.files[0].name)[0])

    @cached_property
    def _threads(self) -> Any:
        try:
            from threadpoolctl import ThreadpoolController
        except ImportError:
            return None
        return ThreadpoolController()

    def _one_thread(self) -> AbstractContextManager[Any]:
        return nullcontext() if self._threads is None else self._threads.limit(limits=1, user_api="blas")

    def encode(self, texts: Sequence[str], side: Side = "passage") -> Vectors:
        """[len(texts), 384]; a text that occurs twice is computed once."""
        network = self._network
        distinct = list(dict.fromkeys(texts))
        window = network.longest - 2
        rows: list[list[int]] = []
        owner: list[int] = []
        for i, text in enumerate(distinct):
            ids = network.pieces.ids(f"{side}: {text}")
            for start in range(0, len(ids), window):
                rows.append(ids[start : start + window])
                owner.append(i)
        sums = np.zeros((len(distinct), network.size), np.float32)
        order = sorted(range(len(rows)), key=lambda i: len(rows[i]))
        batch: list[int] = []
        for at, i in enumerate(order):
            batch.append(i)
            if at + 1 == len(order) or sum(len(rows[j]) + 2 for j in batch) + len(rows[order[at + 1]]) + 2 > _TOKENS:
                with self._one_thread():
                    means = network.means([rows[j] for j in batch])
                for j, mean in zip(batch, means, strict=True):
                    sums[owner[j]] += mean * len(rows[j])
                batch = []
        unit = sums / np.linalg.norm(sums, axis=1, keepdims=True)
        place = {text: i for i, text in enumerate(distinct)}
        return np.asarray(unit[[place[t] for t in texts]], np.float32).reshape(len(texts), network.size)
