"""Simulated rooms: a shoebox per id, with fixed spots where speakers can stand."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from duologue.errors import MissingPartError, UserError
from duologue.generate.acoustics.kernel import IDENTITY, RATE, Kernel, chain, kernel
from duologue.generate.acoustics.line import off_axis, telephone
from duologue.generate.range import Range
from duologue.generate.seeds import derive, stream

SPEED = 343.0  # m/s
SPOTS = 12
WALL = 0.25  # m kept free along the walls
ORDER = 8  # of the image sources that are computed one by one
MARGIN = 16  # samples kept before the direct path (the rise of the simulator's fractional delay)


@dataclass(frozen=True, slots=True)
class Spot:
    """A place in a room at ``xyz`` metres, ``distance`` metres from the microphone."""

    distance: float
    xyz: tuple[float, float, float]


@dataclass(frozen=True, slots=True)
class Room:
    """A box of ``size`` metres with reverberation time ``rt60`` seconds, microphone at ``mic``, spots by distance."""

    id: str
    size: tuple[float, float, float]
    rt60: float
    mic: tuple[float, float, float]
    spots: tuple[Spot, ...]


@lru_cache(maxsize=4096)
def room(room_id: str, rt60: Range) -> Room:
    """The room that ``room_id`` ("shoebox-017") names: a function of the id and the range of ``rt60`` alone."""
    name, _, number = room_id.rpartition("-")
    if name != "shoebox" or not number.isdigit():
        raise UserError("unknown room", field="room", value=room_id, allowed="shoebox-000, shoebox-001...")
    rng = stream(0, "room", room_id)
    size = (rng.uniform(3.0, 8.0), rng.uniform(2.8, 6.0), rng.uniform(2.4, 3.4))
    # Sabine: no real wall absorbs more than 0.9 of what meets it, which bounds how dry a large room can be.
    volume = size[0] * size[1] * size[2]
    surface = 2.0 * (size[0] * size[1] + size[0] * size[2] + size[1] * size[2])
    driest = 0.161 * volume / (0.9 * surface)
    decay = max(rng.uniform(*rt60), driest)
    mic = (
        rng.uniform(0.25, 0.75) * size[0],
        rng.uniform(0.25, 0.75) * size[1],
        rng.uniform(0.7, 1.5),
    )
    spots: list[Spot] = []
    for i in range(SPOTS):
        # Log-spaced from 0.25 m to the walls; each takes the first bearing that lies inside.
        wanted = 0.25 * (5.0 / 0.25) ** (i / (SPOTS - 1)) * rng.uniform(0.9, 1.1)
        bearing, height = rng.randrange(360), min(rng.uniform(1.0, 1.7), size[2] - WALL)
        for turn in range(0, 360, 15):
            angle = math.radians(bearing + turn)
            flat = math.sqrt(max(wanted**2 - (height - mic[2]) ** 2, 0.01))
            xyz = (mic[0] + flat * math.cos(angle), mic[1] + flat * math.sin(angle), height)
            if all(WALL <= x <= side - WALL for x, side in zip(xyz, size, strict=True)):
                spots.append(Spot(math.dist(xyz, mic), xyz))
                break
    return Room(room_id, size, decay, mic, tuple(sorted(spots, key=lambda s: s.distance)))


@lru_cache(maxsize=512)
def impulse_response(room_id: str, rt60: Range, spot: int) -> Kernel:
    """Spot ``spot`` heard at the microphone, direct path at 1 and at lag 0 (the kernel's lead).

    Image sources up to order 8 (pyroomacoustics), then a tail of Gaussian noise that decays 60 dB in rt60 (a
    diffuse field; Polack 1988), joined at equal energy where the images thin out. High-order image sources of a
    long decay would cost a hundred times as much.
    """
    try:
        import pyroomacoustics
    except ModuleNotFoundError as error:
        raise MissingPartError(
            "simulated rooms need pyroomacoustics",
            field="acoustics.room_share",
            mend="pip install 'duologue[rooms]', or set room_share to 0",
        ) from error
    box = room(room_id, rt60)
    volume = box.size[0] * box.size[1] * box.size[2]
    surface = 2.0 * (box.size[0] * box.size[1] + box.size[0] * box.size[2] + box.size[1] * box.size[2])
    # Eyring's formula, which also holds for absorbent rooms.
    absorption = 1.0 - math.exp(-0.161 * volume / (surface * box.rt60))
    shoebox = pyroomacoustics.ShoeBox(
        box.size, fs=RATE, materials=pyroomacoustics.Material(absorption), max_order=ORDER, air_absorption=False
    )
    shoebox.add_source(box.spots[spot].xyz)
    shoebox.add_microphone(box.mic)
    shoebox.compute_rir()
    early = np.asarray(shoebox.rir[0][0], np.float64)
    arrival = int(np.argmax(np.abs(early[: int(box.spots[spot].distance / SPEED * RATE) + 60])))
    begin = max(0, arrival - MARGIN)
    early = early[begin:] / early[arrival]
    lead = arrival - begin
    # Beyond this time images of a higher order would arrive that were not computed.
    join = lead + int(ORDER * min(box.size) / SPEED * RATE * 0.9)
    length = max(lead + int(box.rt60 * RATE), join + 1)
    taps = np.zeros(length)
    taps[: min(join, len(early))] = early[: min(join, len(early))]
    window = slice(max(lead + 1, join - 480), join)
    noise = np.random.Generator(np.random.PCG64(derive(0, "tail", room_id, spot))).standard_normal(length - join)
    level = math.sqrt(float(np.mean(taps[window] ** 2)))
    decay = 10.0 ** (-3.0 * np.arange(240, length - join + 240) / (box.rt60 * RATE))
    taps[join:] = noise * level * decay
    return kernel(taps, lead)


@lru_cache(maxsize=512)
def path(room_id: str, rt60: Range, spot: int, azimuth: int, band: str) -> Kernel:
    """The whole path of a speaker: head turned by ``azimuth``, room ("" for none, ``spot`` then unused), line."""
    parts: list[Kernel] = []
    if azimuth:
        parts.append(off_axis(azimuth))
    if room_id:
        parts.append(impulse_response(room_id, rt60, spot))
    if band == "telephone":
        parts.append(telephone())
    return chain(*parts) if parts else IDENTITY
