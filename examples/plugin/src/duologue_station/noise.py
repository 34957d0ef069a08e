"""The noise of an escalator: a motor's hum and the regular clack of its steps."""

import numpy as np
import numpy.typing as npt


def escalator(rng: np.random.Generator, samples: int, rate: int) -> npt.NDArray[np.float32]:
    """``samples`` of noise at ``rate``; its end meets its beginning, as the level and seam of a bank want it."""
    seconds = samples / rate
    t = np.arange(samples) / rate
    # Whole numbers of cycles and of steps, so that it can go round.
    motor = sum(np.sin(2 * np.pi * round(50 * k * seconds) / seconds * t) / k for k in (1, 2, 3, 5))
    per_second = round(rng.uniform(1.5, 3.0) * seconds) / seconds
    clack = np.exp(-40 * ((t * per_second) % 1.0)) * rng.standard_normal(samples)
    hiss = 0.1 * rng.standard_normal(samples)
    return (motor + 2.0 * clack + hiss).astype(np.float32)
