"""Deadlines do not drift, whatever the sleeps do; calls at the same time do not share an instant."""

from __future__ import annotations

import asyncio
import gc
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from duologue.live.clock import Pacer, phase, punctual


class Sleepy:
    """A clock that oversleeps by what it is told, and on which work takes time."""

    def __init__(self, oversleeps: list[float]) -> None:
        self.time = 100.0
        self.oversleeps = iter(oversleeps)
        self.asked: list[float] = []

    def now(self) -> float:
        return self.time

    async def until(self, deadline: float) -> None:
        self.asked.append(deadline)
        self.time = max(self.time, deadline + next(self.oversleeps))


@given(st.lists(st.floats(0, 0.5), min_size=1, max_size=200), st.sampled_from([0.01, 0.02, 0.08]))
def test_every_deadline_is_counted_from_the_origin(oversleeps: list[float], frame: float) -> None:
    clock = Sleepy(oversleeps)
    pacer = Pacer(clock, frame, origin=100.0)

    async def run() -> None:
        for _ in oversleeps:
            await pacer.next()
            pacer.sent()

    asyncio.run(run())
    assert clock.asked == [pytest.approx(100.0 + k * frame, abs=1e-9) for k in range(1, len(oversleeps) + 1)]
    # Lateness never adds up: no frame is later than the worst oversleep, since late frames follow at once.
    assert max(pacer.errors) <= max(oversleeps) + 1e-9


def test_pacing_errors_by_hand() -> None:
    # Deadlines 100.02, 100.04, 100.06; woken 1 ms, 30 ms and 0 ms late: at 100.021, 100.070, and, as that is past the
    # third deadline already, at 100.070 again: 1, 30 and 10 ms late.
    pacer = Pacer(Sleepy([0.001, 0.030, 0.0]), 0.02, origin=100.0)

    async def run() -> list[float]:
        late = []
        for _ in range(3):
            late.append(await pacer.next())
            pacer.sent()
        return late

    assert asyncio.run(run()) == pytest.approx([0.001, 0.030, 0.010])
    assert pacer.percentile(100) == pytest.approx(30.0)
    assert pacer.percentile(50) == pytest.approx(10.0)


@given(st.integers(1, 300))
def test_phases_fill_a_frame_evenly(calls: int) -> None:
    phases = sorted(phase(i, 0.02) for i in range(calls))
    assert all(0 <= p < 0.02 for p in phases)
    # The three-distance theorem: multiples of the golden ratio leave no gap above 2.62 times the even one.
    gaps = [b - a for a, b in zip(phases, [*phases[1:], phases[0] + 0.02], strict=True)]
    assert max(gaps) <= 2.62 * 0.02 / calls + 1e-9


def test_punctual_leaves_the_process_as_it_was() -> None:
    interval, frozen = sys.getswitchinterval(), gc.get_freeze_count()
    with pytest.raises(RuntimeError), punctual():
        assert sys.getswitchinterval() < interval
        raise RuntimeError
    assert sys.getswitchinterval() == pytest.approx(interval)
    assert gc.get_freeze_count() == frozen
