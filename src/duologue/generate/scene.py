"""From a script and voices to two-channel audio and a fully annotated dialogue.

Channel 0 is the user's microphone: user, third party, addressee, the room's noise, the echo of the system; never
digital silence. Channel 1 is what the system sends: its own clean speech, digital silence between its turns, as a
playback stream has it. Single clips of track 1 have channel 0 alone. All speech is rendered once; a twin is
another sum of the same arrays, so that it is sample-identical wherever the same sounds meet.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from duologue.corpus.acoustics import Acoustics, Position
from duologue.corpus.dialogue import Dialogue
from duologue.corpus.emotion import DUOLOGUE
from duologue.corpus.speaker import Role
from duologue.errors import UserError
from duologue.generate.acoustics.kernel import IDENTITY, RATE, Kernel, Samples
from duologue.generate.acoustics.level import CEILING, active_energy, amplitude, decibel, peak, soften
from duologue.generate.acoustics.line import echo_path, lost_packets
from duologue.generate.acoustics.noise import TONES, bank, excerpt, over_line, room_tone
from duologue.generate.acoustics.room import path, room
from duologue.generate.acoustics.settings import AcousticsSettings
from duologue.generate.annotate import Made, annotate, speaker_id
from duologue.generate.emotion_prosody import changed, draw
from duologue.generate.item import CastMember, Item
from duologue.generate.prosody import Prosody
from duologue.generate.script import Line, Script
from duologue.generate.seeds import derive, stream
from duologue.generate.timing import Timeline, TimingSettings, Utterance, arrange
from duologue.generate.utterance import Spoken, speak
from duologue.generate.voices.voice import LEVEL_DB, Voice
from duologue.recordings.manifest import key_of

SCENE_VERSION = "2"
PCM = npt.NDArray[np.int16]
QUIETEST = amplitude(-84.0)  # noise below 2 units of int16 would leave digital zeros


class SceneSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The part of a recipe that scenes read."""

    timing: TimingSettings = TimingSettings()
    acoustics: AcousticsSettings = AcousticsSettings()


@dataclass(frozen=True, slots=True)
class Take:
    """One file's audio: int16 [frames, channels]."""

    audio_id: str
    samples: PCM
    sample_rate: int


@dataclass(frozen=True, slots=True)
class Scene:
    """A dialogue whose ``audio`` entries lack path and hashes, and the takes they describe, in the same order."""

    dialogue: Dialogue
    takes: tuple[Take, ...]


def compose(item: Item, script: Script, voices: Mapping[str, Voice], settings: SceneSettings) -> Scene:
    """Speak, time, place and mix ``script`` as ``item`` says; ``voices`` by name.

    A function of its arguments: equal arguments give equal samples and annotation, in any order, in any process.
    Raises UserError where a line's role has no voice, MissingPartError where a room wants pyroomacoustics.
    """
    return _Composer(item, script, voices, settings).scene()


@dataclass(slots=True, eq=False)
class _Sound:
    """Samples to be added to ``channel`` from sample ``at`` on. Piece ``part`` of line ``line``."""

    line: int
    part: int
    channel: int
    at: int
    samples: Samples
    dry: Samples
    dry_at: int


class _Composer:
    def __init__(self, item: Item, script: Script, voices: Mapping[str, Voice], settings: SceneSettings) -> None:
        self.item, self.script, self.voices, self.settings = item, script, voices, settings
        self.lines = script.lines
        self.cast: dict[Role, CastMember] = {c.role: c for c in item.cast}
        self.draws: dict[str, Any] = {}
        self.mono = item.track == "emotion" and all(line.role != "system" for line in self.lines)

    def scene(self) -> Scene:
        self.spoken = self._speak()
        self.timeline = self._arrange()
        self._place_speakers()
        sounds, rest = self._render()
        twin = self._twin_sounds(sounds, rest) if self.item.twin else []
        takes, differs = self._mix(sounds, twin)
        made = Made(
            item=self.item,
            script=self.script,
            cast=self.cast,
            voices=self.voices,
            spoken=self.spoken,
            timeline=self.timeline,
            mono=self.mono,
            differs=differs,
            takes=tuple((t.audio_id, len(t.samples)) for t in takes),
            acoustics=self._acoustics(),
            draws=self.draws,
            version=SCENE_VERSION,
        )
        return Scene(annotate(made), takes)

    # -- speech ---------------------------------------------------------------------------------------------

    def _speak(self) -> list[Spoken]:
        return [self._say(i, line) for i, line in enumerate(self.lines)]

    def _say(self, i: int, line: Line) -> Spoken:
        member = self.cast.get(line.role)
        if member is None or member.voice not in self.voices:
            raise UserError(
                f"line {i} is spoken by the {line.role}, who has no voice",
                where=f"dialogue {self.item.id}",
                field="cast",
                value=member.voice if member else line.role,
                allowed=", ".join(self.voices),
            )
        rng = stream(self.item.seed, "prosody", i)
        label, taxonomy = line.feeling.heard, self.item.brief.taxonomy or DUOLOGUE
        prosody = draw(taxonomy.like(label), line.feeling.intensity, member.sex, rng)
        if label != "neutral" and (own := taxonomy.of(label).prosody):
            prosody = changed(prosody, own)
        if line.emphasis is not None:
            lift = prosody.emphasis_st or rng.uniform(1.0, 3.0)
            prosody = msgspec.structs.replace(prosody, emphasis=line.emphasis, emphasis_st=lift)
        key = "" if member.synthetic else key_of(self.item.id, i)
        return speak(
            self.voices[member.voice],
            line.text,
            line.pause_at,
            language=self.script.language,
            speaker=member.speaker,
            # A person has been told the feeling, and has the prosody already.
            prosody=Prosody() if key else prosody,
            seed=derive(self.item.seed, "voice", i),
            key=key,
            feeling=label,
        )

    def _arrange(self) -> Timeline:
        quiet = {e.line for e in self.script.events if "wait" in e.expected and "respond" not in e.expected}
        utterances = [
            Utterance(
                role=line.role,
                kind=line.kind,
                length=spoken.length,
                over=line.over,
                boundaries=tuple(w.end for w in spoken.words),
                clause=spoken.clause,
                pauses=spoken.pauses,
                silences=i in quiet,
            )
            for i, (line, spoken) in enumerate(zip(self.lines, self.spoken, strict=True))
        ]
        who = self.cast.get("user"), self.cast.get("system")
        return arrange(
            utterances,
            self.settings.timing,
            language=self.script.language,
            dyad=(speaker_id(who[0]) if who[0] else "", speaker_id(who[1]) if who[1] else ""),
            rng=stream(self.item.seed, "timing"),
            sample_rate=RATE,
        )

    # -- the room -------------------------------------------------------------------------------------------

    def _place_speakers(self) -> None:
        """Draw where everybody is: kernels and gains by role, "aside" for the user turned away."""
        a, item = self.settings.acoustics, self.item
        rng = stream(item.seed, "positions")
        self.positions: dict[str, Position] = {}
        self.kernels: dict[str, Kernel] = {}
        self.rt60 = room(item.room, a.rt60).rt60 if item.room else 0.0
        taken: list[int] = []
        ranges = {
            "user": a.user_distance,
            "aside": a.user_distance,
            "third_party": a.third_party_distance,
            "addressee": a.addressee_distance,
        }
        near = 1.0
        for name, span in ranges.items():
            # Everybody is drawn in every dialogue, so that a twin or another script moves nobody.
            distance = math.exp(rng.uniform(math.log(span[0]), math.log(span[1])))
            facing, effort, aside_gain = (
                rng.gauss(0.0, 1.0),
                rng.gauss(0.0, a.effort_sd_db),
                rng.uniform(*a.aside_gain_db),
            )
            turned = rng.uniform(40.0, 150.0)
            spot = -1
            if item.room:
                spots = room(item.room, a.rt60).spots
                free = [s for s in range(len(spots)) if s not in taken]
                spot = min(free, key=lambda s: abs(math.log(spots[s].distance / distance)))
                taken.append(spot)
                distance = spots[spot].distance
            if name == "user":
                near = distance
                azimuth, gain = abs(facing) * 15.0, 0.0
            elif name == "aside":
                azimuth, gain = turned, aside_gain
            else:
                azimuth = min(180.0, abs(facing) * 70.0)
                gain = max(-15.0, min(9.0, 20.0 * math.log10(near / distance))) + effort
            azimuth = min(180, round(azimuth / 10.0) * 10)
            role = "user" if name == "aside" else name
            if role in {line.role for line in self.lines} and (
                name != "aside" or any(line.kind == "others_directed" for line in self.lines)
            ):
                self.kernels[name] = path(item.room, a.rt60, spot, azimuth, item.band)
                self.positions[name] = Position(
                    speaker=role,
                    distance=round(distance, 3),
                    azimuth=float(azimuth),
                    gain_db=round(gain, 2),
                )
        self.kernels["system"] = IDENTITY

    def _acoustics(self) -> Acoustics:
        item = self.item
        return Acoustics(
            noise=item.noise,
            noise_source="" if not item.noise else "generated" if item.noise.startswith("gen:") else "recorded",
            snr_db=item.snr_db if item.noise else None,
            room=item.room,
            rt60=round(self.rt60, 4),
            positions=tuple(self.positions.values()),
            band="telephone" if item.band == "telephone" else "wide",
            packet_loss=item.packet_loss,
            echo_db=item.echo_db if not self.mono else None,
        )

    # -- sounds ---------------------------------------------------------------------------------------------

    def _render(self) -> tuple[list[_Sound], list[_Sound]]:
        """All sounds of the main take, levelled; and the rests of lines that broke off, for a twin."""
        parts: list[list[tuple[int, Samples]]] = []
        wet: list[list[Samples]] = []
        loud: list[tuple[float, int]] = []
        kernels: list[Kernel] = []
        for line, spoken, place in zip(self.lines, self.spoken, self.timeline.placements, strict=True):
            cuts = [(p, JOIN) for p in spoken.pauses]
            if place is not None and place.cut is not None:
                cuts = [c for c in cuts if c[0] < place.cut[0]] + [place.cut]
            kernel = self.kernels.get("aside" if line.kind == "others_directed" else line.role, IDENTITY)
            pieces = spoken.pieces(cuts) if place is not None else []
            sounds = [kernel.apply(piece) for _, piece in pieces]
            energy, count = 0.0, 0
            for sound, (_, piece) in zip(sounds, pieces, strict=True):
                e, n = active_energy(sound[kernel.lead : kernel.lead + len(piece)])
                energy, count = energy + e, count + n
            kernels.append(kernel)
            parts.append(pieces)
            wet.append(sounds)
            loud.append((energy, count))
        gains = self._gains(loud)
        main: list[_Sound] = []
        rest: list[_Sound] = []
        for i, place in enumerate(self.timeline.placements):
            if place is None:
                continue
            channel = 1 if self.lines[i].role == "system" else 0
            start, late = place.start - self.spoken[i].lead, 0
            for k, ((offset, piece), sound) in enumerate(zip(parts[i], wet[i], strict=True)):
                sound *= np.float32(gains[i])
                if k and k <= len(place.pauses):
                    late += place.pauses[k - 1]
                at = start + offset + late
                made = _Sound(i, k, channel, at - kernels[i].lead, sound, piece, at)
                (rest if place.cut is not None and k == len(parts[i]) - 1 else main).append(made)
        self.gains = gains
        self._echo(main, rest)
        return main, rest

    def _gains(self, loud: list[tuple[float, int]]) -> list[float]:
        """Amplitude per line. A speaker's neutral level is brought to the drawn one; emotion moves lines about it.

        People's lines keep their levels among each other: one gain for all of a person's.
        """
        a, rng = self.settings.acoustics, stream(self.item.seed, "levels")
        user_db, system_db = rng.uniform(*a.level_db), rng.uniform(*a.system_level_db)
        self.draws["level_db"], self.draws["system_level_db"] = round(user_db, 2), round(system_db, 2)
        neutral: dict[str, list[float]] = {}
        for line, spoken, (energy, count) in zip(self.lines, self.spoken, loud, strict=True):
            if energy > 0:
                level = 10.0 * math.log10(energy / count) - spoken.prosody.gain
                neutral.setdefault(line.role, []).append(level)
        people = {role for role, member in self.cast.items() if not member.synthetic}
        middle = {r: LEVEL_DB if r in people else float(np.median(levels)) for r, levels in neutral.items()}
        gains: list[float] = []
        relative: list[float] = []
        for line, spoken in zip(self.lines, self.spoken, strict=True):
            jitter, soft = rng.gauss(0.0, a.utterance_sd_db), decibel(rng.uniform(*a.backchannel_gain))
            if line.role in people:
                jitter = soft = 0.0
            db = (system_db if line.role == "system" else user_db) - middle.get(line.role, 0.0)
            db += soften(spoken.prosody.gain, a.emotion_limit_db) - spoken.prosody.gain
            if line.role != "system":
                here = self.positions.get("aside" if line.kind == "others_directed" else line.role)
                extra = jitter + (here.gain_db if here else 0.0) + (soft if line.kind == "backchannel" else 0.0)
                db += extra
                relative.append(round(extra, 2))
            else:
                relative.append(0.0)
            gains.append(amplitude(db))
        self.draws["line_gain_db"] = relative
        ordinary = [
            (energy * gain**2, count)
            for line, gain, (energy, count) in zip(self.lines, gains, loud, strict=True)
            if line.role == "user" and line.kind in ("turn", "interruption") and count
        ]
        total = sum(n for _, n in ordinary)
        self.user_rms = math.sqrt(sum(e for e, _ in ordinary) / total) if total else amplitude(user_db)
        return gains

    def _echo(self, main: list[_Sound], rest: list[_Sound]) -> None:
        """The system's sounds once more, late and faint, in channel 0."""
        if self.item.echo_db is None or self.mono:
            return
        a = self.settings.acoustics
        delay = round(stream(self.item.seed, "echo").uniform(*a.echo_delay) * RATE)
        self.draws["echo_delay"] = round(delay / RATE, 4)
        kernel = echo_path(delay // 16 * 16, self.item.band)
        level = np.float32(amplitude(self.item.echo_db))
        for sounds in (main, rest):
            for s in [s for s in sounds if s.channel == 1]:
                heard = kernel.apply(s.samples)
                heard *= level
                sounds.append(_Sound(s.line, s.part, 0, s.at - kernel.lead, heard, s.dry[:0], s.dry_at))

    # -- twins ----------------------------------------------------------------------------------------------

    def _twin_sounds(self, sounds: list[_Sound], rest: list[_Sound]) -> list[_Sound]:
        """The same dialogue without its events; [] where there is none to leave out.

        After the first interruption the answer runs on to its end and nobody says any more. Backchannels, third
        parties and asides with their replies are left out. A paused sentence is spoken through, and all that
        follows comes earlier by the pause.
        """
        places = self.timeline.placements
        gone: set[int] = set()
        through: set[int] = set()
        ends: list[tuple[int, int]] = []  # (interrupting line, interrupted line)
        for event in self.script.events:
            line, place = self.lines[event.line], places[event.line]
            if place is None:
                continue
            if event.halts:
                through.add(event.line)
            elif line.kind == "interruption":
                if place.over is not None:
                    ends.append((event.line, place.over))
            elif line.kind in ("backchannel", "third_party", "others_directed"):
                gone.add(event.line)
                follower = event.line + 1
                while line.kind == "others_directed" and follower < len(self.lines):
                    if self.lines[follower].role != "addressee" and self.lines[follower].to != "addressee":
                        break
                    gone.add(follower)
                    follower += 1
        whole: set[int] = set()
        if ends:
            stop, host = min(ends)
            begin = places[stop].start  # type: ignore[union-attr]
            gone |= {i for i, p in enumerate(places) if p is not None and (i == stop or p.start >= begin)}
            whole.add(host)
        if not (gone or whole or any(places[i].pauses for i in through if places[i])):  # type: ignore[union-attr]
            return []
        # When each spared pause ends, and by how much all that begins later moves.
        spared: list[tuple[int, int]] = []
        for i in through - gone:
            place = places[i]
            if place is not None:
                late = 0
                for point, pause in zip(self.spoken[i].pauses, place.pauses, strict=True):
                    spared.append((place.start + point + late, pause))
                    late += pause
        twin: list[_Sound] = []
        for s in sounds + [r for r in rest if r.line in whole]:
            place = places[s.line]
            if s.line in gone or place is None:
                continue
            # A piece belongs to the moment at which its line, or its part after a pause, begins.
            begun = place.start if not s.part else s.dry_at
            shift = sum(pause for at, pause in spared if at < begun)
            if shift:
                twin.append(_Sound(s.line, s.part, s.channel, s.at - shift, s.samples, s.dry, s.dry_at - shift))
            else:
                twin.append(s)
        # Sums of float32 depend on their order: keep that of the main take.
        order = {id(s.samples): n for n, s in enumerate(sounds)}
        return sorted(twin, key=lambda s: order.get(id(s.samples), len(order)))

    # -- mixing ---------------------------------------------------------------------------------------------

    def _mix(self, sounds: list[_Sound], twin: list[_Sound]) -> tuple[tuple[Take, ...], tuple[int, int] | None]:
        length = self.timeline.length
        if twin:
            tail = length - max((p.end for p in self.timeline.placements if p), default=0)
            length = max(length, max(s.dry_at + len(s.dry) for s in twin) + tail)
        noise = self._noise(length)
        lost = self._lost(length)
        mains = [_sum(sounds, 0, length)] + ([] if self.mono else [_sum(sounds, 1, length)])
        twins = [_sum(twin, 0, length), _sum(twin, 1, length)] if twin else []
        top = 0.0
        for channels in (mains, twins):
            if channels:
                channels[0] += noise
                for a, b in lost:
                    channels[0][a:b] = self.comfort[a:b]
                top = max(top, *map(peak, channels))
        scale = min(1.0, CEILING / top) if top else 1.0
        self.draws["scale_db"] = round(decibel(scale), 2)
        takes = [Take(self.item.id, _quantise(mains, scale), RATE)]
        differs = None
        if twin:
            takes.append(Take(f"{self.item.id}-twin", _quantise(twins, scale), RATE))
            differs = _difference(sounds, twin, length)
        if self.item.stems:
            takes += self._stems(sounds, length)
        return tuple(takes), differs

    def _noise(self, length: int) -> Samples:
        """What channel 0 hears where nobody speaks: noise at the drawn SNR, or the tone of the room."""
        item, a = self.item, self.settings.acoustics
        rng = stream(item.seed, "noise")
        offset, tone_offset, tone = rng.randrange(1 << 40), rng.randrange(1 << 40), rng.randrange(TONES)
        floor_db = rng.uniform(*a.floor_db)
        telephone = item.band == "telephone"
        floor = amplitude(floor_db)
        need_tone = not item.noise or item.noise.startswith("file:") or item.packet_loss > 0
        self.comfort = np.zeros(0, np.float32)
        if need_tone:
            source = over_line("", "", tone, item.split) if telephone else room_tone(tone, item.split)
            self.comfort = excerpt(source, tone_offset, length)
            self.comfort *= np.float32(floor)
        if not item.noise:
            self.draws |= {"floor_db": round(floor_db, 2), "room_tone": tone}
            return self.comfort
        if item.snr_db is None:
            raise UserError("noise without a level", where=f"dialogue {item.id}", field="snr_db")
        level = max(self.user_rms / amplitude(item.snr_db), QUIETEST)
        source = over_line(item.noise, a.noise_folder) if telephone else bank(item.noise, a.noise_folder)
        noise = excerpt(source, offset, length)
        noise *= np.float32(level)
        if item.noise.startswith("file:"):
            # A recording may hold digital silence.
            noise += self.comfort
            noise *= np.float32(level / math.hypot(level, floor))
        self.draws["noise_offset"] = round(offset % len(source) / RATE, 4)
        return noise

    def _lost(self, length: int) -> list[tuple[int, int]]:
        if not self.item.packet_loss:
            return []
        burst = self.settings.acoustics.loss_burst
        lost = lost_packets(length, self.item.packet_loss, burst, stream(self.item.seed, "loss"))
        self.draws["lost"] = [list(span) for span in lost]
        return lost

    def _stems(self, sounds: list[_Sound], length: int) -> list[Take]:
        """Each role's own clean speech on the clock of the main take, without room, noise or line."""
        takes = []
        for role in dict.fromkeys(line.role for line in self.lines):
            stem = np.zeros(length, np.float32)
            for s in sounds:
                if self.lines[s.line].role == role and len(s.dry):
                    _add(stem, s.dry * np.float32(self.gains[s.line]), s.dry_at)
            loudest = peak(stem)
            takes.append(
                Take(
                    f"{self.item.id}-{role}",
                    _quantise([stem], min(1.0, CEILING / loudest) if loudest else 1.0),
                    RATE,
                )
            )
        return takes


JOIN = 80  # samples: 5 ms over which the pieces on both sides of a pause fade


def _add(channel: Samples, sound: Samples, at: int) -> None:
    """Add ``sound`` from sample ``at`` on; what lies outside the channel is left out."""
    a, b = max(at, 0), min(at + len(sound), len(channel))
    if a < b:
        channel[a:b] += sound[a - at : b - at]


def _sum(sounds: list[_Sound], channel: int, length: int) -> Samples:
    out = np.zeros(length, np.float32)
    for s in sounds:
        if s.channel == channel:
            _add(out, s.samples, s.at)
    return out


def _quantise(channels: list[Samples], scale: float) -> PCM:
    """Float32 channels (changed in place) to int16 [frames, channels], rounded to nearest."""
    out = np.empty((len(channels[0]), len(channels)), np.int16)
    for c, channel in enumerate(channels):
        channel *= np.float32(32767.0 * scale)
        np.rint(channel, out=channel)
        out[:, c] = channel
    return out


def _difference(sounds: list[_Sound], twin: list[_Sound], length: int) -> tuple[int, int]:
    """The smallest interval that holds every sound found in one take only, or at another place."""
    ours = {(id(s.samples), s.at): s for s in sounds}
    theirs = {(id(s.samples), s.at): s for s in twin}
    moved = [s for k, s in ours.items() if k not in theirs] + [s for k, s in theirs.items() if k not in ours]
    return max(0, min(s.at for s in moved)), min(length, max(s.at + len(s.samples) for s in moved))
