"""The trained baseline on disk: a manifest and plain arrays, every file's SHA-256 checked before it is read.

MODEL/model.json        ModelManifest: what was trained on what, and a hash of each file
MODEL/<name>.npz        a classifier, or the chain of feelings; arrays only, never pickled objects
"""

from __future__ import annotations

import hashlib
import io
import re
import zipfile
from pathlib import Path
from typing import Annotated, Any

import msgspec
import numpy as np
import numpy.typing as npt

from duologue.corpus.write import write_atomic
from duologue.errors import UserError
from duologue.understanding.classifier import Classifier, Cue
from duologue.understanding.stretch import Words
from duologue.understanding.vocabulary import Vocabulary

MANIFEST = "model.json"
FORMAT = 1
_NAME = re.compile(r"[a-z][a-z0-9_-]{0,60}\.npz")
_LARGEST = 1 << 28
_ENCODER = msgspec.json.Encoder(order="deterministic")
Floats = npt.NDArray[np.float64]


class ModelPart(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A part that shaped the model, with its version and, where it has weights, their SHA-256."""

    name: str
    version: str
    sha256: str = ""


class SplitSeen(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Dialogues ``heard`` of the ``dialogues`` of a split; ``shards`` gives the SHA-256 of each file opened."""

    dialogues: int
    heard: int
    shards: dict[str, str] = {}


class Choice(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What dev decided: ``by_cue`` is the mean recall on dev of the best of each cue, over ``n`` examples of dev."""

    task: str
    language: str
    cue: Cue
    strength: float
    n: int
    train: int
    by_cue: dict[str, float]


class ModelManifest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``model_sha256`` is over this manifest's canonical JSON with that field empty, and so names the model whole.

    ``splits`` holds train, which was learnt from, dev, which chose, and test, of which nothing is ever opened.
    """

    format: Annotated[int, msgspec.Meta(ge=1, le=FORMAT)] = FORMAT
    duologue: str
    corpus: str
    corpus_sha256: str
    words: Words
    most: int | None
    splits: dict[str, SplitSeen]
    parts: tuple[ModelPart, ...]
    files: dict[str, str]
    choices: tuple[Choice, ...]
    model_sha256: str = ""


class Chain(msgspec.Struct, frozen=True):
    """Log probabilities [labels, labels] of one feeling after another in train, already weighted as dev chose."""

    labels: tuple[str, ...]
    steps: Floats


class Model(msgspec.Struct, frozen=True):
    """``classifiers`` by (task, language, cue); ``chains`` by language."""

    manifest: ModelManifest
    classifiers: dict[tuple[str, str, str], Classifier]
    chains: dict[str, Chain]

    @property
    def languages(self) -> tuple[str, ...]:
        return tuple(sorted({language for _, language, _ in self.classifiers}))

    def chosen(self, task: str, language: str) -> Classifier | None:
        """The classifier that dev chose for ``task``, None where none was trained."""
        for c in self.manifest.choices:
            if (c.task, c.language) == (task, language):
                return self.classifiers[task, language, c.cue]
        return None


def save(model: Model, folder: Path) -> ModelManifest:
    """Write ``model`` and give its manifest, hashes filled in. A folder that holds anything else is refused."""
    if folder.exists() and (not folder.is_dir() or (any(folder.iterdir()) and not (folder / MANIFEST).is_file())):
        raise UserError("not a model's folder, and not empty", where=str(folder), mend="choose another -o")
    contents = {f"{'-'.join(key)}.npz": _packed_classifier(c) for key, c in model.classifiers.items()}
    contents |= {f"chain-{language}.npz": _packed_chain(c) for language, c in model.chains.items()}
    files = {name: hashlib.sha256(data).hexdigest() for name, data in sorted(contents.items())}
    manifest = msgspec.structs.replace(model.manifest, files=files, model_sha256="")
    manifest = msgspec.structs.replace(manifest, model_sha256=model_hash(manifest))
    for name, data in contents.items():
        write_atomic(folder / name, data)
    write_atomic(folder / MANIFEST, msgspec.json.format(_ENCODER.encode(manifest), indent=1) + b"\n")
    return manifest


def model_hash(manifest: ModelManifest) -> str:
    return hashlib.sha256(_ENCODER.encode(msgspec.structs.replace(manifest, model_sha256=""))).hexdigest()


def load(folder: Path) -> Model:
    """The model in ``folder``; UserError where a file is missing, altered, or not what the manifest says."""
    path = folder / MANIFEST
    if not path.is_file():
        raise UserError("no model here", where=str(folder), mend="train one: duologue baseline train CORPUS -o MODEL")
    try:
        manifest = msgspec.json.decode(_read(path), type=ModelManifest)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise UserError(f"broken manifest: {error}", where=str(path)) from None
    if model_hash(manifest) != manifest.model_sha256:
        raise UserError("the manifest was altered", where=str(path), field="model_sha256", mend="train the model again")
    classifiers: dict[tuple[str, str, str], Classifier] = {}
    chains: dict[str, Chain] = {}
    for name, wanted in sorted(manifest.files.items()):
        if not _NAME.fullmatch(name):
            raise UserError("no name of a file of weights", where=str(path), field="files", value=name)
        if not (folder / name).is_file():
            raise UserError("missing file of weights", where=str(folder / name), mend="train the model again")
        data = _read(folder / name)
        found = hashlib.sha256(data).hexdigest()
        if found != wanted:
            raise UserError(
                "the file of weights was altered",
                where=str(folder / name),
                field="sha256",
                value=found,
                allowed=wanted,
                mend="train the model again",
            )
        kind = name.removesuffix(".npz").split("-")
        try:
            if len(kind) == 2 and kind[0] == "chain":
                chains[kind[1]] = _unpacked_chain(data)
            else:
                task, language, cue = kind
                classifiers[task, language, cue] = _unpacked_classifier(data)
        except (KeyError, TypeError, ValueError, OSError, zipfile.BadZipFile, msgspec.MsgspecError) as error:
            raise UserError(f"not weights of this model: {error}", where=str(folder / name)) from None
    missing = [c for c in manifest.choices if (c.task, c.language, c.cue) not in classifiers]
    if missing:
        raise UserError("a chosen classifier is missing", where=str(path), value=missing[0].task)
    return Model(manifest, classifiers, chains)


def _read(path: Path) -> bytes:
    try:
        if path.stat().st_size > _LARGEST:
            raise UserError("too large", where=str(path), allowed=f"up to {_LARGEST} bytes")
        return path.read_bytes()
    except OSError as error:
        raise UserError(f"cannot be read: {error.strerror}", where=str(path)) from None


def _packed(about: dict[str, Any], **arrays: Floats) -> bytes:
    out = io.BytesIO()
    text = np.frombuffer(_ENCODER.encode(about), np.uint8)
    kept: dict[str, Any] = {name: a.astype("<f4") for name, a in arrays.items()}
    np.savez(out, about=text, **kept)
    return out.getvalue()


def _unpacked(data: bytes) -> tuple[dict[str, Any], dict[str, Floats]]:
    with np.load(io.BytesIO(data), allow_pickle=False) as z:
        about = msgspec.json.decode(z["about"].tobytes())
        arrays = {name: np.asarray(z[name], np.float64) for name in z.files if name != "about"}
    if not all(np.isfinite(a).all() for a in arrays.values()):
        raise ValueError("a weight is not a number")
    return about, arrays


def _packed_classifier(c: Classifier) -> bytes:
    about = {"labels": c.labels, "cue": c.cue, "terms": c.vocabulary.terms}
    idf = np.asarray(c.vocabulary.idf, np.float64)
    return _packed(about, idf=idf, mean=c.mean, sd=c.sd, weights=c.weights, bias=c.bias)


def _unpacked_classifier(data: bytes) -> Classifier:
    about, a = _unpacked(data)
    labels, terms, cue = msgspec.convert(
        (about["labels"], about["terms"], about["cue"]), tuple[tuple[str, ...], tuple[str, ...], Cue]
    )
    width = len(terms) + len(a["mean"])
    shapes = {"idf": (len(terms),), "sd": a["mean"].shape, "weights": (len(labels), width), "bias": (len(labels),)}
    for name, shape in shapes.items():
        if a[name].shape != shape:
            raise ValueError(f"{name} has the shape {a[name].shape}, not {shape}")
    return Classifier(
        labels=labels,
        cue=cue,
        vocabulary=Vocabulary(terms, tuple(map(float, a["idf"]))),
        mean=a["mean"],
        sd=a["sd"],
        weights=a["weights"],
        bias=a["bias"],
    )


def _packed_chain(c: Chain) -> bytes:
    return _packed({"labels": c.labels}, steps=c.steps)


def _unpacked_chain(data: bytes) -> Chain:
    about, a = _unpacked(data)
    labels = msgspec.convert(about["labels"], tuple[str, ...])
    if a["steps"].shape != (len(labels), len(labels)):
        raise ValueError("steps between labels that are not there")
    return Chain(labels, a["steps"])
