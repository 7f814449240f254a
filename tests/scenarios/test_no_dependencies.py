"""None of the user's dependencies is needed where the command runs: proven with chains that import them."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import uuid
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.conftest import Chainctl
from tests.fakes.index import Index, serving

CHAIN = """\
import torch
import transformers
from torch import nn
from transformers import AutoTokenizer

import chainctl as chains

DEVICE = torch.device("cuda" if torch.cuda.is_available() else "cpu")
IMAGE = chains.DockerImage(pip_requirements=[{requirements}])


class Head(nn.Module):
    def __init__(self) -> None:
        super().__init__()


class Model(chains.ChainletBase):
    remote_config = chains.RemoteConfig(docker_image=IMAGE)

    def __init__(self) -> None:
        self._version = torch.__version__

    @torch.inference_mode()
    def _forward(self, text: str) -> str:
        return text.upper()

    async def run_remote(self, text: str) -> str:
        return f"{{self._forward(text)}} {{self._version}} {{transformers.__version__}}"


@chains.mark_entrypoint
class Front(chains.ChainletBase):
    remote_config = chains.RemoteConfig(docker_image=IMAGE)

    def __init__(self, model: Model = chains.depends(Model)) -> None:
        self._model = model

    async def run_remote(self, text: str) -> str:
        return await self._model.run_remote(text)
"""
TORCH = """\
__version__ = "2.0-stub"


class device(str):
    pass


class cuda:
    @staticmethod
    def is_available() -> bool:
        return False


def inference_mode():
    return lambda function: function
"""
NN = """\
class Module:
    pass
"""
TRANSFORMERS = """\
__version__ = "4.0-stub"


class AutoTokenizer:
    pass
"""


@pytest.fixture(autouse=True)
def not_installed() -> None:
    """The proof is worth something only where nobody has them."""
    assert importlib.util.find_spec("torch") is None
    assert importlib.util.find_spec("transformers") is None


@pytest.fixture
def index(tmp_path: Path) -> Iterator[Index]:
    """An index on loopback, with the runtime, torch and transformers."""
    (tmp_path / "index").mkdir()
    with serving(tmp_path / "index") as served:
        served.add_runtime()
        served.add("torch", "2.0")
        served.add("transformers", "4.0", "torch>=2")
        yield served


@pytest.fixture
def locked(chainctl: Chainctl, index: Index, tmp_path: Path) -> Chainctl:
    """The command with that index, and an engine that does not answer."""
    own = {
        "CHAINCTL_INDEX_URL": index.url,
        "CHAINCTL_CPU_WHEELS": "false",
        "DOCKER_HOST": f"unix://{tmp_path}/no.sock",
        "UV_CACHE_DIR": str(tmp_path / "cache"),
    }
    return replace(chainctl, environ={**chainctl.environ, **own})


def chain_file(directory: Path, *requirements: str) -> Path:
    directory.mkdir()
    file = directory / "chain.py"
    file.write_text(CHAIN.format(requirements=", ".join(map(repr, requirements))))
    return file


def test_a_chain_is_read_and_locked_without_them(locked: Chainctl, tmp_path: Path) -> None:
    """`check`, `graph`, `lock` and `render`."""
    file = str(chain_file(tmp_path / "project", "torch", "transformers"))
    assert locked("check", file).stdout == "Front: 2 chainlets, 1 dependency, entrypoint Front\n"
    assert "Model" in locked("graph", file).stdout
    assert "torch 2.0" in locked("lock", file).stdout
    locked("render", file, "--output", str(tmp_path / "out"))
    assert "torch==2.0" in (tmp_path / "out" / "model" / "requirements" / "locked.txt").read_text()


@pytest.mark.docker
def test_a_chain_is_planned_and_pushed_without_them(chainctl: Chainctl, tmp_path: Path) -> None:
    """`plan` and `push`: what the images install is used there, and nowhere else."""
    stubs = {"torch": {"__init__": TORCH, "nn": NN}, "transformers": {"__init__": TRANSFORMERS}}
    places = [_project(tmp_path / "stubs" / name, name, modules) for name, modules in stubs.items()]
    file = str(chain_file(tmp_path / "project", *places))
    name = f"nodeps-{uuid.uuid4().hex[:8]}"
    command = replace(chainctl, environ={**chainctl.environ, "CHAINCTL_BUILD_NETWORK": "host"})
    arguments = (file, "--target", "docker", "--name", name)
    try:
        planned = command("plan", *arguments, "--json")
        assert "Model" in planned.stdout
        command("push", *arguments, timeout=600)
        called = command("call", name, '{"text": "a"}', "--target", "docker")
        assert called.stdout == "A 2.0-stub 4.0-stub\n"
        command("down", name, "--target", "docker", timeout=120)
    finally:
        _remove_images(name)


def _project(place: Path, name: str, modules: dict[str, str]) -> str:
    """A package of this machine; the requirement that names it."""
    package = place / "src" / name
    package.mkdir(parents=True)
    for module, text in modules.items():
        (package / f"{module}.py").write_text(text)
    (place / "pyproject.toml").write_text(
        f'[build-system]\nrequires = ["hatchling"]\nbuild-backend = "hatchling.build"\n\n'
        f'[project]\nname = "{name}"\nversion = "2.0"\n'
    )
    return f"{name} @ file://{place}"


def _remove_images(name: str) -> None:
    images = subprocess.run(
        ["docker", "images", "--format", "{{json .}}", f"{name}/*"],
        capture_output=True, text=True, check=True,
    ).stdout.splitlines()  # fmt: skip
    tags = [f"{image['Repository']}:{image['Tag']}" for image in map(json.loads, images)]
    if tags:
        subprocess.run(["docker", "rmi", *tags], capture_output=True, check=False)
