from itertools import pairwise
from random import Random

import numpy as np
import pytest

from duologue.generate.acoustics.line import echo_path, lost_packets


@pytest.mark.parametrize("share", [0.0, 0.02, 0.2])
def test_losses_make_up_their_share_in_bursts_on_the_packet_grid(share: float) -> None:
    lost, total = 0, 0
    for seed in range(200):
        spans = lost_packets(320_000, share, 0.1, Random(seed))
        assert all((b - a) == 1600 and a % 320 == 0 for a, b in spans)
        assert all(a[1] <= b[0] for a, b in pairwise(spans))
        lost, total = lost + sum(b - a for a, b in spans), total + 320_000
    assert lost / total == pytest.approx(share, rel=0.05, abs=1e-9)


def test_nothing_is_lost_from_what_is_shorter_than_a_burst() -> None:
    assert lost_packets(1000, 1.0, 0.1, Random(0)) == []


def test_an_echo_comes_as_late_as_its_delay_with_unit_level() -> None:
    path = echo_path(800, "wide")
    assert int(np.argmax(np.abs(path.taps))) - path.lead == pytest.approx(800, abs=3)
    assert 0.4 < np.sum(path.taps**2) < 1.2
