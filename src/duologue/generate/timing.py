"""When each line is spoken: floor transfers, overlaps, pauses, the system's reaction."""

from __future__ import annotations

from itertools import pairwise

import msgspec

from duologue.generate.range import Range, check_range


class Offsets(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A distribution of floor-transfer offsets in seconds (negative: speech overlaps).

    ``quantiles`` are (probability, seconds) pairs, joined by straight lines, so that the table measured on any
    corpus can be pasted in. ``dyad_sd`` is the standard deviation in seconds of a shift that one pair of
    speakers keeps throughout the corpus. ``max_overlap`` bounds the overlap of an ordinary turn: a longer one
    would be an interruption, which is an event. ``source`` says where the figures come from.
    """

    quantiles: tuple[tuple[float, float], ...]
    dyad_sd: float
    max_overlap: float
    source: str = ""

    def __post_init__(self) -> None:
        if len(self.quantiles) < 2:
            raise ValueError("quantiles: at least two (probability, seconds) pairs are needed")
        for (p, x), (q, y) in pairwise(self.quantiles):
            if not (0.0 <= p < q <= 1.0 and x <= y):
                raise ValueError(f"quantiles: ({p:g}, {x:g}) and ({q:g}, {y:g}) do not rise inside [0, 1]")
        check_range("quantiles", (self.quantiles[0][1], self.quantiles[-1][1]), -5.0, 10.0)
        check_range("dyad_sd", (self.dyad_sd,) * 2, 0.0, 1.0)
        check_range("max_overlap", (self.max_overlap,) * 2, 0.0, 2.0)


OFFSETS_EN = Offsets(
    quantiles=((0.0, -0.5), (0.05, -0.4), (0.25, -0.12), (0.5, 0.08), (0.75, 0.42), (0.95, 1.2), (1.0, 2.2)),
    dyad_sd=0.1,
    max_overlap=0.5,
    source=(
        "median +80 ms: CANDOR, two-party English; spread: half of AMI's 25-95% (-480/+680/+1780 ms about +150), an "
        "assumption for two-party talk; overlap bounded, since longer ones are interruption events"
    ),
)
OFFSETS_ZH = Offsets(
    quantiles=((0.0, -0.5), (0.05, -0.42), (0.25, -0.15), (0.5, 0.05), (0.75, 0.38), (0.95, 1.1), (1.0, 2.2)),
    dyad_sd=0.1,
    max_overlap=0.5,
    source="assumption: the English table moved 30 ms towards overlap; no Mandarin offset table was found",
)
REPLY = Offsets(
    quantiles=((0.0, 0.2), (0.25, 0.35), (0.5, 0.48), (0.75, 0.65), (1.0, 0.9)),
    dyad_sd=0.06,
    max_overlap=0.0,
    source="assumption: a responsive system, 200-900 ms",
)


class TimingSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All in seconds but ``interruption_at`` and ``overlap_at``, which are shares of the answer spoken over.

    ``en`` and ``zh`` are the user's offsets after the system's turns; ``reply`` the reference system's after the
    user's. ``reaction`` runs from the onset of an interruption to the first sample of the system's fade, and
    ``fade`` is how long the fade lasts. ``pause`` is a pause in the middle of a clause. ``aside_gap`` stands
    between the user's turns to different people and between the user's own sentences, ``bystander_gap`` before
    and after third-party speech, ``resume_gap`` between a request to be silent and the user's next turn.
    ``lead_in`` and ``lead_out`` are room tone at the ends of the file.
    """

    en: Offsets = OFFSETS_EN
    zh: Offsets = OFFSETS_ZH
    reply: Offsets = REPLY
    lead_in: Range = (0.4, 1.5)
    lead_out: Range = (0.6, 2.0)
    interruption_at: Range = (0.2, 0.8)
    overlap_at: Range = (0.1, 0.85)
    reaction: Range = (0.2, 0.7)
    fade: Range = (0.02, 0.12)
    pause: Range = (0.3, 2.5)
    aside_gap: Range = (0.3, 1.2)
    bystander_gap: Range = (0.2, 1.2)
    resume_gap: Range = (1.5, 5.0)

    def __post_init__(self) -> None:
        for name, low, high in (
            ("lead_in", 0.2, 30.0),
            ("lead_out", 0.2, 60.0),
            ("interruption_at", 0.0, 1.0),
            ("overlap_at", 0.0, 1.0),
            ("reaction", 0.0, 5.0),
            ("fade", 0.005, 1.0),
            ("pause", 0.05, 10.0),
            ("aside_gap", 0.0, 10.0),
            ("bystander_gap", 0.0, 10.0),
            ("resume_gap", 0.0, 30.0),
        ):
            check_range(name, getattr(self, name), low, high)
