from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from duologue.errors import MissingPartError, UserError
from duologue.language.encoder import TextEncoder
from duologue.language.lexical import LexicalEncoder
from duologue.language.meaning import SentenceEncoder
from duologue.models import store
from duologue.models.catalogue import E5

FETCHED = pytest.mark.skipif(not store.installed(E5), reason="duologue models fetch e5")


@pytest.fixture(scope="module")
def sentences() -> SentenceEncoder:
    return SentenceEncoder()


def test_without_weights_the_message_names_the_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DUOLOGUE_MODELS", str(tmp_path))
    with pytest.raises(MissingPartError, match="duologue models fetch e5"):
        SentenceEncoder().encode(["hello"])


def test_changed_weights_are_not_loaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DUOLOGUE_MODELS", str(tmp_path))
    path = store.folder(E5) / E5.files[0].name
    path.parent.mkdir(parents=True)
    path.write_bytes(b"E5S1")
    with pytest.raises(UserError, match="SHA-256 differs"):
        SentenceEncoder().encode(["hello"])


@FETCHED
def test_pieces_are_those_of_the_reference_tokeniser(sentences: SentenceEncoder) -> None:
    # Counts with both marks, as multilingual-e5's own tokeniser (XLM-RoBERTa's SentencePiece) gives them: a plain
    # question, Chinese, full-width and ligature forms that normalisation folds, nothing, a joined emoji.
    texts = (
        "how do I cook rice?",
        "红烧肉怎么做才能又软又不腻？",
        "   A  b ①  ﬁne",
        "",
        "今天天气👩‍🚀 mix English，两种。",
    )
    pieces = sentences._network.pieces
    assert [len(pieces.ids(f"query: {t}")) + 2 for t in texts] == [11, 18, 9, 6, 15]


@FETCHED
def test_meaning_crosses_wording_and_language(sentences: SentenceEncoder) -> None:
    a = sentences.encode(
        [
            "Rinse the rice and simmer it covered for twelve minutes.",
            "Wash the grains, put the lid on and let them cook gently for a dozen minutes.",
            "米饭先淘洗，盖上盖子小火煮十二分钟。",
            "The last train to the coast leaves at ten from platform four.",
        ]
    )
    near = a @ a.T
    assert near[0, 1] > near[0, 3] + 0.05
    assert near[0, 2] > near[0, 3] + 0.05


@FETCHED
def test_vectors_are_equal_on_repeat_and_hardly_move_with_the_company(sentences: SentenceEncoder) -> None:
    texts = ["先把肉焯水", "how do I cook rice?", "先把肉焯水", ""]
    first = sentences.encode(texts, "query")
    assert first.shape == (4, 384) and first.dtype == np.float32
    assert np.array_equal(first, sentences.encode(texts, "query"))
    assert np.array_equal(first[0], first[2])
    alone = np.stack([sentences.encode([t], "query")[0] for t in texts])
    assert np.abs(alone - first).max() < 1e-6
    assert np.linalg.norm(first, axis=1) == pytest.approx(np.ones(4), abs=1e-5)
    assert sentences.encode([]).shape == (0, 384)


@FETCHED
def test_a_text_over_the_window_is_read_to_its_end(sentences: SentenceEncoder) -> None:
    # 530 words of one matter, then 530 of another: the tail has to move the vector.
    rice, trains = "boil rice in a pot " * 106, "the night train was late again " * 106
    a, b, c = sentences.encode([rice, rice + trains, trains])
    assert a @ b < 0.99 and c @ b > c @ a


@pytest.mark.parametrize(
    ("query", "near", "far"),
    [
        ("how do I cook brown rice", "brown rice has to cook longer", "the train leaves at ten"),
        ("红烧肉怎么做", "红烧肉要先焯水", "末班车十点开"),
    ],
)
def test_the_stand_in_sees_shared_letters_and_says_so(query: str, near: str, far: str) -> None:
    encoder: TextEncoder = LexicalEncoder(["how do I get there", "红烧肉怎么做", "what is it"])
    assert encoder.lexical and "lexical" in encoder.name
    q, a, b, nothing = encoder.encode([query, near, far, "…"], "query")
    assert q @ a > 0.1 > q @ b
    assert not nothing.any()


def test_rarity_in_the_background_counts() -> None:
    # "rice" is in every background text, "saffron" in none: the shared rare word outweighs the shared common one.
    encoder = LexicalEncoder(["rice please"] * 20)
    q, rare, common = encoder.encode(["saffron rice", "saffron cake", "plain rice"])
    assert q @ rare > q @ common
