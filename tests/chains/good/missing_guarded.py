import contextlib
import importlib.util
import sys
from typing import TYPE_CHECKING

import chainctl as chains

if TYPE_CHECKING:
    import pandas as pd

try:
    import cupy as xp
except ImportError:
    xp = None

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

with contextlib.suppress(ImportError):
    import flash_attn

HAS_ONNX = importlib.util.find_spec("onnxruntime") is not None


class A(chains.ChainletBase):
    def run_remote(self, text: str) -> str:
        import soundfile
        from scipy import signal

        frame: "pd.DataFrame" = signal.resample(soundfile.read(text))
        return str(frame)
