"""Two clean directories with the same inputs are the same images, byte for byte."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from chainctl.adapters.docker.build_context import sent_context
from chainctl.adapters.docker.tarball import tar_chunks
from chainctl.adapters.files import take_snapshot
from chainctl.build.lock import Environment, Lock, LockedPackage
from chainctl.build.plan import ImagePlan, plan_build
from chainctl.build.settings import BuildSettings
from chainctl.graph.chain_file import ChainFile
from chainctl.graph.load import load

CHAIN = """
import chainctl as chains
from helper import NAME

class Inner(chains.ChainletBase):
    remote_config = chains.RemoteConfig(docker_image=chains.DockerImage(
        requirements_file=chains.make_abs_path_here("needs/requirements.txt"),
        data_dir=chains.make_abs_path_here("data"),
        external_package_dirs=[chains.make_abs_path_here("libs")],
        apt_requirements=["git"],
    ))
    def run_remote(self, x: int) -> int:
        return x

@chains.mark_entrypoint
class Outer(chains.ChainletBase):
    def __init__(self, inner: Inner = chains.depends(Inner)) -> None:
        self._inner = inner
    async def run_remote(self, x: int) -> int:
        return self._inner.run_remote(x)
"""
FILES = {
    "chain.py": CHAIN,
    "helper.py": 'NAME = "ü"\n',
    "needs/requirements.txt": "-r more.txt\n./own\nnumpy\n",
    "needs/more.txt": "idna\n",
    "needs/own/pyproject.toml": '[project]\nname = "own"\nversion = "1"\n',
    "data/a/weights.bin": "w" * 2000,
    "data/run.sh": "#!/bin/sh\n",
    "libs/lib.py": "A = 1\n",
    "ca.pem": "-----BEGIN CERTIFICATE-----\n",
}
OWN = LockedPackage("own", "own @ ./local/own", path="needs/own")
LOCK = Lock(
    {
        "e": Environment(
            "0" * 64, "3.11", "linux/amd64", (LockedPackage("idna", "idna==3.10", ("sha256:aa",)), OWN)
        )
    },
    {"Inner": "e", "Outer": "e"},
    {"python:3.11-slim": f"sha256:{'1' * 64}"},
)


def images_in(root: Path, lock: Lock | None) -> tuple[ImagePlan, ...]:
    """The images of the chain in a directory, as a push plans them."""
    environ = {name: value for name, value in os.environ.items() if not name.startswith("CHAINCTL_")}
    graph = load(ChainFile.parse(str(root / "chain.py")), environ=environ)
    settings = BuildSettings(certificates=(str(root / "ca.pem"),))
    return plan_build(graph, "shop", take_snapshot(graph, settings), settings, lock).images


def check_out(root: Path, *, umask: int, modified: int, order: Callable[[list[str]], list[str]]) -> Path:
    """Write the project; what no input is made of differs: place, time, order, bits of others."""
    before = os.umask(umask)
    try:
        for name in order(sorted(FILES)):
            path = root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(FILES[name], encoding="utf-8")
            path.chmod((0o777 if name.endswith(".sh") else 0o666) & ~umask)
            os.utime(path, (modified, modified))
    finally:
        os.umask(before)
    return root


@pytest.mark.parametrize("lock", [LOCK, None], ids=["locked", "unlocked"])
def test_equal_inputs_are_equal_bytes(tmp_path: Path, lock: Lock | None) -> None:
    """For both builders; so are names and labels."""
    here = check_out(tmp_path / "here", umask=0o022, modified=1_000_000_000, order=list)
    there = check_out(tmp_path / "a" / "b", umask=0o077, modified=2_000_000_000, order=lambda n: n[::-1])
    (there / "unneeded.txt").write_text("no input")
    one, two = images_in(here, lock), images_in(there, lock)
    assert [image.ref for image in one] == [image.ref for image in two]
    assert [image.labels for image in one] == [image.labels for image in two]
    for first, second in zip(one, two, strict=True):
        assert tar_of(first, is_buildkit=True) == tar_of(second, is_buildkit=True)
        assert tar_of(first, is_buildkit=False) == tar_of(second, is_buildkit=False)
        assert str(tmp_path).encode() not in tar_of(first, is_buildkit=True)


def test_the_builder_does_not_change_a_name(tmp_path: Path) -> None:
    """The classic one gets other bytes under the same name."""
    here = check_out(tmp_path, umask=0o022, modified=1_000_000_000, order=list)
    inner, _ = images_in(here, LOCK)
    assert tar_of(inner, is_buildkit=True) != tar_of(inner, is_buildkit=False)
    sent = sent_context(inner.context, is_buildkit=False)
    assert "--mount" not in sent.text_of("Dockerfile")
    assert replace(inner, context=sent).ref == inner.ref


def tar_of(image: ImagePlan, *, is_buildkit: bool) -> bytes:
    context = sent_context(image.context, is_buildkit=is_buildkit)
    return b"".join(tar_chunks(context, image.chainlet))
