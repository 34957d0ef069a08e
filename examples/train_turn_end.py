"""Train a turn-end model on a duplex corpus through its Lhotse export, and test it on recordings of people.

    duologue build recipes/duplex.yaml data/duplex --voice espeak --scale 0.01
    duologue export lhotse data/duplex data/lhotse
    python examples/train_turn_end.py data/lhotse path/to/easy_turn_zh        # needs: pip install lhotse torch

At the end of a stretch of the user's speech: is the turn over, or does the user only halt? The model hears the last
1.5 s. It is a small one and is here to be read: what matters are the two numbers that it prints. Good on synthetic
speech beside chance on real speech means that it has learnt the synthesiser, and is said.
The real recordings are files named by their state: complete_real_1.wav, incomplete_real_1.wav, ...
"""

import math
import sys
from pathlib import Path

import numpy as np
import soundfile
import torch
from lhotse import CutSet

RATE, HEARD = 16_000, 24_000


def features(x: np.ndarray) -> torch.Tensor:
    """[frames, 32] log power in 32 bands of 25 ms windows of the last 1.5 s, level removed."""
    x = torch.from_numpy(np.pad(x[-HEARD:], (max(0, HEARD - len(x)), 0))).float()
    power = torch.stft(x, 400, 160, window=torch.hann_window(400), return_complex=True).abs()[:192] ** 2
    bands = torch.log(power.reshape(32, 6, -1).mean(1).T + 1e-8)
    return bands - bands.mean()


def ends(folder: str, split: str) -> tuple[torch.Tensor, torch.Tensor]:
    """Ends of what the user has said so far: 1 at the end of a turn, 0 at a pause or a word after which it goes on."""
    x, y = [], []
    for cut in CutSet.from_shar(in_dir=f"{folder}/shar/{split}"):
        sound = cut.load_audio()
        for s in (s for s in cut.supervisions if s.custom["role"] == "user" and s.custom["kind"] == "turn"):
            words = s.alignment["word"][1:-1:2] if s.alignment else []
            halts = [end for _, end in s.custom["segments"][:-1]] + [w.end for w in words if w.end < s.end - 0.3]
            for end, over in [(s.end, 1.0), *((h, 0.0) for h in halts)]:
                x.append(features(sound[s.channel, : int(end * RATE)]))
                y.append(over)
    return torch.stack(x), torch.tensor(y)


def real(folder: str) -> tuple[torch.Tensor, torch.Tensor]:
    """Recordings of people, silence at the end cut off: complete is 1, incomplete 0."""
    x, y = [], []
    for path in sorted(Path(folder).rglob("*complete_real_*.wav")):
        sound, rate = soundfile.read(path, dtype="float32", always_2d=True)
        sound = np.interp(np.arange(0, len(sound), rate / RATE), np.arange(len(sound)), sound.mean(1))
        loud = np.flatnonzero(np.abs(sound) > 0.05 * np.abs(sound).max())
        x.append(features(sound[: loud[-1] + 1]))
        y.append(float(path.name.startswith("complete")))
    if not x:
        sys.exit(f"no complete_real_*.wav or incomplete_real_*.wav under {folder}")
    return torch.stack(x), torch.tensor(y)


def right(model: torch.nn.Module, x: torch.Tensor, y: torch.Tensor) -> tuple[float, float]:
    """Balanced accuracy (chance is 0.5), and how often a coin gets as many right or more."""
    with torch.no_grad():
        correct = (model(x)[:, 0] > 0).float() == y
    n, k = len(y), int(correct.sum())
    luck = sum(math.comb(n, i) for i in range(k, n + 1)) / 2**n
    return float(sum(correct[y == v].float().mean() for v in (0.0, 1.0)) / 2), luck


class TurnEnd(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.gru, self.out = torch.nn.GRU(32, 48, batch_first=True), torch.nn.Linear(48, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.out(self.gru(x)[0][:, -1])


# The training.
torch.manual_seed(0)
x, y = ends(sys.argv[1], "train")


model, weight = TurnEnd(), (y == 0).sum() / (y == 1).sum()
optimiser = torch.optim.AdamW(model.parameters(), lr=2e-3)
for _ in range(12):
    for batch in torch.randperm(len(x)).split(64):
        optimiser.zero_grad()
        loss = torch.nn.functional.binary_cross_entropy_with_logits(model(x[batch])[:, 0], y[batch], pos_weight=weight)
        loss.backward()
        optimiser.step()

dev, people = ends(sys.argv[1], "dev"), real(sys.argv[2])
(synthetic, _), (real_, luck) = right(model, *dev), right(model, *people)
print(f"synthetic, dev: {synthetic:.2f} balanced accuracy over {len(dev[1])} ends (trained on {len(y)}; chance 0.50)")
print(f"real people:    {real_:.2f} balanced accuracy over {len(people[1])} recordings (a coin: as well in {luck:.0%})")
if luck > 0.05:
    print(f"WARNING: {synthetic:.2f} on synthetic speech, while {real_:.2f} on real speech cannot be told from chance.")
elif synthetic - real_ > 0.15:
    print(f"WARNING: {synthetic:.2f} on synthetic speech beside {real_:.2f} on real: it has learnt the synthesiser.")
