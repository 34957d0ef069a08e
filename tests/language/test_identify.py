from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from duologue.language.identify import identify


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("好", "zh"),
        ("3点", "zh"),
        ("用App买票", "zh"),
        ("打开 settings 里的 privacy", "zh"),
        ("你可以用Google Maps导航到Central Park", "zh"),
        ("ok", "en"),
        ("Tokyo", "en"),
        ("naïve café", "en"),
        ("rinse rice boil water", "en"),
        ("Don't overfill it, it's hot", "en"),
        ("我们先 boil the water and then 加盐", "mixed"),
        ("Bonjour je suis content de vous voir", "other"),
        ("das ist nicht gut", "other"),
        ("これは日本語です", "other"),
        ("この", "other"),
        ("Привет, как дела", "other"),
        ("안녕하세요", "other"),
        ("brt krs plt dfg zx", "other"),
        ("", "none"),
        ("12 34", "none"),
        ("……", "none"),
    ],
)
def test_the_language_of_short_texts(text: str, language: str) -> None:
    assert identify(text).language == language


@given(st.text(max_size=60))
def test_shares_are_shares_whatever_the_text(text: str) -> None:
    found = identify(text)
    total = found.zh + found.en + found.other
    assert all(0 <= s <= 1 for s in (found.zh, found.en, found.other))
    assert total == pytest.approx(0 if found.language == "none" else 1)
