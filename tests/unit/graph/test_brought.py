"""What a file imports that a Truss server brings along, and so is asked for in its image."""

from __future__ import annotations

from pathlib import Path

import pytest

import chainctl as chains
from chainctl.graph.brought import with_brought
from chainctl.graph.imports import Import
from chainctl.sdk.paths import AbsPath

NOTHING = chains.RemoteConfig()


def imports(*modules: str) -> list[Import]:
    """Imports of modules; `module:name` takes a name from one."""
    parts = [module.partition(":") for module in modules]
    return [Import(m, (n,) if n else (), "chain.py", 1, 1, is_top_level=True) for m, _, n in parts]


def asked_for(config: chains.RemoteConfig, *modules: str) -> list[str]:
    return list(with_brought(config, imports(*modules)).docker_image.pip_requirements)


@pytest.mark.parametrize(
    ("modules", "expected"),
    [
        (("truss_chains", "fastapi", "yaml", "torch", "json"), ["fastapi", "pyyaml"]),
        (("truss_chains:pydantic_numpy",), ["numpy"]),
        (
            ("truss_chains.pydantic_numpy:NumpyArrayField", "opentelemetry.trace"),
            ["numpy", "opentelemetry-sdk"],
        ),
        (("truss.base:truss_config", "httpx"), ["httpx"]),
        (("truss_chains",), []),
    ],
)
def test_what_is_imported_is_asked_for(modules: tuple[str, ...], expected: list[str]) -> None:
    """By the names of distributions, sorted, and nothing that a Truss server has not."""
    assert asked_for(NOTHING, *modules) == expected


def test_a_file_of_our_own_stays_as_it_is() -> None:
    """Also one that asks for `truss`; and one that needs nothing is the very same value."""
    config = chains.RemoteConfig(docker_image=chains.DockerImage(pip_requirements=["truss"]))
    assert with_brought(config, imports("chainctl", "fastapi")) is config
    assert with_brought(NOTHING, imports("truss_chains", "json")) is NOTHING


def test_what_is_asked_for_already_is_not_asked_for_again() -> None:
    """However it is written; a Truss is not installed."""
    image = chains.DockerImage(pip_requirements=["FastAPI>=0.1", "truss==0.9", "PyYAML"])
    config = chains.RemoteConfig(docker_image=image, name="x")
    assert asked_for(config, "truss_chains", "fastapi", "yaml", "numpy") == [
        "FastAPI>=0.1",
        "PyYAML",
        "numpy",
    ]
    assert with_brought(config, imports("truss_chains")).name == "x"


def test_a_project_keeps_its_own_requirements(tmp_path: Path) -> None:
    """Nothing can stand beside a pyproject.toml, so the check of requirements says what is missing."""
    (tmp_path / "pyproject.toml").write_text("[project]\nname = 'a'\n", encoding="utf-8")
    place = AbsPath(str(tmp_path / "pyproject.toml"))
    config = chains.RemoteConfig(docker_image=chains.DockerImage(requirements_file=place))
    assert with_brought(config, imports("truss_chains", "fastapi")) is config
