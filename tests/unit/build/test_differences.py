"""Two plans of one chainlet in; what differs between their inputs, in words, and what inputs never hold."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from chainctl.build.context import BuildContext, ContextFile
from chainctl.build.differences import Change, Circumstance, Difference, differences, reason_text, summary
from chainctl.build.input_packages import InstallLine, install_lines
from chainctl.build.input_table import InputTable
from chainctl.build.inputs import Input, InputKind, image_inputs
from chainctl.build.lock import Lock
from chainctl.build.plan import plan_build
from chainctl.build.settings import BuildSettings
from chainctl.build.snapshot import SourceSnapshot
from chainctl.graph.graph import SourceFileRef
from chainctl.graph.imports import closure_of
from chainctl.version import __version__
from tests.fakes.chains import ROOT, chainlet, graph_of, snapshot_file, snapshot_of

WHYS = {"chain.py": "", "helpers.py": "imported by chain.py:12", "run.sh": "named in chain.py:14"}
TOKEN = "s3cr3t-t0ken"


def inputs(
    config: Mapping[str, Any] | None = None,
    snapshot: SourceSnapshot | None = None,
    settings: BuildSettings | None = None,
    **files: str,
) -> tuple[Input, ...]:
    """The inputs of one chainlet; `files` are contents by name without suffix, in place of "one"."""
    refs = tuple(SourceFileRef(path, f"{ROOT}/{path}", why) for path, why in WHYS.items())
    spec = replace(chainlet("Leaf", config=config), files=refs)
    contents = {path: files.get(path.partition(".")[0], "one") for path in WHYS}
    given = snapshot or snapshot_of()
    there = {**given.files, **snapshot_of({path: text for path, text in contents.items() if text}).files}
    graph = graph_of({"Leaf": []}, specs=[spec])
    return (
        plan_build(graph, "shop", replace(given, files=there), settings or BuildSettings()).images[0].inputs
    )


def told(before: tuple[Input, ...], after: tuple[Input, ...]) -> list[str]:
    return [reason_text(difference) for difference in differences(before, after)]


def image(**fields: Any) -> dict[str, Any]:
    """A configuration of which only the image says something."""
    return {"docker_image": fields}


def options(**fields: Any) -> dict[str, Any]:
    return {"options": fields}


def with_text(name: str, text: str) -> tuple[Input, ...]:
    """Inputs with a requirements file."""
    path = f"{ROOT}/{name}"
    return inputs(image(requirements_file=path), snapshot_of(texts={path: text}))


def with_tree(field: str, directory: str, files: Mapping[str, str]) -> tuple[Input, ...]:
    """Inputs with a directory of data or of packages."""
    value: object = directory if field == "data_dir" else [directory]
    return inputs(image(**{field: value}), snapshot_of(trees={directory: files}))


CASES: dict[str, tuple[tuple[Input, ...], tuple[Input, ...], list[str]]] = {
    "nothing": (inputs(), inputs(), []),
    "helper": (inputs(), inputs(helpers="two"), ["helpers.py changed (imported by chain.py:12)"]),
    "own file": (inputs(), inputs(chain="two"), ["chain.py changed"]),
    "new file": (inputs(run=""), inputs(), ["run.sh added (named in chain.py:14)"]),
    "no file": (inputs(), inputs(run=""), ["run.sh is no longer part of it (was named in chain.py:14)"]),
    "bump": (
        inputs(image(pip_requirements=["numpy==2.1.0"])),
        inputs(image(pip_requirements=["NumPy == 2.2.0"])),
        ["numpy 2.1.0 → 2.2.0 (requirements)"],
    ),
    "range": (
        inputs(image(pip_requirements=["numpy>=2,<3"])),
        inputs(image(pip_requirements=["numpy"])),
        ["numpy >=2,<3 → any (requirements)"],
    ),
    "new package": (
        inputs(),
        inputs(image(pip_requirements=["numpy==2.1.0", "idna"])),
        ["idna added (requirements)", "numpy 2.1.0 added (requirements)"],
    ),
    "no package": (
        inputs(image(pip_requirements=["numpy==2.1.0"])), inputs(), ["numpy removed (requirements)"],
    ),
    "own pin of ours": (
        inputs(), inputs(image(pip_requirements=["pydantic==2.9.0"])),
        ["pydantic >=2.9,<3 → 2.9.0 (requirements)"],
    ),
    "commit": (
        inputs(image(pip_requirements=[f"x @ git+https://{TOKEN}@host/x@0123456789abcdef"])),
        inputs(image(pip_requirements=[f"x @ git+https://{TOKEN}@host/x@fedcba9876543210"])),
        ["x 0123456 → fedcba9 (requirements)"],
    ),
    "branch": (
        inputs(image(pip_requirements=["x @ git+https://host/x@main"])),
        inputs(image(pip_requirements=["x @ git+https://host/x@dev"])),
        ["x changed (requirements)"],
    ),
    "file of pins": (
        with_text("gpu.txt", "numpy==1\n"), with_text("gpu.txt", "numpy==2 \\\n  --hash=sha256:00\n"),
        ["numpy 1 → 2 (gpu.txt)"],
    ),
    "hash": (
        with_text("gpu.txt", "numpy==2 --hash=sha256:01\n"), with_text("gpu.txt", "numpy==2 --hash=sha256:00\n"),
        ["numpy changed (gpu.txt)"],
    ),
    "comment": (
        with_text("gpu.txt", "numpy==1\n"), with_text("gpu.txt", "numpy==1  # why\n"),
        ["gpu.txt changed, but no package in it"],
    ),
    "pyproject": (
        with_text("pyproject.toml", '[project]\ndependencies = ["numpy==1"]'),
        with_text("pyproject.toml", '[project]\ndependencies = ["numpy==2"]\n# why'),
        ["numpy 1 → 2 (pyproject.toml)"],
    ),
    "apt": (
        inputs(image(apt_requirements=["git curl", "tool=1"])), inputs(image(apt_requirements=["git", "tool=2", "jq"])),
        ["apt package tool 1 → 2", "apt package jq added", "apt package curl removed"],
    ),
    "apt order": (
        inputs(image(apt_requirements=["git", "curl"])), inputs(image(apt_requirements=["curl", "git"])),
        ["the order of the apt packages changed"],
    ),
    "commands": (
        inputs({"build_commands": ["a", "b"]}), inputs({"build_commands": ["a", "c", "d"]}),
        ["build command 2 changed", "build command 3 added"],
    ),
    "variables": (
        inputs(options(env_variables={"A": "1", "B": "1"})), inputs(options(env_variables={"A": "2", "C": "1"})),
        ["environment variable A changed", "environment variable C added", "environment variable B removed"],
    ),
    "base image": (
        inputs(), inputs(image(base_image="py312")), ["base image python:3.11-slim → python:3.12-slim"],
    ),
    "python": (
        inputs(image(base_image={"image": "a:1"})),
        inputs(image(base_image={"image": "a:1", "python_executable_path": "/opt/python"})),
        ["Python python3 → /opt/python"],
    ),
    "option": (inputs(), inputs(options(enable_debug_logs=True)), ["enable_debug_logs False → True"]),
    "data": (
        with_tree("data_dir", f"{ROOT}/data", {"a.bin": "1"}), with_tree("data_dir", f"{ROOT}/data", {"a.bin": "2"}),
        ["data/a.bin changed (data)"],
    ),
    "packages": (
        with_tree("external_package_dirs", "/elsewhere/lib", {"m/n.py": "1"}),
        with_tree("external_package_dirs", "/elsewhere/lib", {"m/n.py": "2"}),
        ["m/n.py changed (package directory)"],
    ),
    "several": (
        inputs(image(pip_requirements=["numpy==1"])),
        inputs(image(pip_requirements=["numpy==2"], base_image="py312"), helpers="two"),
        [
            "base image python:3.11-slim → python:3.12-slim",
            "numpy 1 → 2 (requirements)",
            "helpers.py changed (imported by chain.py:12)",
        ],
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_differences_are_told_in_words(case: str) -> None:
    """What changed, from what to what where that may be shown, and what it is there for."""
    before, after, lines = CASES[case]
    assert told(before, after) == lines


def test_a_mode_is_a_difference() -> None:
    """A file becomes executable, and is so no longer."""
    before = [Input(InputKind.FILE, "run.sh", "0", why="named in chain.py:14")]
    after = [replace(before[0], digest="0x", value="executable")]
    assert told(tuple(before), tuple(after)) == ["run.sh is now executable (named in chain.py:14)"]
    assert told(tuple(after), tuple(before)) == ["run.sh is no longer executable (named in chain.py:14)"]


def test_certificates_are_called_as_their_files() -> None:
    """By place, since the order counts; the name of the file is only what people see."""
    files = {"/etc/company/root.pem": "1", "/etc/company/other.pem": "1"}

    def trusting(path: str, text: str = "1") -> tuple[Input, ...]:
        snapshot = snapshot_of({**files, path: text})
        return inputs(snapshot=snapshot, settings=BuildSettings(certificates=(path,)))

    root = trusting("/etc/company/root.pem")
    assert told(root, trusting("/etc/company/root.pem", "2")) == ["certificate root.pem changed"]
    assert told(root, trusting("/etc/company/other.pem")) == []
    assert told(inputs(), root) == ["certificate root.pem added"]


def test_chainctl_itself_is_one_input() -> None:
    """Its version is told where it differs; the Dockerfile that it writes only where nothing else explains it."""
    files = {"a.py": snapshot_file("/runtime/a.py"), "b.py": snapshot_file("/runtime/b.py")}
    other = inputs(snapshot=replace(snapshot_of(), runtime=files))
    assert told(inputs(), other) == ["chainctl itself changed"]
    older = tuple(replace(i, value="0.0.9") if i.kind is InputKind.RUNTIME else i for i in inputs())
    assert told(older, other) == [f"chainctl itself changed: 0.0.9 → {__version__}"]
    template = tuple(replace(i, digest="0") if i.kind is InputKind.TEMPLATE else i for i in inputs())
    assert told(template, inputs()) == ["the Dockerfile that chainctl writes changed"]
    assert told(template, other) == ["chainctl itself changed"]


def test_a_lock_is_told_by_its_packages_and_by_files_of_this_machine() -> None:
    """Packages first; what a package of this machine is made of, file by file."""

    def locked(text: str, file: str) -> tuple[Input, ...]:
        source = snapshot_file(f"{ROOT}/libs/mine/setup.py", file)
        written = ContextFile.of_text("requirements/locked.txt", text)
        context = BuildContext.of([written, source.placed_at("requirements/local/mine/setup.py")])
        return image_inputs(chainlet("Leaf"), ROOT, context, BuildSettings())

    one = locked("idna==1 \\\n  --hash=sha256:0\n", "one")
    assert told(one, locked("idna==2 \\\n  --hash=sha256:1\n", "two")) == [
        "idna 1 → 2 (chainctl.lock)",
        "libs/mine/setup.py changed (local package)",
    ]
    assert told(one, locked("# other\nidna==1 --hash=sha256:0\n", "one")) == [
        "chainctl.lock changed, but no package in it"
    ]


def test_a_locked_base_image_is_told_by_its_digest() -> None:
    """The name is the same; what it stands for is not."""
    graph = graph_of({"Leaf": []})
    context = plan_build(graph, "shop", snapshot_of(), BuildSettings()).images[0].context

    def locked(digest: str) -> tuple[Input, ...]:
        lock = Lock(base_images={"python:3.11-slim": digest})
        return image_inputs(graph.chainlets[0], ROOT, context, BuildSettings(), lock)

    one, two = locked(f"sha256:{'1' * 64}"), locked(f"sha256:{'2' * 64}")
    assert told(one, two) == [
        "base image python:3.11-slim sha256:111111111111 → python:3.11-slim sha256:222222222222"
    ]


def test_a_difference_is_a_value() -> None:
    """Programs get the parts."""
    assert differences(inputs(), inputs(helpers="two")) == (
        Difference(
            Change.CHANGED, InputKind.FILE, "helpers.py", "helpers.py", "", "", "imported by chain.py:12"
        ),
    )


def test_the_first_reason_comes_with_a_count_of_the_others() -> None:
    """One line, however many there are."""
    found = differences(inputs(), inputs(image(pip_requirements=["idna"]), helpers="two", chain="two"))
    assert summary(found) == "idna added (requirements), and 2 more"
    assert summary(found[:1]) == "idna added (requirements)"
    assert summary([Circumstance.GONE]) == "the image is gone from the engine"
    assert summary([]) == ""


def test_inputs_hold_nothing_secret_and_no_place_outside() -> None:
    """No value of a variable, no command, no URL, no absolute path: they are kept with the release."""
    reqs, outside = f"{ROOT}/reqs.txt", "/home/somebody"
    index = f"--extra-index-url https://user:{TOKEN}@host/\nx @ https://{TOKEN}@host/x.whl\n"
    pip = [
        f"git+https://{TOKEN}@host/y",
        f"z @ git+https://{TOKEN}@host/z@main",
        f"w==1 --config-settings=key={TOKEN}",
    ]
    config = {
        "docker_image": {
            "pip_requirements": pip,
            "pip_requirements_file": reqs,
            "data_dir": f"{outside}/data",
            "external_package_dirs": [f"{outside}/lib"],
        },
        "build_commands": [f"curl -H 'authorization: {TOKEN}' https://host"],
        "options": {"env_variables": {"KEY": TOKEN}},
    }
    certificate = f"{outside}/root.pem"
    snapshot = snapshot_of(
        {certificate: "1"},
        trees={f"{outside}/data": {"a": "1"}, f"{outside}/lib": {"m.py": "1"}},
        texts={reqs: index},
    )
    found = inputs(config, snapshot, BuildSettings(certificates=(certificate,)))
    recorded = TypeAdapter(tuple[Input, ...]).dump_json(found).decode()
    assert {"x", "z", "w", "KEY", "root.pem"} <= {text for i in found for text in (i.name, i.label)}
    assert not [part for part in (TOKEN, "https", outside, ROOT) if part in recorded]


def test_a_table_holds_shared_inputs_once() -> None:
    """And gives each image its own back, in order."""
    one, two = inputs(), inputs(helpers="two")
    table = InputTable.of({"One": one, "Two": two})
    assert (table.image("One"), table.image("Two"), table.image("Three")) == (one, two, ())
    assert len(table.inputs) == len(one) + 1


@pytest.mark.parametrize(
    ("text", "packages"),
    [
        ("numpy", [("numpy", "")]),
        ("Foo_Bar.baz [a, b] >= 1.0 ; python_version < '3.12'", [("foo-bar-baz", ">= 1.0")]),
        ("a==1 \\\n    --hash=sha256:0 \\\n    --hash=sha256:1\nb~=2 # c\n", [("a", "1"), ("b", "~=2")]),
        ("-r other.txt\n--index-url https://h\n# c\n\n./local\nhttps://h/x.whl\ngit+https://h/x\n", []),
        ("a @ https://h/a-1.whl#sha256=00", [("a", "")]),
        ("a@git+https://h/a@0123456789#subdirectory=b", [("a", "0123456")]),
        ("a (>=1)", [("a", ">=1")]),
        ("a===wild/one", [("a", "")]),
    ],
)
def test_packages_are_read_from_lines(text: str, packages: list[tuple[str, str]]) -> None:
    """Names as pip compares them, versions as people say them; what names no package is left out."""
    assert [(line.name, line.version) for line in install_lines(text)] == packages


@given(st.text() | st.from_regex(r"[a-z]+ ?(@|==|>=|;|--) ?[ -~]*", fullmatch=True))
def test_any_text_has_versions_that_may_be_shown(text: str) -> None:
    """A version is short of everything that a URL or an option can hide something in."""
    for line in install_lines(text):
        assert not set(line.version) & set("/:@?&%#'\"\\")
        assert line.name == line.name.lower()


def test_the_whole_line_of_a_package_counts() -> None:
    """Hashes and markers are no version, and yet a difference."""
    assert list(install_lines("a==1 ; x == 'y'  \\\n  --hash=sha256:0")) == [
        InstallLine("a", "1", "a==1 ; x == 'y' --hash=sha256:0")
    ]


def test_files_know_what_asks_for_them_first(tmp_path: Path) -> None:
    """The fewest steps from the start count, then the first line; packages come with what is in them."""
    texts = {
        "chain.py": "import a\nfrom pkg import b\nfor name in ('p.txt',\n    'dir'): pass\n",
        "a.py": "import deep\nimport pkg.b\nopen('p.txt')\n",
        "deep.py": "import a\n",
        "pkg/__init__.py": "",
        "pkg/b.py": "def f():\n    import late\n",
        "pkg/words.json": "",
        "late.py": "",
        "p.txt": "",
        "dir/x.txt": "",
    }
    for name, text in texts.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    found = closure_of(tmp_path / "chain.py", [tmp_path])
    lines = {
        path.relative_to(tmp_path).as_posix(): f"{m.tie} {m.path.relative_to(tmp_path)}:{m.line}"
        for path, m in found.mentions.items()
    }
    assert lines == {
        "a.py": "imported by chain.py:1",
        "deep.py": "imported by a.py:1",
        "pkg/__init__.py": "imported by chain.py:2",
        "pkg/b.py": "imported by chain.py:2",
        "pkg/words.json": "beside pkg/__init__.py:0",
        "late.py": "imported by pkg/b.py:2",
        "p.txt": "named in chain.py:3",
        "dir/x.txt": "named in chain.py:4",
    }
