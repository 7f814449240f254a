"""Imports that an image will not have, and lines that are no requirements."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import chainctl as chains
from chainctl.errors import Problem
from chainctl.graph.imports import Import
from chainctl.graph.requirements import (
    invalid_requirements,
    requirement_name,
    requirement_problems,
    requirement_texts,
)

# What is installed on the machine of these tests: import names and their distributions.
MODULES = {
    "yaml": ["PyYAML"],
    "google": ["protobuf", "google-auth"],
    "pytest": ["pytest"],
    "pluggy": ["pluggy"],
}


def config_of(*requirements: str, **image: Any) -> chains.RemoteConfig:
    return chains.RemoteConfig(docker_image=chains.DockerImage(pip_requirements=list(requirements), **image))


def missing(config: chains.RemoteConfig, *modules: str) -> dict[str, str]:
    """What is reported for some top-level imports: module and severity."""
    imports = [Import(module, (), "chain.py", line, 1, True) for line, module in enumerate(modules, 1)]
    found = list(requirement_problems("A", config, imports, lambda: MODULES))
    assert {problem.code for problem in found} <= {"CH0601"}
    return {modules[problem.line - 1]: problem.severity for problem in found}


def test_nothing_is_given() -> None:
    """Without requirements there is the standard library and what the runtime needs, and nothing else."""
    modules = ("os", "json.decoder", "pydantic", "typing_extensions", "chainctl", "torch.nn", "yaml")
    assert missing(config_of(), *modules) == {"torch.nn": "error", "yaml": "error"}


@pytest.mark.parametrize(
    ("requirement", "module"),
    [
        ("torch==2.3.0", "torch.nn"),
        ("PyYAML", "yaml"),
        ("pyyaml>=6 ; python_version > '3'", "yaml"),
        ("opencv-python", "cv2"),
        ("Pillow==10.3 --hash=sha256:0", "PIL.Image"),
        ("scikit_learn[extra]~=1.0", "sklearn"),
        ("google-auth", "google.auth"),
        ("my.pkg @ https://example.org/my_pkg.whl", "my-pkg"),
        ("git+https://example.org/x.git#egg=torch", "torch"),
        ("pytest  # brings pluggy along", "pluggy"),
    ],
)
def test_provided(requirement: str, module: str) -> None:
    """A requirement provides its own module, whatever it is called, and what it depends on."""
    assert missing(config_of(requirement), module) == {}


@pytest.mark.parametrize(
    ("requirement", "severity"),
    [
        ("pytest", "error"),
        ("some-unknown-package", "warning"),
        ("git+https://example.org/x.git", "warning"),
        ("./local/package", "warning"),
        ("https://example.org/x-1.0.tar.gz", "warning"),
        ("-r other.txt", "warning"),
    ],
)
def test_certainty(requirement: str, severity: str) -> None:
    """It is an error only where it is known what the requirements bring along."""
    assert missing(config_of(requirement), "torch") == {"torch": severity}


def test_each_module_is_reported_once() -> None:
    """Of several imports of one package the first is reported."""
    assert missing(config_of(), "torch.nn", "torch", "torch.utils") == {"torch.nn": "error"}


def test_images_that_may_have_more() -> None:
    """A base image of the user's own, or commands in the build, may install anything."""
    own = config_of(base_image=chains.CustomImage(image="a:b"))
    built = chains.RemoteConfig(build_commands=["pip install torch"])
    assert missing(own, "torch") == missing(built, "torch") == {}


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        (
            "requirements.txt",
            "# c\n\n torch==2 # x\n--index-url https://a\n-r b.txt\n",
            ["torch==2 # x", "-r b.txt"],
        ),
        ("pyproject.toml", '[project]\ndependencies = ["torch", "numpy>1"]\n', ["torch", "numpy>1"]),
        ("uv.lock", '[[package]]\nname = "torch"\nversion = "2"\n', ["torch"]),
        ("pyproject.toml", "not = [toml", []),
        ("pyproject.toml", "", []),
    ],
)
def test_requirements_files(tmp_path: Path, name: str, text: str, expected: list[str]) -> None:
    """Requirements are read from pip files, project files and lock files."""
    (tmp_path / name).write_text(text)
    image = chains.DockerImage(requirements_file=chains.make_abs_path_here(str(tmp_path / name)))
    assert list(requirement_texts(image)) == expected


def test_list_and_file_are_added() -> None:
    """A list of requirements is added to a pip file's; a file that is not there adds nothing."""
    absent = chains.make_abs_path_here("no_such_file.txt")
    image = chains.DockerImage(pip_requirements=["a"], pip_requirements_file=absent)
    assert list(requirement_texts(image)) == ["a"]


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("torch", "torch"),
        ("torch [cuda] >= 2", "torch"),
        ("torch @ file:///a/b.whl", "torch"),
        ("git+https://a/b.git@main#egg=my-pkg&subdirectory=x", "my-pkg"),
        ("torch==2 --hash=sha256:0", "torch"),
        ("torch = 2", None),
        ("", None),
        ("-e .", None),
    ],
)
def test_requirement_names(text: str, name: str | None) -> None:
    """The distribution that a line names, where it names one."""
    assert requirement_name(text) == name


@pytest.mark.parametrize("text", ["torch = 2", "torch 2", "==2", "", "torch;;", "a b c"])
def test_invalid_requirements(text: str) -> None:
    """A line that pip would refuse is reported at the class."""
    (problem,) = invalid_requirements("A", config_of(text), Problem("", "", "chain.py", 3, 7, 8))
    assert (problem.code, problem.line, problem.column) == ("CH0508", 3, 7)
    assert repr(text) in problem.message


@pytest.mark.parametrize(
    "text", ["torch", "-e .", "git+ssh://a/b", "https://a/b.whl", "./a", "../a", "/a/b", "file:/a"]
)
def test_valid_requirements(text: str) -> None:
    """What pip takes is left alone."""
    assert list(invalid_requirements("A", config_of(text), Problem("", ""))) == []
