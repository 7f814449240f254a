"""GPUs of a machine whose nvidia-smi tells of two, given to local processes."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest

from tests.conftest import ROOT, Chainctl, fresh_environ

SMI = "#!/bin/sh\necho '0, GPU-aa, 24000, NVIDIA L4'\necho '1, GPU-bb, 24000, NVIDIA L4'\n"
SOURCE = (
    "import os\n\nimport chainctl as chains\n\n\n"
    "class Seer(chains.ChainletBase):\n"
    "    remote_config = chains.RemoteConfig(compute=chains.Compute({compute}))\n\n"
    "    def run_remote(self) -> str:\n"
    '        return os.environ["CUDA_VISIBLE_DEVICES"]\n'
)


@pytest.fixture
def chainctl(tmp_path: Path) -> Chainctl:
    programs = tmp_path / "bin"
    programs.mkdir()
    (programs / "nvidia-smi").write_text(SMI)
    (programs / "nvidia-smi").chmod(0o755)
    environ = fresh_environ(tmp_path)
    kept = {name: value for name, value in environ.items() if not name.startswith("CUDA_")}
    return Chainctl({**kept, "PATH": f"{programs}:{environ['PATH']}"}, ROOT)


def test_gpus_are_given_once_kept_and_freed(chainctl: Chainctl, tmp_path: Path) -> None:
    """A second chain gets the other one, a third does not fit, and a redeploy is placed beside what serves."""
    file = tmp_path / "chain.py"

    def push(name: str, compute: str = 'gpu="L4"', expect: int = 0) -> str:
        file.write_text(SOURCE.format(compute=compute))
        done = chainctl("push", str(file), "--name", name, "--target", "local", expect=expect)
        return done.stderr

    def seen(name: str) -> str:
        return chainctl("call", name, "{}", "--target", "local").stdout.strip()

    try:
        assert "on GPU 0" in push("gpu-one")
        push("gpu-two")
        assert [seen("gpu-one"), seen("gpu-two")] == ["GPU-aa", "GPU-bb"]
        refused = push("gpu-three", expect=5)
        assert "Seer does not fit: it asks for 1 L4" in refused
        assert "GPU 0, NVIDIA L4, 23.44Gi: gpu-one-seer-" in refused
        chainctl("down", "gpu-two", "--target", "local")
        push("gpu-one", 'gpu="L4", cpu_count=2')
        assert seen("gpu-one") == "GPU-bb"
        assert "CH0512" in push("gpu-one", 'gpu="H100"', expect=3)
        assert seen("gpu-one") == "GPU-bb"
    finally:
        for name in ("gpu-one", "gpu-two", "gpu-three"):
            with contextlib.suppress(AssertionError):  # of one that is down already
                chainctl("down", name, "--target", "local")
