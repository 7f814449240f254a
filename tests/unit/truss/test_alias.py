"""What chain files get that import the names of Truss Chains, and when they get it."""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

import chainctl
import chainctl.pydantic_numpy
import chainctl.streaming
from chainctl.truss import alias, chains, config

PUBLIC = (
    "Assets BasetenImage EngineBuilderLLMChainlet ChainletBase ChainletOptions Compute CustomImage"
    " DeployedServiceDescriptor DeploymentContext DockerImage Environment GenericRemoteException ModelBase"
    " EngineBuilderLLMInput RPCOptions RemoteConfig RemoteErrorDetail StubBase TrussChainlet WebSocketProtocol"
    " WeightsSource depends depends_context make_abs_path_here mark_entrypoint push run_local"
)
SAYS = "import {module}; print(getattr({module}, 'WHOSE', 'ours'))"


def test_every_public_name_exists() -> None:
    """All 27, and the errors, which files catch by name."""
    module = importlib.import_module("truss_chains")
    assert sorted(module.__all__) == sorted(PUBLIC.split())
    assert all(getattr(module, name) is not None for name in module.__all__)
    for name in ("ChainsUsageError", "ChainsRuntimeError", "MissingDependencyError", "ChainsDeploymentError"):
        assert issubclass(getattr(module, name), Exception)
    with pytest.raises(AttributeError, match="no 'dependz'"):
        _ = module.dependz


def test_names_of_the_sdk_are_the_very_ones() -> None:
    """So that a chain may mix files of both."""
    module = importlib.import_module("truss_chains")
    shared = [name for name in chains.__all__ if name in chainctl.__all__ and name != "push"]
    assert len(shared) == 21
    assert all(getattr(module, name) is getattr(chainctl, name) for name in shared)


@pytest.mark.parametrize("name", sorted(alias.ALIASES))
def test_each_module_can_be_imported(name: str) -> None:
    """By its full name; a module of chainctl's is the same object, and stays what it was."""
    module = importlib.import_module(name)
    stands_for = alias.ALIASES[name]
    if "." in name and stands_for:
        assert module is sys.modules[stands_for]
        assert module.__spec__ is not None
        assert (module.__name__, module.__spec__.name) == (stands_for, stands_for)


def test_submodules_are_names_of_their_packages() -> None:
    """Both forms that files use: `from package import module`, and a dotted import."""
    space: dict[str, object] = {}
    exec("from truss_chains import pydantic_numpy, streaming", space)
    exec("from truss.base import truss_config", space)
    exec("from truss import truss_config as older", space)
    exec("import truss_chains.streaming", space)
    assert space["streaming"] is chainctl.streaming
    assert space["pydantic_numpy"] is chainctl.pydantic_numpy
    assert space["truss_config"] is space["older"] is config


def test_what_is_not_there_is_an_import_error() -> None:
    """As for any other package, so that a guarded import keeps its other branch."""
    with pytest.raises(ModuleNotFoundError, match=r"nothing that stands for `truss_chains\.code_gen`"):
        importlib.import_module("truss_chains.code_gen")


@pytest.mark.parametrize("module", ["truss", "truss_chains"])
@pytest.mark.parametrize(("arguments", "whose"), [("", "ours"), ("is_last=True", "theirs")])
def test_an_installed_truss(tmp_path: Path, module: str, arguments: str, whose: str) -> None:
    """Is not used in chainctl's own processes, and is left alone in those that only have its plugin."""
    (tmp_path / module).mkdir()
    (tmp_path / module / "__init__.py").write_text("WHOSE = 'theirs'\n", encoding="utf-8")
    (tmp_path / module / "code_gen.py").write_text("", encoding="utf-8")
    says = SAYS.format(module=module) + (f"; import {module}.code_gen" if whose == "theirs" else "")
    assert (
        _printed(f"from chainctl.truss.alias import install; install({arguments}); {says}", tmp_path) == whose
    )


def test_installing_is_light() -> None:
    """A process that imports none of the names loads nothing for them."""
    loaded = "print(sorted(m for m in sys.modules if m.startswith('chainctl')))"
    printed = _printed(f"import sys; from chainctl.truss.alias import install; install(); {loaded}")
    assert printed == "['chainctl', 'chainctl.truss', 'chainctl.truss.alias', 'chainctl.version']"


def _printed(code: str, path: Path | None = None) -> str:
    environ = {**os.environ, "PYTHONPATH": str(path or "")}
    command = [sys.executable, "-c", code]
    return subprocess.run(command, capture_output=True, text=True, check=True, env=environ).stdout.strip()
