"""Requirements, however the user keeps them, become files that pip takes."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from packaging.requirements import Requirement

from chainctl.build.requirements import (
    BRIDGE_REQUIREMENTS,
    RUNTIME_REQUIREMENTS,
    WEBSOCKET_REQUIREMENTS,
    included_names,
    included_paths,
    locked_requirements,
    pyproject_requirements,
    requirement_files,
    runtime_requirements,
)
from chainctl.errors import ChainDefinitionError
from chainctl.sdk.config import DockerImage
from tests.fakes.chains import ROOT, chainlet, graph_of, snapshot_of
from tests.unit.build.uv_lock import LOCK


def files_of(image: dict[str, Any], texts: dict[str, str]) -> tuple[dict[str, str], list[str]]:
    """The requirement files of an image by path, and the names that pip is given."""
    files, given_names = requirement_files(DockerImage.model_validate(image), snapshot_of(texts=texts))
    contents = {f.path: f.content.decode() for f in files if isinstance(f.content, bytes)}
    return contents, given_names


def test_the_runtime_is_always_required() -> None:
    """With nothing from the user, its own requirements are all."""
    contents, names = files_of({}, {})
    assert names == ["runtime.txt"]
    assert contents == {"requirements/runtime.txt": "".join(f"{r}\n" for r in RUNTIME_REQUIREMENTS)}


def test_some_chainlets_need_more() -> None:
    """One that is called by websocket, and an async one that calls a sync one."""
    talk = replace(chainlet("Talk"), is_websocket=True)
    sync = replace(chainlet("Sync"), is_async=False)
    graph = graph_of({"Talk": ["Mid"], "Mid": ["Sync"], "Sync": ()}, specs=[talk, chainlet("Mid"), sync])
    more = {
        spec.name: set(runtime_requirements(graph, spec)) - set(RUNTIME_REQUIREMENTS)
        for spec in graph.chainlets
    }
    assert more == {"Talk": set(WEBSOCKET_REQUIREMENTS), "Mid": set(BRIDGE_REQUIREMENTS), "Sync": set()}


def test_a_list_comes_after_the_runtime() -> None:
    """One line each, in the user's order."""
    contents, names = files_of({"pip_requirements": ["numpy==2.1", "a @ https://files.example/a.whl"]}, {})
    assert names == ["runtime.txt", "pip_requirements.txt"]
    assert contents["requirements/pip_requirements.txt"] == "numpy==2.1\na @ https://files.example/a.whl\n"


def test_included_files_keep_their_places_relative_to_each_other() -> None:
    """Also those above the first: pip resolves `-r ../common.txt` in the image as it does here."""
    texts = {
        f"{ROOT}/gpu/reqs.txt": "-r ../common.txt\n-c pins/c.txt\ntorch\n",
        f"{ROOT}/common.txt": "--requirement=gpu/more.txt\n",
        f"{ROOT}/gpu/more.txt": "-rreqs.txt\n",
        f"{ROOT}/gpu/pins/c.txt": "numpy<2\n",
        f"{ROOT}/unrelated.txt": "left-pad\n",
    }
    contents, names = files_of({"requirements_file": f"{ROOT}/gpu/reqs.txt"}, texts)
    assert names == ["runtime.txt", "user/gpu/reqs.txt"]
    assert set(contents) == {
        "requirements/runtime.txt",
        "requirements/user/gpu/reqs.txt",
        "requirements/user/common.txt",
        "requirements/user/gpu/more.txt",
        "requirements/user/gpu/pins/c.txt",
    }


def test_no_included_file_can_take_the_place_of_another() -> None:
    """A file above called `runtime.txt` is not the runtime's."""
    texts = {f"{ROOT}/a/reqs.txt": "-r ../runtime.txt\n", f"{ROOT}/runtime.txt": "evil\n"}
    contents, _ = files_of({"pip_requirements_file": f"{ROOT}/a/reqs.txt"}, texts)
    assert "evil" not in contents["requirements/runtime.txt"]
    assert not any(".." in path for path in contents)


@pytest.mark.parametrize(
    ("line", "names"),
    [
        ("-r a.txt", ["/p/a.txt"]),
        ("-ra.txt", ["/p/a.txt"]),
        ("  -c   a.txt  # why", ["/p/a.txt"]),
        ("--constraint=../a.txt", ["/a.txt"]),
        ("--requirement a/b.txt", ["/p/a/b.txt"]),
        ("-r https://files.example/r.txt", []),
        ("# -r a.txt", []),
        ("requests-cache", []),
        ("--no-binary :all:", []),
    ],
)
def test_includes_are_read_as_pip_reads_them(line: str, names: list[str]) -> None:
    """Short and long options, with and without a space; addresses stay where they are."""
    assert included_names("/p/r.txt", line) == names


def test_circles_of_includes_end() -> None:
    """Two files that include each other are two files."""
    texts = {"/p/a.txt": "-r b.txt", "/p/b.txt": "-r a.txt\n-r gone.txt"}
    assert included_paths("/p/a.txt", texts) == {"/p/a.txt", "/p/b.txt"}


def test_a_pyproject_gives_its_dependencies() -> None:
    """Those of the project, without groups and extras."""
    text = '[project]\nname = "x"\ndependencies = ["numpy>=2", "idna; sys_platform == \'linux\'"]\n'
    contents, names = files_of(
        {"requirements_file": f"{ROOT}/pyproject.toml"}, {f"{ROOT}/pyproject.toml": text}
    )
    assert names == ["runtime.txt", "pyproject.txt"]
    assert contents["requirements/pyproject.txt"] == "numpy>=2\nidna; sys_platform == 'linux'\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[tool.x]\n", "has no `[project] dependencies`"),
        ("[project]\nname = 'x'\n", "has no `[project] dependencies`"),
        ("[project]\ndynamic = ['dependencies']\n", "`dynamic` names them"),
        ("[project]\ndependencies = 'six'\n", "that are no list"),
        ("not toml =", "is no TOML"),
    ],
)
def test_a_pyproject_without_dependencies_is_a_problem_with_its_path(text: str, message: str) -> None:
    """CH0504 names the file, and what is the matter with it."""
    with pytest.raises(ChainDefinitionError) as raised:
        pyproject_requirements(text, "/p/pyproject.toml")
    assert [(p.code, p.path) for p in raised.value.problems] == [("CH0504", "/p/pyproject.toml")]
    assert message in raised.value.problems[0].message


def test_a_lock_becomes_pins() -> None:
    """Exact versions and commits under the markers that lead to them; no groups, no workspace members."""
    circle = "(platform_machine == 'x86_64') and (sys_platform == 'linux')"
    assert locked_requirements(LOCK, "/p/uv.lock") == (
        "anyio==4.4.0",
        "circle-a==1.0",
        "circle-b==1.0 ; sys_platform == 'linux'",
        "exceptiongroup==1.2.0 ; python_full_version < '3.11'",
        "from-git @ git+https://git.example/from-git.git@0123456789abcdef0123456789abcdef01234567",
        "from-git-subdirectory @ git+https://git.example/mono.git"
        "@89abcdef0123456789abcdef0123456789abcdef#subdirectory=python",
        "from-url @ https://files.example/from_url-2.0-py3-none-any.whl",
        "httptools==0.6.1",
        "idna==3.7",
        "numpy==1.26.4 ; python_full_version < '3.12'",
        "numpy==2.1.0 ; python_full_version >= '3.12'",
        "uvicorn[standard]==0.30.0",
        "uvloop==0.19.0 ; sys_platform != 'win32'",
    )
    assert circle not in "".join(locked_requirements(LOCK, "/p/uv.lock"))


def test_every_pin_of_a_lock_is_a_requirement() -> None:
    """As the standard defines them."""
    for pin in locked_requirements(LOCK, "/p/uv.lock"):
        assert Requirement(pin).name


def test_the_lock_is_given_to_pip() -> None:
    """As a file of its own."""
    contents, names = files_of({"requirements_file": f"{ROOT}/uv.lock"}, {f"{ROOT}/uv.lock": LOCK})
    assert names == ["runtime.txt", "uv_lock.txt"]
    assert contents["requirements/uv_lock.txt"].startswith("anyio==4.4.0\n")


@pytest.mark.parametrize(
    "text",
    [
        "version = 1\n",
        '[[package]]\nname = "a"\nversion = "1"\nsource = { registry = "https://index.example" }\n',
        '[[package]]\nname = "p"\nsource = { virtual = "." }\ndependencies = [{ name = "w" }]\n'
        '[[package]]\nname = "w"\nversion = "1"\nsource = { path = "w.whl" }\n',
    ],
)
def test_a_lock_that_cannot_be_pinned_is_a_problem(text: str) -> None:
    """Without a project of its own, or with a package that only this machine has."""
    with pytest.raises(ChainDefinitionError, match="1 problem") as raised:
        locked_requirements(text, "/p/uv.lock")
    assert raised.value.problems[0].code == "CH0504"


MARKERS = ["", "sys_platform == 'linux'", "python_version < '3.12'", "os_name == 'nt'"]


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5), st.sampled_from(MARKERS)), max_size=14))
def test_any_lock_ends_and_pins_what_is_reachable(edges: list[tuple[int, int, str]]) -> None:
    """Circles with markers come to an end, and nothing unreachable is installed."""
    text = lock_text(edges)
    pins = locked_requirements(text, "/p/uv.lock")
    assert {Requirement(pin).name for pin in pins} == {f"p{n}" for n in reachable(edges)}
    assert pins == tuple(sorted(set(pins)))


def lock_text(edges: list[tuple[int, int, str]]) -> str:
    """A lock whose project needs p0."""
    text = '[[package]]\nname = "root"\nsource = { virtual = "." }\ndependencies = [{ name = "p0" }]\n'
    for node in range(6):
        needs = [f'{{ name = "p{b}", marker = "{m}" }}' for a, b, m in edges if a == node]
        text += f'[[package]]\nname = "p{node}"\nversion = "{node}"\ndependencies = [{", ".join(needs)}]\n'
    return text


def reachable(edges: list[tuple[int, int, str]]) -> set[int]:
    """The nodes that 0 leads to."""
    found, waiting = set[int](), [0]
    while waiting:
        node = waiting.pop()
        if node not in found:
            found.add(node)
            waiting += [b for a, b, _ in edges if a == node]
    return found
