"""The maker of dialogues: one item in, its audio files on disk and its line out."""

from __future__ import annotations

import hashlib
import uuid
from pathlib import Path

import msgspec

from duologue import registry
from duologue.corpus.audio import Audio
from duologue.corpus.dialogue import Dialogue
from duologue.corpus.manifest import AUDIO
from duologue.corpus.provenance import Provenance, Step
from duologue.corpus.write import encode_dialogue, encode_flac, is_main, write_atomic
from duologue.generate.directed import recast, rights_of
from duologue.generate.item import Item
from duologue.generate.plan import PLAN_VERSION
from duologue.generate.recipe import Recipe
from duologue.generate.scene import SceneSettings, Take, compose
from duologue.generate.script import Writer
from duologue.generate.seeds import derive
from duologue.generate.voices.voice import Voice, directed
from duologue.generate.writer import writer_of


class Made(msgspec.Struct, frozen=True, kw_only=True):
    """A finished dialogue: its line, and seconds of main audio and of all its files."""

    line: bytes
    seconds: float
    audio_seconds: float


class Maker:
    """Makes items of ``recipe`` into dialogues below ``root``; holds a voice of each kind for all of them."""

    def __init__(self, recipe: Recipe, root: str | Path) -> None:
        self.recipe, self.root = recipe, Path(root)
        self.writer: Writer = writer_of(recipe)
        self.voices: dict[str, Voice] = {
            n: registry.make("voices", n, recipe.options.get(n)) for n in sorted(set(recipe.voices.values()))
        }
        for voice in [v for v in map(directed, self.voices.values()) if v is not None]:
            self.voices |= voice.others
        self.settings = SceneSettings(timing=recipe.timing, acoustics=recipe.acoustics)
        self._identity = recipe.identity()
        self._canary = canary(recipe)
        self._weights = {name: voice.weights_sha256() for name, voice in self.voices.items()}

    def make(self, item: Item) -> Made:
        """Write the item's audio files, whole, and give back its line. Equal items give equal bytes."""
        script = self.writer.write(item.brief)
        voice = directed(self.voices[self.recipe.voices[item.language]])
        if voice is not None:
            item = recast(item, script, voice)
        scene = compose(item, script, self.voices, self.settings)
        takes = {take.audio_id: take for take in scene.takes}
        audio = tuple(self._write(item, entry, takes[entry.id]) for entry in scene.dialogue.audio)
        dialogue = msgspec.structs.replace(
            scene.dialogue,
            id=item.id,
            split=item.split,
            audio=audio,
            rights=rights_of(self.recipe.licence, item.cast),
            provenance=self._provenance(item, scene.dialogue),
            canary=self._canary,
        )
        return Made(
            line=encode_dialogue(dialogue),
            seconds=sum(a.length / a.sample_rate for a in audio if is_main(a)),
            audio_seconds=sum(a.length / a.sample_rate for a in audio),
        )

    def _write(self, item: Item, entry: Audio, take: Take) -> Audio:
        flac = encode_flac(take.samples, take.sample_rate)
        path = f"{AUDIO}/{item.shard}/{entry.id}.flac"
        # Synced together with its shard, before anything visible names it.
        write_atomic(self.root / path, flac.data, sync=False)
        return msgspec.structs.replace(
            entry,
            path=path,
            sha256=flac.sha256,
            pcm_sha256=flac.pcm_sha256,
            sample_rate=flac.sample_rate,
            length=flac.length,
        )

    def _provenance(self, item: Item, dialogue: Dialogue) -> Provenance:
        steps = [
            Step(
                step="plan",
                part="duologue",
                version=PLAN_VERSION,
                seed=str(item.seed),
                parameters={"cell": item.cell, "index": item.index} | ({"keyed": True} if item.keyed else {}),
            ),
            Step(step="script", part=self.writer.name, version=self.writer.version, seed=str(item.brief.seed)),
        ]
        for name in sorted({member.voice for member in item.cast}):
            voice = self.voices[name]
            steps.append(Step(step="voice", part=name, version=voice.version, sha256=self._weights[name]))
        ours = {s.step for s in steps}
        steps += [s for s in dialogue.provenance.steps if s.step not in ours]
        return Provenance(recipe_sha256=self._identity, steps=tuple(steps))


def canary(recipe: Recipe) -> str:
    """A string that occurs in this corpus alone: where a model can recite it, it has seen the corpus."""
    digest = hashlib.sha256(f"{derive(recipe.seed, 'canary')} {recipe.name}".encode()).digest()
    return f"duologue-canary-{uuid.UUID(bytes=digest[:16], version=4)}"
