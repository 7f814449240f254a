"""What chainlets ask for, grouped; and what decides whether they ask for the same."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from chainctl.build.lock import BaseFacts
from chainctl.build.requirement_lines import Asked
from chainctl.build.settings import BuildSettings
from chainctl.build.wanted import (
    Wanted,
    base_images,
    custom_bases,
    list_line,
    torch_backend,
    uv_target,
    wanted_environments,
)
from chainctl.errors import ChainDefinitionError, ExitCode, Problem
from chainctl.graph.graph import ChainGraph
from tests.fakes.chains import ROOT, chainlet, graph_of, snapshot_of


def graph(**images: dict[str, Any]) -> ChainGraph:
    """Chainlets by name, with their docker_image or a whole configuration."""
    specs = []
    for name, image in images.items():
        config = image if "compute" in image else {"docker_image": image}
        specs.append(chainlet(name, config=config))
    return graph_of({name: [] for name in images}, specs=specs)


def wanted(
    chain: ChainGraph,
    texts: dict[str, str] | None = None,
    settings: BuildSettings | None = None,
    facts: dict[str, BaseFacts] | None = None,
) -> tuple[Wanted, ...]:
    snapshot = snapshot_of(texts={f"{ROOT}/{name}": text for name, text in (texts or {}).items()})
    return wanted_environments(chain, snapshot, settings or BuildSettings(), facts or {})


def own(one: Wanted) -> list[tuple[str, str, int]]:
    """What the user asks for, without the runtime's."""
    return [(a.text, a.path.removeprefix(f"{ROOT}/"), a.line) for a in one.asked if not a.is_runtime]


def problems_of(*arguments: Any, **named: Any) -> tuple[Problem, ...]:
    with pytest.raises(ChainDefinitionError) as caught:
        wanted(*arguments, **named)
    assert caught.value.exit_code is ExitCode.CHAIN_PROBLEMS
    return caught.value.problems


def test_chainlets_that_ask_for_the_same_share() -> None:
    """Whatever the order, and wherever it is written down."""
    found = wanted(
        graph(
            A={"pip_requirements": ["numpy", "scipy"]},
            B={"pip_requirements": ["scipy", "numpy"]},
            C={"requirements_file": f"{ROOT}/requirements.txt"},
            D={"pip_requirements": ["numpy"]},
        ),
        {"requirements.txt": "# comment\nnumpy\n\nscipy\n"},
    )
    assert [one.chainlets for one in found] == [("A", "B", "C"), ("D",)]


@pytest.mark.parametrize(
    ("image", "settings"),
    [
        ({"pip_requirements": ["numpy<2"]}, {}),
        ({"pip_requirements": ["numpy"], "base_image": "py312"}, {}),
        ({"pip_requirements": ["numpy"]}, {"index_url": "https://mirror/simple"}),
        ({"pip_requirements": ["numpy"]}, {"extra_index_urls": ("https://more/simple",)}),
        ({"pip_requirements": ["numpy"]}, {"platform": "linux/arm64"}),
        ({"pip_requirements": ["numpy", "--pre"]}, {}),
    ],
)
def test_what_changes_the_digest(image: dict[str, Any], settings: dict[str, Any]) -> None:
    """Everything that may change what is installed."""
    (plain,) = wanted(graph(A={"pip_requirements": ["numpy"]}))
    (other,) = wanted(graph(A=image), settings=BuildSettings(**settings))
    assert plain.digest != other.digest


def test_names_and_secrets_are_not_in_the_digest() -> None:
    """Renaming a chainlet or the secret of an index changes nothing."""
    (plain,) = wanted(graph(A={"pip_requirements": ["numpy"]}))
    (other,) = wanted(
        graph(B={"pip_requirements": ["numpy"]}), settings=BuildSettings(index_credentials_secret="x")
    )
    assert plain.digest == other.digest


def test_each_form_of_requirements_has_places() -> None:
    """A pyproject and a uv.lock, line by line."""
    project = '[project]\nname = "p"\ndependencies = [\n    "numpy>=1",\n    "scipy",\n]\n'
    (found,) = wanted(graph(A={"requirements_file": f"{ROOT}/pyproject.toml"}), {"pyproject.toml": project})
    assert own(found) == [("numpy>=1", "pyproject.toml", 4), ("scipy", "pyproject.toml", 5)]
    locked = (
        '[[package]]\nname = "numpy"\nversion = "2.1"\nsource = { registry = "x" }\n'
        '[[package]]\nname = "p"\nversion = "1"\nsource = { virtual = "." }\ndependencies = [{ name = "numpy" }]\n'
    )
    (found,) = wanted(graph(A={"requirements_file": f"{ROOT}/uv.lock"}), {"uv.lock": locked})
    assert own(found) == [("numpy==2.1", "uv.lock", 2)]


def test_the_runtime_asks_too() -> None:
    """With ours as its place."""
    (found,) = wanted(graph(A={}))
    assert {one.path for one in found.asked} == {"chainctl"}
    assert "pydantic>=2.9,<3" in {one.text for one in found.asked}


def test_all_lines_that_cannot_be_locked_are_reported_at_once() -> None:
    """Of all chainlets; each once."""
    found = problems_of(
        graph(A={"requirements_file": f"{ROOT}/r.txt"}, B={"pip_requirements": ["https://me:word@host/x.whl"]},
              C={"requirements_file": f"{ROOT}/r.txt"}),
        {"r.txt": "this is bad\n-r absent.txt\n"},
    )  # fmt: skip
    assert [(p.code, p.path, p.line) for p in found] == [
        ("CH0810", f"{ROOT}/r.txt", 1),
        ("CH0810", f"{ROOT}/r.txt", 2),
        ("CH0809", f"{ROOT}/chain.py", 1),
    ]


def test_credentials_in_settings_are_refused() -> None:
    """They belong into a secret."""
    (problem,) = problems_of(graph(A={}), settings=BuildSettings(index_url="https://me:word@host/simple"))
    assert (problem.code, "word@" in str(problem)) == ("CH0809", False)
    assert "index_credentials_secret" in problem.help


LOCKED_PROJECT = '[[package]]\nname = "own"\nversion = "1"\nsource = { virtual = "." }\n'


def test_a_package_of_this_machine_must_be_a_project() -> None:
    """The message tells what is not there from what is no project."""
    (problem,) = problems_of(graph(A={"pip_requirements": ["./nothing"]}))
    assert (problem.code, "does not exist" in problem.message) == ("CH0810", True)
    empty = snapshot_of(trees={f"{ROOT}/nothing": {}})
    with pytest.raises(ChainDefinitionError) as raised:
        wanted_environments(graph(A={"pip_requirements": ["./nothing"]}), empty, BuildSettings(), {})
    assert "is no Python project" in raised.value.problems[0].message


@pytest.mark.parametrize(
    ("wanted_python", "is_fine"),
    [(">=3.12", False), ("<3.11", False), ("==3.10.*", False), (">=3.11", True), (">=3.11.4,<3.13", True),
     ("~=3.11.2", True), ("nonsense", True)],
)  # fmt: skip
@pytest.mark.parametrize("name", ["pyproject.toml", "uv.lock"])
def test_a_file_for_other_pythons_is_refused(name: str, wanted_python: str, *, is_fine: bool) -> None:
    """Its pins may leave out what the Python of the image needs."""
    line = f'requires-python = "{wanted_python}"\n'
    text = (
        f"[project]\n{line}dependencies = []\n"
        if name == "pyproject.toml"
        else f"version = 1\n{line}{LOCKED_PROJECT}"
    )
    chain = graph(A={"requirements_file": f"{ROOT}/{name}"})
    if is_fine:
        assert wanted(chain, {name: text})
        return
    (problem,) = problems_of(chain, {name: text})
    assert (problem.code, problem.path, problem.line) == ("CH0504", f"{ROOT}/{name}", 2)
    assert f"is for Python {wanted_python}, and the image of `A` has 3.11" in problem.message


def test_an_edit_of_a_local_package_changes_the_lock_only_where_it_declares() -> None:
    """Its code is no input; its pyproject.toml is."""

    def digest(code: str, project: str) -> str:
        tree = {"pyproject.toml": project, "lib.py": code}
        snapshot = snapshot_of(trees={f"{ROOT}/lib": tree}, texts={f"{ROOT}/lib/pyproject.toml": project})
        chain = graph(A={"pip_requirements": ["./lib"]})
        (found,) = wanted_environments(chain, snapshot, BuildSettings(), {})
        return found.digest

    project = '[project]\nname = "lib"\n'
    assert digest("a = 1", project) == digest("a = 2", project)
    assert digest("a = 1", project) != digest("a = 1", project + "dependencies = []\n")


def test_own_base_images_are_asked_for_their_python() -> None:
    """What was found decides, libc included."""
    chain = graph(A={"base_image": {"image": "own:1", "python_executable_path": "/opt/python"}}, B={})
    assert custom_bases(chain, BuildSettings()) == {"own:1": {"/opt/python"}}
    assert base_images(chain, BuildSettings()) == ["own:1", "python:3.11-slim"]
    facts = {"own:1": BaseFacts({"/opt/python": "3.12"}, "glibc 2.36")}
    found, _ = wanted(chain, facts=facts)
    assert (found.python, found.target) == ("3.12", "x86_64-manylinux_2_36")


def test_a_python_that_is_too_old_is_a_problem() -> None:
    """In an own image and in a default one."""
    chain = graph(A={"base_image": {"image": "own:1"}}, B={"base_image": "py39"})
    found = problems_of(chain, facts={"own:1": BaseFacts({"python3": "3.8"})})
    assert [p.code for p in found] == ["CH0811", "CH0811"]
    assert "own:1 has Python 3.8" in found[0].message
    assert "python:3.9-slim has Python 3.9" in found[1].message


@pytest.mark.parametrize(
    ("platform", "libc", "target"),
    [
        ("linux/amd64", "", "x86_64-manylinux_2_28"),
        ("linux/arm64", "glibc 2.31", "aarch64-manylinux_2_31"),
        ("linux/amd64", "glibc 2.17", "x86_64-manylinux_2_28"),
        ("linux/amd64", "glibc 2.99", "x86_64-manylinux_2_40"),
        ("linux/amd64", "musl", "x86_64-unknown-linux-musl"),
    ],
)
def test_platforms_in_uvs_words(platform: str, libc: str, target: str) -> None:
    """What uv knows, at most."""
    assert uv_target(platform, libc) == target


@pytest.mark.parametrize(
    ("gpu", "text", "places", "cpu_wheels", "backend"),
    [
        (None, "torch", (), True, "cpu"),
        (None, "sentence-transformers", (), True, "cpu"),
        ("T4", "torch", (), True, ""),
        (None, "torch==2.5.1+cu121", (), True, ""),
        (None, "torch", ("https://download.pytorch.org/whl/cu121",), True, ""),
        (None, "torch", (), False, ""),
    ],
)
def test_cpu_builds_are_chosen_without_a_gpu(
    gpu: str | None, text: str, places: tuple[str, ...], cpu_wheels: bool, backend: str
) -> None:
    """Unless the user chose, in a line, by an index or in the settings."""
    settings = BuildSettings(cpu_wheels=cpu_wheels)
    assert torch_backend(gpu, [Asked(text, "r.txt")], places, settings) == backend


def test_a_gpu_chainlet_has_an_environment_of_its_own() -> None:
    """The other one has builds for the CPU."""
    image = {"pip_requirements": ["torch"]}
    found = wanted(
        graph(A={"docker_image": image, "compute": {"gpu": "T4"}}, B={"docker_image": image, "compute": {}})
    )
    assert [(one.chainlets, one.torch_backend) for one in found] == [(("A",), ""), (("B",), "cpu")]


def test_a_line_of_a_list_is_found_in_the_chain_file() -> None:
    """The nearest one behind the chainlet's class, any one otherwise."""
    source = 'x = ["numpy"]\n\nclass A:\n    y = [\n        "numpy",\n    ]\n'
    assert (list_line("numpy", source, 3), list_line("numpy", source, 9), list_line("absent", source, 3)) == (
        5,
        1,
        3,
    )


def test_digest_is_stable() -> None:
    """A change of this value makes every lock stale: bump the version of the digest on purpose only."""
    one = Wanted(("A",), (Asked("numpy", "r.txt", 1),), "3.11", "linux/amd64", "x86_64-manylinux_2_28")
    moved = replace(one, asked=(Asked("numpy", "other.txt", 9),), chainlets=("B",))
    assert one.digest == moved.digest
    assert one.digest == "4f80446c2e6aa44e6c80e6522d729660438a967db15b4bdf0ac45964da4bf4f0"


def test_sources_of_a_pyproject_count() -> None:
    """A dependency comes from where uv's own table says, or it is a problem: never from elsewhere."""
    project = (
        '[project]\nname = "p"\ndependencies = ["a[x]>=1", "b ; python_version > '
        "'3'"
        '", "c", "d"]\n'
        '[tool.uv.sources]\na = { git = "https://host/a.git", tag = "v1" }\nb = { url = "https://host/b.whl" }\n'
    )
    (found,) = wanted(graph(A={"requirements_file": f"{ROOT}/pyproject.toml"}), {"pyproject.toml": project})
    assert [text for text, _, _ in own(found)] == [
        "a[x] @ git+https://host/a.git@v1",
        "b @ https://host/b.whl ; python_version > '3'",
        "c",
        "d",
    ]
    shared = project + "d = { workspace = true }\n"
    (problem,) = problems_of(
        graph(A={"requirements_file": f"{ROOT}/pyproject.toml"}), {"pyproject.toml": shared}
    )
    assert (problem.code, "source of d" in problem.message) == ("CH0810", True)


def test_hashes_of_a_line_are_inputs() -> None:
    """They are no part of the requirement."""
    (plain,) = wanted(graph(A={"pip_requirements": ["numpy==1"]}))
    (bound,) = wanted(graph(A={"pip_requirements": ["numpy==1 --hash=sha256:ab"]}))
    assert [one.text for one in plain.asked] == [one.text for one in bound.asked]
    assert bound.asked[0].hashes == ("sha256:ab",)
    assert plain.digest != bound.digest
