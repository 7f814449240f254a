"""uv against a small index on loopback: what is locked, and every way in which it cannot be."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from chainctl.adapters.uv.compile import UvResolver
from chainctl.build.lock import Environment
from chainctl.build.settings import BuildSettings
from chainctl.build.settle import Task, Upgrade
from chainctl.build.wanted import Wanted, wanted_environments
from chainctl.errors import LockError, Problem
from tests.fakes.chains import ROOT, chainlet, graph_of, snapshot_of
from tests.fakes.index import PASSWORD, USER, Index, serving

KEEP_ALL = Upgrade()


@pytest.fixture
def index(tmp_path: Path) -> Iterator[Index]:
    """An index with what the runtime needs, and `alpha`, which needs `beta`."""
    (tmp_path / "index").mkdir()
    with serving(tmp_path / "index") as served:
        served.add_runtime()
        served.add("alpha", "1.0", "beta<2")
        served.add("alpha", "2.0", "beta>=2")
        for version in ("1.5", "2.1"):
            served.add("beta", version)
        yield served


@pytest.fixture
def resolver(tmp_path: Path) -> UvResolver:
    """A resolver with a cache of its own, that does not try again."""
    environ = {**os.environ, "UV_CACHE_DIR": str(tmp_path / "cache"), "UV_HTTP_RETRIES": "0"}
    return UvResolver(Path(ROOT), environ)


Wish = Callable[..., Wanted]


@pytest.fixture
def wish(index: Index) -> Wish:
    """What one chainlet asks for, given as a list, or as the texts of files."""

    def wanted(
        *listed: str,
        texts: Mapping[str, str] | None = None,
        settings: BuildSettings | None = None,
        **config: Any,
    ) -> Wanted:
        image: dict[str, Any] = {"pip_requirements": list(listed)}
        if texts:
            image["requirements_file"] = f"{ROOT}/{next(iter(texts))}"
        spec = chainlet("Transcribe", config={"docker_image": {**image, **config}})
        snapshot = snapshot_of(texts={f"{ROOT}/{name}": text for name, text in (texts or {}).items()})
        chosen = settings or BuildSettings(index_url=index.url)
        return wanted_environments(graph_of({"Transcribe": []}, specs=[spec]), snapshot, chosen, {})[0]

    return wanted


def pins(environment: Environment) -> dict[str, str]:
    return {package.name: package.requirement.partition("==")[2] for package in environment.packages}


def refused(resolver: UvResolver, wanted: Wanted) -> Problem:
    """The one problem that resolving ends with."""
    with pytest.raises(LockError) as caught:
        resolver.resolve(Task(wanted, "all"), KEEP_ALL)
    (problem,) = caught.value.problems
    return problem


def test_everything_is_pinned_with_hashes(resolver: UvResolver, wish: Wish, index: Index) -> None:
    """What is asked for, what that needs, what the runtime needs; each says who asked."""
    found = resolver.resolve(Task(wish("alpha<2", texts={"requirements.txt": "beta\n"}), "all"), KEEP_ALL)
    assert pins(found)["alpha"] == "1.0"
    assert pins(found)["beta"] == "1.5"
    assert pins(found)["pydantic"] == "2.10"
    by_name = {package.name: package for package in found.packages}
    assert list(by_name) == sorted(by_name)
    assert by_name["alpha"].hashes == (index.digest("alpha-1.0-py3-none-any.whl"),)
    assert by_name["alpha"].via == ("chain.py",)
    assert by_name["beta"].via == ("alpha", "requirements.txt")
    assert by_name["pydantic"].via == ("chainctl",)
    assert found.indexes == (index.url,)


def test_pins_are_kept_when_other_things_change(resolver: UvResolver, wish: Wish, index: Index) -> None:
    """A newer version is taken only for what is to be upgraded, or for all."""
    first = resolver.resolve(Task(wish("beta<2"), "all"), KEEP_ALL)
    index.add("beta", "1.9")
    index.add("uvicorn", "9.9")
    more = wish("beta<2", "alpha")
    again = pins(resolver.resolve(Task(more, "all", first), KEEP_ALL))
    assert (again["beta"], again["uvicorn"], again["alpha"]) == ("1.5", "9.0", "1.0")
    named = pins(resolver.resolve(Task(more, "all", first), Upgrade(packages=("beta",))))
    assert (named["beta"], named["uvicorn"]) == ("1.9", "9.0")
    anew = pins(resolver.resolve(Task(more, "all", first), Upgrade(everything=True)))
    assert (anew["beta"], anew["uvicorn"]) == ("1.9", "9.9")


def test_constraints_bind_and_are_named(resolver: UvResolver, wish: Wish) -> None:
    """A constraint file is no wish of its own."""
    texts = {"requirements.txt": "-c limits.txt\nalpha\n", "limits.txt": "beta<2\nnever-asked-for==1\n"}
    found = resolver.resolve(Task(wish(texts=texts), "all"), KEEP_ALL)
    assert pins(found)["alpha"] == "1.0"
    beta = next(package for package in found.packages if package.name == "beta")
    assert beta.via == ("alpha", "limits.txt (constraint)")


def test_a_conflict_of_two_lines_names_both(resolver: UvResolver, wish: Wish) -> None:
    """With the chainlet, and the way out."""
    texts = {"requirements.txt": "# ours\nalpha==1.0\n-r more.txt\n", "more.txt": "beta>=2\n"}
    problem = refused(resolver, wish(texts=texts))
    assert problem.code == "CH0801"
    assert problem.message == "`Transcribe`: `alpha==1.0` and `beta>=2` cannot be installed together"
    assert (problem.path, problem.line) == (f"{ROOT}/requirements.txt", 2)
    assert "requirements.txt:2 asks for `alpha==1.0`" in problem.note
    assert "more.txt:1 asks for `beta>=2`" in problem.note
    assert "alpha<=1.0 depends on beta<2" in problem.note
    assert "a chainlet of its own" in problem.help


def test_a_conflict_with_the_runtime_says_so(resolver: UvResolver, wish: Wish) -> None:
    """Our line is marked as ours, and the hint says how to isolate the package."""
    problem = refused(resolver, wish(texts={"requirements.txt": "pydantic==1.10.2\n"}))
    assert problem.code == "CH0801"
    assert (problem.path, problem.line) == (f"{ROOT}/requirements.txt", 1)
    assert "chainctl asks for `pydantic>=2.9,<3`, for its runtime in the image" in problem.note
    assert "requirements.txt:1 asks for `pydantic==1.10.2`" in problem.note
    assert "build_commands" in problem.help


def test_the_users_pins_win(resolver: UvResolver, wish: Wish) -> None:
    """The runtime takes the version that the user asks for, though there are newer ones."""
    assert pins(resolver.resolve(Task(wish("pydantic==2.9"), "all"), KEEP_ALL))["pydantic"] == "2.9"


@pytest.mark.parametrize("asked", ["zeta", "alpha==7", "alpha>=9"])
def test_a_missing_package_is_named(asked: str, resolver: UvResolver, wish: Wish) -> None:
    """No index has it, or not in that version."""
    problem = refused(resolver, wish(texts={"requirements.txt": f"\n{asked}\n"}))
    assert problem.code == "CH0802"
    assert (problem.path, problem.line) == (f"{ROOT}/requirements.txt", 2)
    assert asked.split("=")[0].rstrip(">") in problem.message


def test_a_package_for_other_pythons_is_missing(resolver: UvResolver, wish: Wish, index: Index) -> None:
    """The message names the Python of the image."""
    index.add("newer", "1.0", python=">=3.13")
    index.add("windows", "1.0", tag="cp311-cp311-win_amd64")
    assert "runs on Python 3.11" in refused(resolver, wish("newer")).message
    problem = refused(resolver, wish("windows"))
    assert (problem.code, "linux/amd64" in problem.message) == ("CH0802", True)


def test_a_yanked_pin_is_an_error(resolver: UvResolver, wish: Wish, index: Index) -> None:
    """Its authors' reason is told."""
    index.yanked["beta-1.5-py3-none-any.whl"] = "loses data"
    problem = refused(resolver, wish(texts={"requirements.txt": "beta==1.5\n"}))
    assert problem.code == "CH0803"
    assert problem.message == "`Transcribe`: beta 1.5 was withdrawn by its authors: loses data"
    assert (problem.path, problem.line) == (f"{ROOT}/requirements.txt", 1)


def test_a_silent_index_is_named(resolver: UvResolver, wish: Wish, index: Index) -> None:
    """One that fails, one where nobody listens."""
    failing = refused(resolver, wish("alpha", settings=BuildSettings(index_url=index.broken_url)))
    nobody = refused(resolver, wish("alpha", settings=BuildSettings(index_url="http://127.0.0.1:9/simple")))
    assert (failing.code, nobody.code) == ("CH0804", "CH0804")
    assert f"127.0.0.1:{index.port}" in failing.message


def test_an_index_that_wants_credentials_is_named(resolver: UvResolver, wish: Wish, index: Index) -> None:
    """Without any, and with wrong ones, which are told to nobody."""
    wanted = wish("alpha", settings=BuildSettings(index_url=index.private_url))
    assert refused(resolver, wanted).code == "CH0805"
    wrong = replace(resolver, credentials=lambda: index.netrc.replace(PASSWORD, "wrong-word"))
    problem = refused(wrong, wanted)
    assert problem.code == "CH0805"
    assert "wrong-word" not in str(problem) + problem.note + problem.help


def test_credentials_are_used_and_kept_nowhere(
    resolver: UvResolver, wish: Wish, index: Index, tmp_path: Path
) -> None:
    """Neither in the environment that results nor in a file that stays."""
    given = replace(resolver, credentials=lambda: index.netrc)
    settings = BuildSettings(index_url=index.url, extra_index_urls=(index.private_url,))
    found = given.resolve(Task(wish("alpha", settings=settings), "all"), KEEP_ALL)
    assert found.indexes == (index.private_url, index.url)
    assert any(path.startswith("/private/files/") for path in index.asked)
    assert PASSWORD not in repr(found) + repr(given)
    files = [path for path in (tmp_path / "cache").rglob("*") if path.is_file()]
    assert [path for path in files if PASSWORD.encode() in path.read_bytes()] == []


def test_the_users_environment_does_not_choose_versions(
    resolver: UvResolver, wish: Wish, index: Index
) -> None:
    """A lock is the same for everybody: uv's own variables for indexes and versions are not heard."""
    odd = {"UV_INDEX_URL": "http://127.0.0.1:9/", "UV_PRERELEASE": "allow", "UV_RESOLUTION": "lowest"}
    found = replace(resolver, environ={**resolver.environ, **odd}).resolve(
        Task(wish("alpha"), "all"), KEEP_ALL
    )
    assert pins(found)["alpha"] == "2.0"


def test_a_package_of_this_machine_is_locked_by_its_place(
    resolver: UvResolver, index: Index, tmp_path: Path
) -> None:
    """Its dependencies are pinned; the lock has its relative place, not where it is here."""
    project = tmp_path / "project"
    (project / "mylib").mkdir(parents=True)
    (project / "mylib/pyproject.toml").write_text(
        '[project]\nname = "My_Lib"\nversion = "1.0"\ndependencies = ["beta<2"]\n'
    )
    archive = index.add("gamma", "1.0", "beta")
    (project / archive.name).write_bytes(archive.read_bytes())
    archive.unlink()
    (project / "requirements.txt").write_text(f"-e ./mylib\n./{archive.name}\n")
    from chainctl.adapters.files import take_lock_snapshot

    config = {"docker_image": {"requirements_file": str(project / "requirements.txt")}}
    spec = replace(chainlet("One", config=config), path=str(project / "chain.py"))
    graph = replace(graph_of({"One": []}, specs=[spec]), root=str(project), path=str(project / "chain.py"))
    settings = BuildSettings(index_url=index.url)
    (wanted,) = wanted_environments(graph, take_lock_snapshot(graph), settings, {})
    found = replace(resolver, root=project).resolve(Task(wanted, "all"), KEEP_ALL)
    local = {p.name: (p.requirement, p.path) for p in found.local_packages}
    assert local == {
        "gamma": (f"gamma @ ./local/{archive.name}", archive.name),
        "my-lib": ("my-lib @ ./local/my-lib", "mylib"),
    }
    assert pins(found)["beta"] == "1.5"
    assert str(tmp_path) not in repr(found)


def test_a_repository_that_cannot_be_reached_is_named(
    resolver: UvResolver, wish: Wish, tmp_path: Path
) -> None:
    """With git's own words."""
    text = f"thing @ git+file://{tmp_path}/nothing.git@main\n"
    problem = refused(resolver, wish(texts={"requirements.txt": text}))
    assert problem.code == "CH0813"
    assert (problem.path, problem.line) == (f"{ROOT}/requirements.txt", 1)


def test_user_names_are_taken_out_of_errors(resolver: UvResolver, wish: Wish, index: Index) -> None:
    """Whatever uv says."""
    from chainctl.adapters.uv.compile import redacted

    said = redacted(f"could not log in as {USER} with {PASSWORD}", index.netrc)
    assert said == "could not log in as [REDACTED] with [REDACTED]"


def test_hashes_of_the_users_lines_bind(resolver: UvResolver, wish: Wish, index: Index) -> None:
    """Other files of the version are not locked; where none fits, that is an error."""
    index.add("beta", "1.5", tag="py2.py3-none-any")
    allowed = index.digest("beta-1.5-py3-none-any.whl")
    found = resolver.resolve(
        Task(wish(texts={"requirements.txt": f"beta==1.5 --hash={allowed}\n"}), "all"), KEEP_ALL
    )
    assert next(package for package in found.packages if package.name == "beta").hashes == (allowed,)
    other = f"alpha\nbeta==2.1 \\\n    --hash=sha256:{'0' * 64}\n"
    problem = refused(resolver, wish(texts={"requirements.txt": other}))
    assert (problem.code, problem.line) == ("CH0802", 2)
    assert "with one of the hashes" in problem.message


def test_a_cancelled_resolution_ends(resolver: UvResolver, wish: Wish) -> None:
    """Though the index accepts the connection and says nothing; a later one does not begin."""
    with socket.create_server(("127.0.0.1", 0)) as silent, ThreadPoolExecutor(1) as pool:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/simple"
        wanted = wish("alpha", settings=BuildSettings(index_url=url))
        running = pool.submit(resolver.resolve, Task(wanted, "all"), KEEP_ALL)
        silent.accept()[0].close()
        resolver.cancel()
        with pytest.raises(LockError):
            running.result(timeout=30)
    with pytest.raises(LockError):
        resolver.resolve(Task(wanted, "all"), KEEP_ALL)
