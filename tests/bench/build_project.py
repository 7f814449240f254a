"""A number of chainlets and requirements in; a chain in a directory, its lock and its image plans out."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from chainctl.adapters.files import take_snapshot
from chainctl.adapters.lock_file import LockFile
from chainctl.build.plan import BuildPlan, plan_build
from chainctl.build.settings import BuildSettings
from chainctl.graph.chain_file import ChainFile
from chainctl.graph.load import load

HEAVY = ("numpy", "pydantic", "onnxruntime", "scikit-learn")
_PART = """\
import chainctl as chains

IMAGE = chains.DockerImage(pip_requirements={requirements!r})


class {name}(chains.ChainletBase):
    remote_config = chains.RemoteConfig(docker_image=IMAGE)

    def run_remote(self, x: int) -> int:
        return x  # edit {edit}
"""
_TOP = """\
import chainctl as chains
{imports}


@chains.mark_entrypoint
class Top(chains.ChainletBase):
    remote_config = chains.RemoteConfig(docker_image=chains.DockerImage(pip_requirements={requirements!r}))

    def __init__(self, {arguments}) -> None:
        pass

    def run_remote(self, x: int) -> int:
        return x
"""


@dataclass(frozen=True, slots=True)
class Project:
    """A chain: `count` chainlets, each in a module of its own but for the entrypoint."""

    directory: Path
    count: int
    requirements: Sequence[str]

    @property
    def file(self) -> Path:
        return self.directory / "chain.py"

    def write(self) -> None:
        """Write all files."""
        self.directory.mkdir(parents=True)
        names = [f"Part{number}" for number in range(self.count - 1)]
        for number in range(self.count - 1):
            self.edit(number, 0)
        text = _TOP.format(
            imports="\n".join(f"import {name.lower()}" for name in names),
            arguments=", ".join(
                f"p{n}: {name.lower()}.{name} = chains.depends({name.lower()}.{name})"
                for n, name in enumerate(names)
            ),
            requirements=list(self.requirements),
        )
        self.file.write_text(text.replace("(self, )", "(self)"))

    def edit(self, number: int, edit: int) -> None:
        """Write the module of one chainlet, with another line of code for another `edit`."""
        text = _PART.format(name=f"Part{number}", requirements=list(self.requirements), edit=edit)
        (self.directory / f"part{number}.py").write_text(text)

    def lock(self, environ: Mapping[str, str]) -> None:
        """Lock the chain as a user does."""
        command = [sys.executable, "-m", "chainctl.cli.main", "lock", str(self.file), "--quiet"]
        subprocess.run(command, env=dict(environ), check=True, stdout=subprocess.DEVNULL)

    def plan(self, chain: str, *, is_locked: bool = True) -> BuildPlan:
        """Plan its images from the files as they are now."""
        graph = load(ChainFile.parse(str(self.file)), environ=os.environ)
        lock = LockFile.beside(self.file, graph.entrypoint).read() if is_locked else None
        settings = BuildSettings()
        return plan_build(graph, chain, take_snapshot(graph, settings), settings, lock)
