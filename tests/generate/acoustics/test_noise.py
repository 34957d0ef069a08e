from pathlib import Path

import numpy as np
import pytest
import soundfile

from duologue.errors import UserError
from duologue.generate.acoustics.noise import TONES, bank, excerpt, over_line, room_tone
from duologue.generate.acoustics.pools import noise_pool, room_pool
from duologue.generate.acoustics.settings import NOISE_KINDS, AcousticsSettings

ESC10 = Path(__file__).parents[4] / "shared/data/esc10_noise"


@pytest.mark.parametrize("kind", NOISE_KINDS)
def test_every_generator_fills_the_bank_without_clipping_and_without_a_seam(kind: str) -> None:
    wave = bank(f"gen:{kind}-02")
    assert wave.dtype == np.int16 and len(wave) == 60 * 16_000
    assert np.sqrt(np.mean(wave.astype(float) ** 2)) == pytest.approx(2000, rel=0.01)
    assert np.mean(np.abs(wave) == 32767) < 1e-4
    # The step from the last sample to the first is like any other step.
    steps = np.abs(np.diff(wave.astype(float)))
    assert abs(float(wave[0]) - float(wave[-1])) <= np.quantile(steps, 0.99999) + 1
    # No quarter of a second is much softer than the rest: nothing like digital silence inside.
    blocks = np.sqrt(np.mean(wave.reshape(-1, 4000).astype(float) ** 2, axis=1))
    assert blocks.min() > 2000 * 10 ** (-30 / 20)


def test_variants_and_kinds_sound_different_and_equal_ids_are_equal() -> None:
    def look(noise_id: str) -> np.ndarray:
        power = np.abs(np.fft.rfft(bank(noise_id).astype(float).reshape(-1, 1600), axis=1)) ** 2
        return 10 * np.log10(power.mean(axis=0)[1:])

    assert np.mean(np.abs(look("gen:pink-00") - look("gen:pink-01"))) > 0.5
    assert np.mean(np.abs(look("gen:rain-00") - look("gen:brown-00"))) > 5
    first = bank("gen:fan-04").copy()
    bank.cache_clear()
    assert np.array_equal(first, bank("gen:fan-04"))


def test_speech_like_noise_moves_at_the_rate_of_syllables() -> None:
    def modulation(noise_id: str) -> float:
        level = np.sqrt(np.mean(bank(noise_id).astype(float).reshape(-1, 320) ** 2, axis=1))
        return float(np.std(level) / np.mean(level))

    assert modulation("gen:babble-01") > 2 * modulation("gen:pink-01")


@pytest.mark.parametrize("noise_id", ["gen:thunder-01", "gen:", "file:", "x", ""])
def test_an_unknown_noise_is_named(noise_id: str) -> None:
    with pytest.raises(UserError, match="noise"):
        bank(noise_id)


def test_an_excerpt_has_rms_one_and_goes_round() -> None:
    source = np.arange(1, 11, dtype=np.int16)
    piece = excerpt(source, 7, 15)
    assert np.sqrt(np.mean(piece**2)) == pytest.approx(1.0, rel=1e-5)
    assert piece / piece[0] * 8 == pytest.approx(np.array([8, 9, 10, *range(1, 11), 1, 2]), rel=1e-5)


def test_room_tone_tells_no_split_by_its_spectrum_and_shares_no_sample() -> None:
    for tone in range(TONES):
        a, b = (room_tone(tone, split).astype(float) for split in ("train", "test"))
        assert abs(np.corrcoef(a, b)[0, 1]) < 0.2
        pa, pb = (10 * np.log10(np.mean(np.abs(np.fft.rfft(x.reshape(-1, 320), axis=1)) ** 2, axis=0)) for x in (a, b))
        assert np.max(np.abs(pa - pb)[1:]) < 1.0


def test_a_telephone_line_takes_what_lies_outside_its_band() -> None:
    power = np.abs(np.fft.rfft(over_line("gen:pink-03").astype(float).reshape(-1, 16_000), axis=1)) ** 2
    level = 10 * np.log10(power.mean(axis=0) + 1e-9)
    assert level[100] < level[1000] - 20 and level[5000] < level[1000] - 30


def test_a_folder_of_recordings_is_a_pool(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    (tmp_path / "雨").mkdir()
    soundfile.write(tmp_path / "雨" / "a b.wav", rng.standard_normal((44_100, 2)) * 0.1, 44_100)
    soundfile.write(tmp_path / "short.flac", rng.standard_normal(500) * 0.1, 16_000)
    (tmp_path / "notes.txt").write_text("not a sound")
    settings = AcousticsSettings(noise_folder=str(tmp_path))
    assert noise_pool(settings) == ("file:short.flac", "file:雨/a b.wav")
    for noise_id in noise_pool(settings):
        wave = bank(noise_id, str(tmp_path))
        assert np.sqrt(np.mean(wave.astype(float) ** 2)) == pytest.approx(2000, rel=0.02)


@pytest.mark.parametrize("content", ["silent", "nan", "text"])
def test_a_recording_that_is_no_noise_is_named(tmp_path: Path, content: str) -> None:
    path = tmp_path / "bad.wav"
    if content == "text":
        path.write_text("hello")
    else:
        soundfile.write(path, np.full(8000, np.nan if content == "nan" else 0.0), 16_000, subtype="FLOAT")
    with pytest.raises(UserError, match=r"bad\.wav"):
        bank("file:bad.wav", str(tmp_path))


def test_a_folder_that_is_empty_or_missing_is_named(tmp_path: Path) -> None:
    for folder in (tmp_path, tmp_path / "none"):
        with pytest.raises(UserError, match="noise_folder"):
            noise_pool(AcousticsSettings(noise_folder=str(folder)))


@pytest.mark.skipif(not ESC10.is_dir(), reason="the recordings of esc10_noise are not here")
def test_real_recordings_of_any_format_become_banks() -> None:
    pool = noise_pool(AcousticsSettings(noise_folder=str(ESC10)))
    assert len(pool) == 60
    for noise_id in pool[::6]:
        assert len(bank(noise_id, str(ESC10))) > 16_000


def test_pools_are_stable_and_as_large_as_the_settings_say() -> None:
    settings = AcousticsSettings(noise_kinds=("pink", "rain"), noise_variants=2, rooms=3)
    assert noise_pool(settings) == ("gen:pink-00", "gen:pink-01", "gen:rain-00", "gen:rain-01")
    assert room_pool(settings) == ("shoebox-000", "shoebox-001", "shoebox-002")
