"""Emotion labels: a versioned taxonomy with explicit aliases, and the value of one judgement."""

from __future__ import annotations

import msgspec

from duologue.corpus.bounds import Intensity, Share, Signed
from duologue.errors import UserError

INTENSITIES = (0, 1, 2, 3)


class EmotionClass(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """A label, its names in use (English, Chinese, other data sets) and its place in valence and arousal.

    ``valence`` and ``arousal`` are in [-1, 1] and are coarse: they order the labels, they do not measure.

    A label that :data:`DUOLOGUE` does not have says which of that taxonomy's it is ``like``: the embedded writer takes
    what happens in its stories from there, and the voices their prosody, changed by ``prosody`` (measures of
    ``emotion_prosody.csv``: differences, or factors for ratios). ``says`` holds, by language, the label's own words:
    templates "word" (its name), "state" ("you felt ..."), "show" (a sentence that shows it), "link" (one that ties it
    to the event, @); see docs/recipes.md.
    """

    label: str
    aliases: tuple[str, ...] = ()
    zh: str = ""
    valence: Signed = 0.0
    arousal: Signed = 0.0
    like: str = ""
    prosody: dict[str, float] = {}
    says: dict[str, dict[str, tuple[str, ...]]] = {}


class Taxonomy(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A closed set of labels. An unknown label is an error, never a guess."""

    name: str
    version: int
    classes: tuple[EmotionClass, ...]

    @property
    def labels(self) -> tuple[str, ...]:
        return tuple(c.label for c in self.classes)

    def of(self, label: str) -> EmotionClass:
        """The class of ``label``; KeyError where there is none."""
        found = next((c for c in self.classes if c.label == label), None)
        if found is None:
            raise KeyError(label)
        return found

    def like(self, label: str) -> str:
        """The standard label that lends its stories and prosody to ``label``: itself where it is one."""
        return self.of(label).like or label

    @property
    def id(self) -> str:
        return f"{self.name}/{self.version}"

    def resolve(self, name: str, *, where: str = "", field: str = "emotion") -> str:
        """The label that ``name`` means (label, alias or Chinese name; case ignored), or UserError."""
        wanted = name.strip().casefold()
        for c in self.classes:
            if wanted == c.label or wanted == c.zh or wanted in (a.casefold() for a in c.aliases):
                return c.label
        raise UserError(
            "unknown emotion",
            where=where,
            field=field,
            value=name,
            allowed=", ".join(self.labels),
            mend=f"add an alias to taxonomy {self.id} if it means one of these",
        )


DUOLOGUE = Taxonomy(
    name="duologue",
    version=1,
    classes=(
        EmotionClass(
            label="neutral", zh="中性", aliases=("neu", "平静的", "neutrality", "none", "无"), valence=0.0, arousal=-0.1
        ),
        EmotionClass(
            label="calm",
            zh="平静",
            aliases=("relieved", "relaxed", "relief", "放松", "安心"),
            valence=0.5,
            arousal=-0.6,
        ),
        EmotionClass(
            label="happy",
            zh="高兴",
            aliases=("happiness", "joy", "joyful", "hap", "excited", "开心", "快乐", "喜悦"),
            valence=0.8,
            arousal=0.5,
        ),
        EmotionClass(label="sad", zh="悲伤", aliases=("sadness", "sorrow", "难过", "伤心"), valence=-0.7, arousal=-0.5),
        EmotionClass(label="angry", zh="愤怒", aliases=("anger", "ang", "生气", "恼火"), valence=-0.7, arousal=0.7),
        EmotionClass(
            label="fearful",
            zh="恐惧",
            aliases=("fear", "afraid", "scared", "anxious", "anxiety", "害怕", "焦虑"),
            valence=-0.7,
            arousal=0.6,
        ),
        EmotionClass(label="disgusted", zh="厌恶", aliases=("disgust", "dis", "反感"), valence=-0.6, arousal=0.2),
        EmotionClass(
            label="surprised", zh="惊讶", aliases=("surprise", "sur", "惊喜", "吃惊"), valence=0.1, arousal=0.7
        ),
    ),
)


class EmotionValue(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """What somebody heard or meant.

    ``intensity`` is 0 (neutral) to 3 (strong). ``semantic_label`` and ``acoustic_label`` are set where the
    words and the voice are meant to differ; ``label`` is then the acoustic one. ``distribution`` maps labels
    to shares that sum to 1.
    """

    label: str
    taxonomy: str = "duologue/1"
    intensity: Intensity = 0
    valence: Signed | None = None
    arousal: Signed | None = None
    distribution: dict[str, Share] | None = None
    semantic_label: str = ""
    acoustic_label: str = ""
