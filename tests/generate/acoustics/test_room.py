import sys

import numpy as np
import pytest

from duologue.errors import MissingPartError, UserError
from duologue.generate.acoustics import room as module
from duologue.generate.acoustics.room import WALL, impulse_response, path, room

RT60 = (0.15, 0.6)


def test_rooms_follow_from_their_id_and_differ() -> None:
    rooms = [room(f"shoebox-{i:03d}", RT60) for i in range(60)]
    room.cache_clear()
    assert room("shoebox-007", RT60) == rooms[7]
    assert len({r.size for r in rooms}) == 60
    for r in rooms:
        assert 0.15 <= r.rt60 <= 0.6 and len(r.spots) >= 6
        assert r.spots[0].distance < 0.6 and r.spots[-1].distance > 1.0
        for spot in r.spots:
            assert all(WALL <= x <= side - WALL for x, side in zip(spot.xyz, r.size, strict=True))
            assert np.linalg.norm(np.subtract(spot.xyz, r.mic)) == pytest.approx(spot.distance)


def test_the_direct_path_lies_at_lag_zero_with_unit_gain() -> None:
    pytest.importorskip("pyroomacoustics")
    for i in range(12):
        response = impulse_response(f"shoebox-{i:03d}", RT60, i % 6)
        assert response.taps[response.lead] == pytest.approx(1.0)
        assert response.lead <= 16
        # Nothing but the rise of the direct sound comes before it.
        assert np.sum(response.taps[: response.lead - 8] ** 2) < 0.05


def test_reverberation_decays_as_fast_as_it_says() -> None:
    pytest.importorskip("pyroomacoustics")
    errors = []
    for i in range(16):
        r = room(f"shoebox-{i:03d}", RT60)
        response = impulse_response(r.id, RT60, len(r.spots) // 2)
        energy = np.cumsum(response.taps[::-1].astype(float) ** 2)[::-1]
        level = 10 * np.log10(energy / energy[0])
        t20 = 3 * (np.argmax(level < -25) - np.argmax(level < -5)) / 16_000
        errors.append(t20 / r.rt60)
    assert np.median(errors) == pytest.approx(1.0, abs=0.1)
    assert min(errors) > 0.7 and max(errors) < 1.4


def test_farther_spots_are_more_reverberant() -> None:
    pytest.importorskip("pyroomacoustics")

    def direct_to_reverberant(spot: int) -> float:
        h = impulse_response("shoebox-004", RT60, spot)
        near = slice(max(0, h.lead - 16), h.lead + 40)
        return float(np.sum(h.taps[near] ** 2) / (np.sum(h.taps**2) - np.sum(h.taps[near] ** 2)))

    spots = len(room("shoebox-004", RT60).spots)
    assert direct_to_reverberant(0) > 4 * direct_to_reverberant(spots - 1)


def test_turning_away_darkens_the_voice() -> None:
    front, behind = path("", RT60, -1, 0, "wide"), path("", RT60, -1, 150, "wide")
    gain = np.abs(np.fft.rfft(behind.taps, 1024)) / np.abs(np.fft.rfft(front.taps, 1024))
    assert gain[10] == pytest.approx(1.0, abs=0.05)
    assert 0.3 < gain[400] < 0.6


def test_a_telephone_path_passes_its_band_only() -> None:
    gain = 20 * np.log10(np.abs(np.fft.rfft(path("", RT60, -1, 0, "telephone").taps, 16_000)) + 1e-9)
    assert np.all(np.abs(gain[420:3200]) < 1.5)
    assert np.all(gain[:150] < -20) and np.all(gain[4000:] < -35)


@pytest.mark.parametrize("name", ["shoebox-", "hall-001", "shoebox-x", ""])
def test_an_unknown_room_is_named(name: str) -> None:
    with pytest.raises(UserError, match="room"):
        room(name, RT60)


def test_without_the_simulator_the_message_names_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    module.impulse_response.cache_clear()
    monkeypatch.setitem(sys.modules, "pyroomacoustics", None)
    with pytest.raises(MissingPartError, match=r"duologue\[rooms\]"):
        impulse_response("shoebox-001", RT60, 0)
