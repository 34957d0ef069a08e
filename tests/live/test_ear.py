"""Edges of sound in a stream, to the sample."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from duologue.live.ear import Ear, Edge

RATE = 1000


def sound(*spans: tuple[int, int], length: int) -> np.ndarray:
    pcm = np.zeros(length, np.int16)
    for a, b in spans:
        pcm[a:b] = 8000
    return pcm


def test_edges_by_hand() -> None:
    # Sound in 100..300 and, after 100 ms, in 400..500: one stretch, as 100 ms is below the hang of 200 ms. Silence
    # from 500 on is certain at 700.
    ear = Ear(RATE, hang=0.2)
    pcm = sound((100, 300), (400, 500), length=699)
    assert ear.feed(pcm) == [Edge("onset", 100)]
    assert ear.speaking and ear.last_loud == 500
    assert ear.feed(np.zeros(1, np.int16)) == [Edge("offset", 500)]
    assert not ear.speaking


def test_quiet_is_not_sound_and_full_scale_is() -> None:
    # -45 dB of full scale is 32768 * 10^(-45/20) = 184.3, rounded to 184.
    ear = Ear(RATE)
    assert ear.feed(np.full(50, 183, np.int16)) == []
    assert ear.feed(np.array([-32768], np.int16)) == [Edge("onset", 50)]
    assert Ear(RATE).feed(np.array([0, -184], np.int16)) == [Edge("onset", 1)]


@given(
    st.lists(st.tuples(st.integers(1, 400), st.integers(1, 400)), max_size=8),
    st.lists(st.integers(1, 300), min_size=1, max_size=50),
)
def test_edges_do_not_depend_on_the_cuts(runs: list[tuple[int, int]], cuts: list[int]) -> None:
    at, spans = 0, []
    for silence, loud in runs:
        spans.append((at + silence, at + silence + loud))
        at += silence + loud
    pcm = sound(*spans, length=at + 300)
    whole = Ear(RATE, hang=0.15).feed(pcm)
    ear, found, start = Ear(RATE, hang=0.15), [], 0
    for k in range(len(pcm)):
        size = cuts[k % len(cuts)]
        found += ear.feed(pcm[start : start + size])
        start += size
        if start >= len(pcm):
            break
    assert found == whole
    # Onsets and offsets take turns, and enclose every loud sample.
    assert [e.kind for e in whole] == ["onset", "offset"] * (len(whole) // 2)
    covered = np.zeros(len(pcm), bool)
    for a, b in zip(whole[::2], whole[1::2], strict=True):
        covered[a.sample : b.sample] = True
        assert pcm[a.sample] and pcm[b.sample - 1]
    assert covered[pcm != 0].all()
