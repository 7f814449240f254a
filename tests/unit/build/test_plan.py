"""A graph and its files become Dockerfiles, shims and names; the texts are golden."""

from __future__ import annotations

import ast
import json
import shlex
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chainctl.build.base import Base
from chainctl.build.lock import BaseFacts, Environment, Lock, LockedPackage
from chainctl.build.plan import BuildPlan, build_context, plan_build, repository_part
from chainctl.build.settings import BuildSettings
from chainctl.build.snapshot import SnapshotFile, SourceSnapshot
from chainctl.errors import ChainDefinitionError
from chainctl.graph.graph import ChainGraph
from tests.fakes.chains import ROOT, chainlet, graph_of, snapshot_file, snapshot_of
from tests.unit.build.dockerfile_reader import has_heredoc, instructions, pairs
from tests.unit.build.uv_lock import LOCK

Golden = Callable[[str, str], None]
GOLDEN_DIR = Path(__file__).resolve().parent.parent.parent / "golden" / "dockerfiles"

FULL: dict[str, Any] = {
    "docker_image": {
        "base_image": {"image": "registry.example/base:1", "python_executable_path": "/opt/py/bin/python"},
        "apt_requirements": ["ffmpeg", "libsndfile1 git", "tool=1.0~rc1"],
        "pip_requirements": ["numpy==2.1"],
        "pip_requirements_file": f"{ROOT}/gpu/reqs.txt",
        "data_dir": f"{ROOT}/data",
        "external_package_dirs": [f"{ROOT}/lib", f"{ROOT}/more"],
    },
    "build_commands": [
        "python -c 'import torch'",
        "set -e\n# not a comment of the Dockerfile\ncat > /x <<EOF\nUSER root\nEOF",
        "echo ends with a \\",
        "  ",
    ],
    "options": {
        "enable_debug_logs": True,
        "env_variables": {
            "QUOTES": "say \"hi\" and 'ho'",
            "DOLLAR": "$HOME ${PATH:-x} $$",
            "LINES": "one\n# two\\\nUSER root",
            "SPACES": "  in and around  ",
            "BACKSLASH": "C:\\dir\\",
            "EMPTY": "",
        },
    },
}
FULL_BASE = "registry.example/base:1"
DIGEST = f"sha256:{'0a' * 32}"
SETTINGS = BuildSettings(
    base_images={"3.11": "mirror.example/python:3.11"},
    certificates=(f"{ROOT}/ca/one.pem", f"{ROOT}/ca/two.pem"),
)


def full_snapshot() -> SourceSnapshot:
    """What the full chainlet needs."""
    return snapshot_of(
        {"chain.py": "# chain\n", "ca/one.pem": "1", "ca/two.pem": "2"},
        trees={f"{ROOT}/data": {"a.bin": "a"}, f"{ROOT}/lib": {"m.py": "1"}, f"{ROOT}/more": {"m.py": "2"}},
        texts={f"{ROOT}/gpu/reqs.txt": "-r ../c.txt\n", f"{ROOT}/c.txt": "idna\n"},
    )


def planned(
    config: dict[str, Any] | None = None,
    snapshot: SourceSnapshot | None = None,
    settings: BuildSettings | None = None,
    *,
    name: str = "Leaf",
    chain: str = "shop",
    lock: Lock | None = None,
) -> BuildPlan:
    """The plan of a chain of one chainlet."""
    graph = graph_of({name: []}, specs=[chainlet(name, config=config)])
    return plan_build(graph, chain, snapshot or snapshot_of(), settings or BuildSettings(), lock)


def lock_of(
    *packages: LockedPackage,
    digest: str = "",
    image: str = "python:3.11-slim",
    is_local: bool = False,
    indexes: tuple[str, ...] = (),
    links: tuple[str, ...] = (),
) -> Lock:
    """A lock of the chainlet Leaf; `digest` is what `image` is pinned to."""
    wanted = packages or (LockedPackage("numpy", "numpy==2.1.0", ("sha256:aa", "sha256:bb")),)
    environment = Environment("0" * 64, "3.11", "linux/amd64", wanted, indexes, links)
    pins = {image: digest} if digest else {}
    return Lock({"e1": environment}, {"Leaf": "e1"}, pins, {image: BaseFacts(is_local=is_local)})


def dockerfile(plan: BuildPlan) -> str:
    """The Dockerfile of the first image."""
    return plan.images[0].context.text_of("Dockerfile")


def with_file(name: str, text: str) -> BuildPlan:
    """A plan with requirements from a file."""
    config = {"docker_image": {"requirements_file": f"{ROOT}/{name}"}}
    return planned(config, snapshot_of(texts={f"{ROOT}/{name}": text}))


CASES: dict[str, Callable[[], BuildPlan]] = {
    "default": planned,
    "full": lambda: planned(FULL, full_snapshot(), SETTINGS),
    "python-3.13": lambda: planned({"docker_image": {"base_image": "py313"}}),
    "mirror": lambda: planned(settings=BuildSettings(base_images={"3.11": "mirror.example/python:3.11"})),
    "pip-file": lambda: with_file("my reqs.txt", "numpy\n"),
    "pyproject": lambda: with_file("pyproject.toml", '[project]\ndependencies = ["numpy"]\n'),
    "uv-lock": lambda: with_file("uv.lock", LOCK),
    "locked": lambda: planned(lock=lock_of()),
    "locked-digest": lambda: planned(lock=lock_of(digest=DIGEST)),
    "locked-id": lambda: planned(
        FULL, full_snapshot(), SETTINGS, lock=lock_of(digest=DIGEST, image=FULL_BASE, is_local=True)
    ),
}


@pytest.mark.parametrize("case", sorted(CASES))
def test_dockerfiles_are_golden(case: str, golden: Golden) -> None:
    """The text of each kind of chainlet, and the list of the files it is built from."""
    context = CASES[case]().images[0].context
    golden(f"dockerfiles/{case}.Dockerfile", context.text_of("Dockerfile"))
    golden(f"dockerfiles/{case}.files", "".join(f"{file.mode:o} {file.path}\n" for file in context.files))


def test_what_installs_a_lock_is_golden(golden: Golden) -> None:
    """The packages with their hashes, and the program that installs them."""
    indexes = ("https://mirror.example/simple", "https://more.example/simple")
    lock = lock_of(indexes=indexes, links=("https://wheels.example/page",))
    context = planned(lock=lock).images[0].context
    golden("dockerfiles/locked.txt", context.text_of("requirements/locked.txt"))
    golden("dockerfiles/install.py.txt", context.text_of("install.py"))


@pytest.mark.parametrize("name", ["shim", "full-shim"])
def test_shims_are_golden(name: str, golden: Golden) -> None:
    """The few lines that start a chainlet."""
    plan = planned() if name == "shim" else CASES["full"]()
    golden(f"dockerfiles/{name}.py.txt", plan.images[0].context.text_of("app/shim.py"))


def test_pins_of_a_lock_are_golden(golden: Golden) -> None:
    """What pip gets for a lock."""
    golden(
        "dockerfiles/uv-lock.txt", CASES["uv-lock"]().images[0].context.text_of("requirements/uv_lock.txt")
    )


@pytest.mark.skipif(shutil.which("hadolint") is None, reason="hadolint is not installed")
@pytest.mark.parametrize("case", sorted(CASES))
def test_dockerfiles_pass_the_linter(case: str, tmp_path: Path) -> None:
    """No errors; its advice is not ours. It misreads an escaped backslash before a quote, which Docker does not."""
    path = tmp_path / "Dockerfile"
    path.write_text(dockerfile(CASES[case]()).replace(r'BACKSLASH="C:\\dir\\" ', ""))
    ignored = ["--ignore", "DL3044", "--ignore", "SC1072"]  # it takes an escaped `$` for a variable
    command = ["hadolint", "--failure-threshold", "error", *ignored, str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("case", sorted(CASES))
def test_dockerfiles_are_read_back_by_dockers_rules(case: str) -> None:
    """Every instruction is a known one, once FROM, and the user is not root at the end."""
    found = instructions(dockerfile(CASES[case]()))
    known = {"FROM", "USER", "ENV", "COPY", "RUN", "WORKDIR", "LABEL", "EXPOSE", "ENTRYPOINT"}
    assert {i.word for i in found} <= known
    assert [i.word for i in found].count("FROM") == 1
    assert [i.rest for i in found if i.word == "USER"] == ["root", "10001:10001"]
    assert [json.loads(i.rest)[1:] for i in found if i.word == "ENTRYPOINT"] == [["/app/shim.py"]]
    assert not any(has_heredoc(i.rest) for i in found if i.word == "RUN")


def test_all_that_is_copied_is_there() -> None:
    """No COPY fails for want of a source."""
    for case in CASES.values():
        context = case().images[0].context
        paths = [file.path for file in context.files]
        for copy in (i for i in instructions(context.text_of("Dockerfile")) if i.word == "COPY"):
            for source in copy.rest.split()[:-1]:
                assert any(path == source or path.startswith(source) for path in paths), source


def test_a_build_command_keeps_its_lines() -> None:
    """More than one line, or a backslash at the end, goes through the exec form unchanged."""
    runs = [i.rest for i in instructions(dockerfile(CASES["full"]())) if i.word == "RUN"]
    given_commands = FULL["build_commands"]
    assert given_commands[0] in runs
    for command in given_commands[1:3]:
        assert ["/bin/sh", "-c", command] in [json.loads(run) for run in runs if run.startswith("[")]


def test_build_commands_mount_the_secrets_that_are_declared() -> None:
    """Each command all of them, sorted and once, in either form; and no other instruction."""
    config = {"build_commands": ["make x", "cat <<E\nE"], "build_secret_keys": ["b", "a", "b"]}
    plan = planned(config)
    mounts = "--mount=type=secret,id=a,required=true --mount=type=secret,id=b,required=true"
    found = [line for line in dockerfile(plan).splitlines() if "type=secret" in line]
    assert found == [f"RUN {mounts} make x", f'RUN {mounts} ["/bin/sh", "-c", "cat <<E\\nE"]']
    assert plan.images[0].secrets == ("a", "b")


def test_secrets_without_build_commands_are_not_asked_for() -> None:
    """Nothing would read them."""
    plan = planned({"build_secret_keys": ["a"], "build_commands": ["  "]})
    assert plan.images[0].secrets == ()
    assert plan.images[0].ref == planned().images[0].ref


@pytest.mark.parametrize("is_locked", [False, True])
def test_the_installation_is_given_the_logins_of_indexes(is_locked: bool) -> None:
    """It alone, as a file that pip and uv find."""
    settings = BuildSettings(index_credentials_secret="index-key")
    plan = planned(settings=settings, lock=lock_of() if is_locked else None)
    (line,) = (line for line in dockerfile(plan).splitlines() if "index-key" in line)
    assert "--mount=type=secret,id=index-key,required=true" in line
    assert "NETRC=/run/secrets/index-key python3 " in line
    assert "-m pip install" in line or "install.py" in line
    assert plan.images[0].secrets == ("index-key",)


def test_a_mirror_of_debian_is_written_before_packages_are_installed() -> None:
    """And before the build commands, which may install some, too."""
    plan = planned(
        {"docker_image": {"apt_requirements": ["git"]}}, settings=BuildSettings(apt_mirror="http://m")
    )
    lines = dockerfile(plan).splitlines()
    mirror = next(number for number, line in enumerate(lines) if "http://m" in line)
    assert mirror < next(number for number, line in enumerate(lines) if "apt-get" in line)
    assert dockerfile(planned()).count("debian.org") == 0


def test_a_variable_with_a_line_break_is_left_to_the_deploy() -> None:
    """ENV has no form for it; the service gets it all the same, as it gets all variables."""
    env = env_of(CASES["full"]())
    assert "LINES" not in env
    expected = {k: v for k, v in FULL["options"]["env_variables"].items() if k != "LINES"}
    assert {k: v for k, v in env.items() if k in expected} == expected


def env_of(plan: BuildPlan) -> dict[str, str]:
    """The variables of the last ENV."""
    return pairs([i.rest for i in instructions(dockerfile(plan)) if i.word == "ENV"][-1])


TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=30)
NASTY = st.one_of(TEXT, st.text("\\\"'$`#\n\r \t{}=%<&;|a", max_size=20))


@settings(deadline=None)
@given(st.dictionaries(st.from_regex(r"V[A-Z0-9_]{0,5}", fullmatch=True), NASTY, max_size=4))
def test_no_variable_leaves_its_instruction(env: dict[str, str]) -> None:
    """Whatever the values: they come back as they were, and the rest of the file is unchanged."""
    plain, found = planned(), planned({"options": {"env_variables": env}})
    assert {k: v for k, v in env_of(found).items() if k.startswith("V")} == {
        k: v for k, v in env.items() if "\n" not in v
    }
    assert without_env(found) == without_env(plain)


def without_env(plan: BuildPlan) -> list[tuple[str, str]]:
    """All instructions, with the last ENV blanked."""
    found = instructions(dockerfile(plan))
    return [(i.word, "" if i.rest.startswith("HOME=") else i.rest) for i in found]


@settings(deadline=None)
@given(st.lists(NASTY, max_size=4))
def test_no_apt_name_leaves_its_instruction(names: list[str]) -> None:
    """Shell metacharacters are quoted, white space separates names."""
    found = instructions(dockerfile(planned({"docker_image": {"apt_requirements": names}})))
    assert len([i for i in found if i.word not in ("RUN",)]) == len(
        [i for i in instructions(dockerfile(planned())) if i.word not in ("RUN",)]
    )
    expected = [word for name in names for word in name.split()]
    apt = [i.rest for i in found if "apt-get" in i.rest]
    assert len(apt) == bool(expected)
    if expected:
        part = apt[0].partition("--no-install-recommends ")[2]
        assert shlex.split(part.strip()) == expected


@settings(deadline=None)
@given(st.lists(NASTY, max_size=3))
def test_no_build_command_leaves_its_instruction(commands: list[str]) -> None:
    """Each is one RUN, in its place, and says what the user wrote."""
    found = instructions(dockerfile(planned({"build_commands": commands})))
    plain = instructions(dockerfile(planned()))
    expected = [c.strip() for c in commands if c.strip()]
    place = next(n for n, i in enumerate(plain) if "pip install" in i.rest) + 1
    assert [*found[:place], *found[place + len(expected) :]] == plain
    for run, command in zip(found[place : place + len(expected)], expected, strict=True):
        assert run.word == "RUN"
        assert run.rest in (command, json.dumps(["/bin/sh", "-c", command], ensure_ascii=False))


@settings(deadline=None)
@given(NASTY)
def test_no_chain_name_leaves_its_instruction(chain: str) -> None:
    """LABEL, docstring and image name hold what is left of it."""
    plan = planned(chain=chain)
    labels = [pairs(i.rest) for i in instructions(dockerfile(plan)) if i.word == "LABEL"]
    assert labels == [{"chainctl.chain": repository_part(chain), "chainctl.chainlet": "Leaf"}]
    assert len(ast.parse(plan.images[0].context.text_of("app/shim.py")).body) == 4


BAD: list[tuple[str, dict[str, Any], str]] = [
    ("Leaf\n", {}, "chainlet name"),
    ('Le"""af', {}, "chainlet name"),
    ("Leaf", {"docker_image": {"base_image": {"image": "a\nUSER root"}}}, "base image"),
    ("Leaf", {"docker_image": {"base_image": {"image": "$BASE"}}}, "base image"),
    ("Leaf", {"docker_image": {"base_image": {"image": "--platform=x"}}}, "base image"),
    (
        "Leaf",
        {"docker_image": {"base_image": {"image": "a", "python_executable_path": 'p"; x'}}},
        "Python path",
    ),
    ("Leaf", {"options": {"env_variables": {"A B": "x"}}}, "'A B'"),
    ("Leaf", {"options": {"env_variables": {"A=B": "x"}}}, "'A=B'"),
    ("Leaf", {"options": {"env_variables": {"A": "\0"}}}, "'A'"),
    ("Leaf", {"docker_image": {"requirements_file": f"{ROOT}/a\nb.txt"}}, "requirements file"),
]


@pytest.mark.parametrize(("name", "config", "what"), BAD)
def test_what_has_no_form_in_a_dockerfile_is_a_problem(name: str, config: dict[str, Any], what: str) -> None:
    """It is named with its place, instead of making another Dockerfile than the user meant."""
    with pytest.raises(ChainDefinitionError) as raised:
        planned(config, name=name)
    (problem,) = raised.value.problems
    assert (problem.code, problem.path, problem.line) == ("CH0503", f"{ROOT}/chain.py", 1)
    assert what in problem.message


def test_all_problems_of_all_chainlets_come_at_once() -> None:
    """Two chainlets, three problems, one error."""
    bad = {"options": {"env_variables": {"A B": "", "C D": ""}}}
    specs = [chainlet("Root", config=bad), chainlet("Leaf", config={"docker_image": {"base_image": "a b"}})]
    with pytest.raises(ChainDefinitionError) as raised:
        plan_build(
            graph_of({"Root": ["Leaf"], "Leaf": []}, specs=specs), "shop", snapshot_of(), BuildSettings()
        )
    assert len(raised.value.problems) == 3


# --- names -----------------------------------------------------------------------------------


@settings(deadline=None)
@given(NASTY)
def test_a_repository_part_is_one_that_engines_take(name: str) -> None:
    """Lower case, single dashes, none at the ends, never empty; and it stays what it is."""
    part = repository_part(name)
    assert part
    assert set(part) <= set("abcdefghijklmnopqrstuvwxyz0123456789-")
    assert "--" not in part
    assert part == part.strip("-") == repository_part(part)


@pytest.mark.parametrize(
    ("name", "part"),
    [
        ("HelloAll", "helloall"),
        ("My_Chain", "my-chain"),
        ("Größe", "gr-e"),
        ("音声", "chain"),
        ("--a  b--", "a-b"),
    ],
)
def test_repository_parts(name: str, part: str) -> None:
    """Some, written out."""
    assert repository_part(name) == part


def test_images_are_found_by_chainlet_and_by_absence() -> None:
    """`missing` is what has to be built."""
    plan = plan_build(graph_of({"Root": ["Leaf"], "Leaf": []}), "shop", snapshot_of(), BuildSettings())
    leaf, root = plan.images
    assert plan.image_of("Root") is root
    assert plan.missing(frozenset([leaf.ref])) == (root,)
    with pytest.raises(KeyError):
        plan.image_of("Nobody")


# --- what an image depends on ----------------------------------------------------------------

FILES = {"chain.py": "# chain\n", "helper.py": "# helper\n", "other.py": "# other\n", "readme.md": "text"}
GRAPH = graph_of(
    {"Root": ["Leaf"], "Leaf": []},
    specs=[
        chainlet("Root", files=["chain.py", "helper.py"]),
        chainlet("Leaf", files=["chain.py", "other.py"]),
    ],
)


def names(files: dict[str, str], graph: ChainGraph = GRAPH) -> dict[str, str]:
    """The image of each chainlet."""
    plan = plan_build(graph, "shop", snapshot_of(files), BuildSettings())
    return {image.chainlet: str(image.ref) for image in plan.images}


def changed(files: dict[str, str]) -> set[str]:
    """The chainlets whose image differs from that of FILES."""
    before, after = names(FILES), names(files)
    return {name for name in before if before[name] != after[name]}


@pytest.mark.parametrize(
    ("file", "chainlets"),
    [("helper.py", {"Root"}), ("other.py", {"Leaf"}), ("chain.py", {"Root", "Leaf"}), ("readme.md", set())],
)
def test_a_comment_changes_exactly_the_images_with_that_file(file: str, chainlets: set[str]) -> None:
    """And a file that nobody needs changes none."""
    assert changed({**FILES, file: FILES[file] + "# a comment\n"}) == chainlets


def test_an_ignored_file_is_in_no_image() -> None:
    """What the snapshot leaves out is not missed."""
    without = {path: text for path, text in FILES.items() if path != "helper.py"}
    assert changed(without) == {"Root"}


def test_the_executable_bit_is_a_change() -> None:
    """Mode is content."""
    snapshot = snapshot_of(FILES)
    path = f"{ROOT}/helper.py"
    files = {**snapshot.files, path: replace(snapshot.files[path], is_executable=True)}
    plan = plan_build(GRAPH, "shop", replace(snapshot, files=files), BuildSettings())
    before = names(FILES)
    assert {i.chainlet for i in plan.images if str(i.ref) != before[i.chainlet]} == {"Root"}


def test_a_later_package_directory_wins() -> None:
    """As on PYTHONPATH, one of two files of a name is taken."""
    spec = chainlet("Leaf", config=FULL)
    files = {
        f.path: f
        for f in build_context(
            graph_of({"Leaf": ()}, specs=[spec]), spec, "shop", full_snapshot(), SETTINGS
        ).files
    }
    assert files["app/packages/m.py"].content == Path(f"{ROOT}/more/m.py")


@settings(deadline=None)
@given(st.permutations(sorted(FILES)))
def test_the_order_in_which_files_were_found_does_not_matter(order: list[str]) -> None:
    """Names are the same."""
    assert names({path: FILES[path] for path in order}) == names(FILES)


def test_certificates_keep_their_order() -> None:
    """They are numbered, so that two files of one name do not meet."""
    spec = chainlet("Leaf")
    one, two = "/a/ca.pem", "/b/ca.pem"
    snapshot = snapshot_of({"chain.py": "", one: "1", two: "2"})
    graph = graph_of({"Leaf": ()}, specs=[spec])
    context = build_context(graph, spec, "shop", snapshot, BuildSettings(certificates=(two, one)))
    placed = {f.path: f.content for f in context.files if f.path.startswith("certificates/")}
    assert placed == {"certificates/00.crt": Path(two), "certificates/01.crt": Path(one)}


def test_a_snapshot_file_is_placed_with_its_digest_and_mode() -> None:
    """Content is read later, from where it was."""
    file = snapshot_file("/p/run.sh", "x", is_executable=True)
    placed = file.placed_at("app/code/run.sh")
    assert (placed.path, placed.sha256, placed.content, placed.mode) == (
        "app/code/run.sh", file.sha256, Path("/p/run.sh"), 0o755,
    )  # fmt: skip
    assert isinstance(file, SnapshotFile)


# --- locks -----------------------------------------------------------------------------------


def test_a_lock_decides_what_is_installed() -> None:
    """Another version is another image; what the chainlet asks for itself is not looked at again."""
    numpy = LockedPackage("numpy", "numpy==2.1.0", ("sha256:aa",))
    before, after = (planned(lock=lock_of(p)) for p in (numpy, replace(numpy, requirement="numpy==2.1.1")))
    assert before.images[0].ref != after.images[0].ref
    asks = planned({"docker_image": {"pip_requirements": ["numpy"]}}, lock=lock_of(numpy))
    assert asks.images[0].ref == before.images[0].ref


def test_a_base_image_is_pinned() -> None:
    """By digest in FROM, or by an id that the engine's image is compared with; both are in the name."""
    free, digest, image_id = (
        planned(lock=lock_of(digest=pin, is_local=is_local)).images[0]
        for pin, is_local in (("", False), (DIGEST, False), (DIGEST, True))
    )
    assert (free.base_image, free.base_id) == ("python:3.11-slim", "")
    assert (digest.base_image, digest.base_id) == (f"python@{DIGEST}", "")
    assert (image_id.base_image, image_id.base_id) == ("python:3.11-slim", DIGEST)
    assert len({free.ref, digest.ref, image_id.ref}) == 3


@pytest.mark.parametrize(
    ("name", "reference"),
    [
        ("python", "python"),
        ("python:3.11-slim", "python"),
        ("host:5000/a/b", "host:5000/a/b"),
        ("host:5000/a/b:1", "host:5000/a/b"),
        (f"a:1@sha256:{'1' * 64}", "a"),
    ],
)
def test_a_pinned_base_is_asked_for_without_its_tag(name: str, reference: str) -> None:
    """A digest says more than a tag, and engines do not take both."""
    assert Base(name, DIGEST).reference == f"{reference}@{DIGEST}"
    assert Base(name).reference == Base(name, id=DIGEST).reference == name


@pytest.mark.parametrize("is_local", [True, False])
@pytest.mark.parametrize("digest", ["sha256:0\nUSER root", f"{'sha256:' + '0' * 64}\n", "3.11"])
def test_a_digest_that_is_none_is_a_problem(digest: str, is_local: bool) -> None:
    """A lock that was edited by hand makes no other Dockerfile."""
    with pytest.raises(ChainDefinitionError) as raised:
        planned(lock=lock_of(digest=digest, is_local=is_local))
    assert [problem.code for problem in raised.value.problems] == ["CH0503"]


def test_packages_of_this_machine_come_with_their_files() -> None:
    """A directory and an archive, at the places that the requirements name."""
    tree = LockedPackage("own", "own @ ./local/own", path="../libs/own")
    archive = LockedPackage("its", "its @ ./local/its-1.whl", ("sha256:aa",), path="wheels/its-1.whl")
    snapshot = snapshot_of(
        {"chain.py": "", "wheels/its-1.whl": "its"},
        trees={"/libs/own": {"pyproject.toml": "", "own/__init__.py": "1"}},
    )
    context = planned(snapshot=snapshot, lock=lock_of(tree, archive)).images[0].context
    assert [file.path for file in context.files if file.path.startswith("requirements/")] == [
        "requirements/local/its-1.whl",
        "requirements/local/own/own/__init__.py",
        "requirements/local/own/pyproject.toml",
        "requirements/locked.txt",
    ]


# --- labels ----------------------------------------------------------------------------------


def test_labels_say_what_an_image_is_made_of() -> None:
    """The digest of all inputs, and the base."""
    image = planned(lock=lock_of(digest=DIGEST)).images[0]
    assert dict(image.labels) == {
        "chainctl.inputs": image.context.digest,
        "org.opencontainers.image.base.digest": DIGEST,
        "org.opencontainers.image.base.name": "python:3.11-slim",
        "org.opencontainers.image.title": "shop/leaf",
    }
    assert "org.opencontainers.image.base.digest" not in dict(planned().images[0].labels)


# --- shared steps ----------------------------------------------------------------------------

COMMON = {"docker_image": {"apt_requirements": ["git"], "pip_requirements": ["numpy"]}}
ALIKE = [
    chainlet("A", config=COMMON),
    chainlet("B", config={**COMMON, "options": {"env_variables": {"X": "1"}}}, files=["chain.py", "b.py"]),
]


def test_chainlets_with_one_environment_share_all_that_is_slow() -> None:
    """Code, variables and names come after; nothing before the environment is a chainlet's own."""
    snapshot = snapshot_of({"chain.py": "", "b.py": "b"})
    images = plan_build(
        graph_of({"A": ["B"], "B": []}, specs=ALIKE), "shop", snapshot, BuildSettings()
    ).images
    one, two = (instructions(image.context.text_of("Dockerfile")) for image in images)
    end = next(n for n, i in enumerate(one) if "compileall" in i.rest) + 1
    assert one[:end] == two[:end]
    assert all(i.word != "RUN" for i in (*one[end:], *two[end:]))
    assert images[0].steps == images[1].steps
    assert len(images[0].steps) == 2
    files = [{f for f in i.context.files if not f.path.startswith("app/")} for i in images]
    assert [{f.path for f in some} for some in files] == [
        {"Dockerfile", "requirements/pip_requirements.txt", "requirements/runtime.txt"}
    ] * 2


def test_the_last_instruction_copies_the_code() -> None:
    """So that an edit of code does nothing else."""
    for case in CASES.values():
        last = instructions(dockerfile(case()))[-1]
        assert (last.word, last.rest) == ("COPY", "app/code/ /app/code/")


@pytest.mark.parametrize(
    ("config", "shared"),
    [
        ({}, 0),
        ({"docker_image": {"apt_requirements": ["git"]}}, 1),
        ({"docker_image": {"apt_requirements": ["git"], "pip_requirements": ["numpy"]}}, 2),
        ({**COMMON, "build_commands": ["make"]}, 2),
        ({**COMMON, "docker_image": {**COMMON["docker_image"], "base_image": "py313"}}, 0),
    ],
)
def test_steps_are_shared_as_far_as_they_are_equal(config: dict[str, Any], shared: int) -> None:
    """From the start on: a step after another one is another step."""
    ours, others = planned(COMMON).images[0].steps, planned(config).images[0].steps
    assert sum(a == b for a, b in zip(ours, others, strict=False)) == shared
