"""What a recipe may say about sound."""

from __future__ import annotations

import msgspec

from duologue import registry
from duologue.generate.range import Range, check_range, check_share

NOISE_KINDS = ("pink", "brown", "fan", "hum", "babble", "cafe", "traffic", "rain", "wind", "office")


class AcousticsSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Levels in dB, distances in metres, times in seconds; a pair is a range drawn from uniformly.

    Read by the plan, once per dialogue (an item holds the result): ``noise_share`` of items has noise at an SNR
    drawn from ``snr_db``; ``room_share`` a simulated room; ``telephone_share`` the band 300-3400 Hz;
    ``packet_loss_share`` loses ``packet_loss`` of the line in bursts; ``echo_share`` hears the system again in
    the user's microphone at ``echo_db`` relative to the system channel.

    Pools: ``noise_folder`` takes the user's recordings ("file:<name>") in place of the generators
    ("gen:<kind>-<nn>", ``noise_variants`` of each of ``noise_kinds``); ``rooms`` is the number of shoebox rooms,
    with ``rt60`` their reverberation time.

    Read by the scene: ``level_db`` is the user's active speech level at the microphone (dBFS), ``system_level_db``
    that of channel 1, ``floor_db`` the room tone of an item without noise. ``emotion_limit_db`` bounds how far
    emotion moves a turn's level: small differences reach the microphone in full, large ones (a shout is 20 dB above
    a neutral voice) level off towards it, as with an automatic gain control. ``utterance_sd_db`` varies the level
    from turn to turn. ``backchannel_gain`` is an amplitude ratio to the speaker's own level; ``aside_gain_db`` how
    the level changes when the user turns away to call somebody. Distances of user, third party and addressee overlap,
    so that level does not tell who speaks; ``effort_sd_db`` is how far a bystander's vocal effort moves the level
    that the distance gives.
    ``loss_burst`` is the length of a lost stretch, ``echo_delay`` how late the echo comes.
    """

    noise_share: float = 0.7
    snr_db: Range = (5.0, 25.0)
    noise_folder: str = ""
    noise_kinds: tuple[str, ...] = NOISE_KINDS
    noise_variants: int = 8
    room_share: float = 0.5
    rooms: int = 48
    rt60: Range = (0.15, 0.6)
    telephone_share: float = 0.1
    packet_loss_share: float = 0.05
    packet_loss: float = 0.02
    echo_share: float = 0.1
    echo_db: Range = (-45.0, -25.0)

    level_db: Range = (-32.0, -18.0)
    system_level_db: Range = (-28.0, -20.0)
    floor_db: Range = (-72.0, -60.0)
    emotion_limit_db: float = 24.0
    utterance_sd_db: float = 1.5
    backchannel_gain: Range = (0.35, 0.9)
    aside_gain_db: Range = (-8.0, 3.0)
    user_distance: Range = (0.3, 2.3)
    third_party_distance: Range = (0.3, 2.5)
    addressee_distance: Range = (0.3, 2.5)
    effort_sd_db: float = 3.0
    loss_burst: float = 0.1
    echo_delay: Range = (0.02, 0.15)

    def __post_init__(self) -> None:
        for name in ("noise_share", "room_share", "telephone_share", "packet_loss_share", "packet_loss", "echo_share"):
            check_share(name, getattr(self, name))
        check_range("snr_db", self.snr_db, -20.0, 60.0)
        check_range("rt60", self.rt60, 0.05, 1.5)
        check_range("echo_db", self.echo_db, -80.0, 0.0)
        for name in ("level_db", "system_level_db"):
            check_range(name, getattr(self, name), -60.0, -10.0)
        check_range("floor_db", self.floor_db, -80.0, -40.0)
        check_range("backchannel_gain", self.backchannel_gain, 0.05, 2.0)
        check_range("aside_gain_db", self.aside_gain_db, -30.0, 6.0)
        for name in ("user_distance", "third_party_distance", "addressee_distance"):
            check_range(name, getattr(self, name), 0.1, 20.0)
        check_range("echo_delay", self.echo_delay, 0.0, 1.0)
        for name, top in (("utterance_sd_db", 10.0), ("effort_sd_db", 10.0), ("emotion_limit_db", 60.0)):
            check_range(name, (getattr(self, name),) * 2, 0.0, top)
        check_range("loss_burst", (self.loss_burst,) * 2, 0.02, 1.0)
        known = (*NOISE_KINDS, *registry.names("noises"))
        if unknown := [k for k in self.noise_kinds if k not in known]:
            raise ValueError(f"noise_kinds: unknown {unknown}; allowed: {', '.join(known)}")
        if not (self.noise_folder or self.noise_kinds):
            raise ValueError("noise_kinds: empty, and no noise_folder either")
        if not 1 <= self.noise_variants <= 999:
            raise ValueError(f"noise_variants: {self.noise_variants} is not between 1 and 999")
        if not 1 <= self.rooms <= 9999:
            raise ValueError(f"rooms: {self.rooms} is not between 1 and 9999")
