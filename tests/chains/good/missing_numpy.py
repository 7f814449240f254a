import numpy as np
import numpy.typing as npt
from numpy import *
from numpy import float32, random
from numpy.linalg import norm

import chainctl as chains

EPSILON = np.float32(1e-6)
TWO_PI = 2 * np.pi
HALF = np.pi / 2 - np.e ** 2 // 1 % 3
WINDOW = np.hanning(400).astype(np.float32)[::2]
TABLE: npt.NDArray[np.float32] = np.zeros((3, 3), dtype=np.float32)
TABLE[0, 0] = 1
TABLE += 1
MASK = (TABLE > 0) & (TABLE <= 1) | ~(TABLE >= 2)
IS_NEW = np.__version__ >= "2" and np.pi > 3
RATE = float(np.float64(16000)) + int(np.int64(3)) + abs(-np.inf)
RNG = random.default_rng(seed=1)
DTYPES = {np.dtype("float32"): "f", np.int16: "s"}
LENGTH = len(np.arange(3)) + len(list(np.arange(3)))
np.set_printoptions(precision=3)
np.random.seed(0)


class Signal(np.ndarray):
    def energy(self) -> float:
        return float(norm(self))


@np.vectorize
def clipped(value: float) -> float:
    return max(0.0, value)


def padded(x: np.ndarray, dtype: npt.DTypeLike = np.float32) -> np.ndarray | None:
    return x.astype(dtype)


class Gate(chains.ChainletBase):
    remote_config = chains.RemoteConfig(docker_image=chains.DockerImage(pip_requirements=["numpy==1.26.4"]))

    def run_remote(self, samples: list[float]) -> float:
        return float(np.array(samples, dtype=float32).max())
