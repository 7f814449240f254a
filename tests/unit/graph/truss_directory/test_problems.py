"""What is wrong with a Truss directory, each problem with its line and column."""

from __future__ import annotations

from pathlib import Path

import pytest

from chainctl.cli.diagnostics import diagnostics_text
from chainctl.errors import ChainDefinitionError
from chainctl.graph.truss_directory import read_directory
from tests.unit.graph.truss_directory.directories import directory_at, problems, told

_SERVER = "predict_endpoint: /p, readiness_endpoint: /r, liveness_endpoint: /l"


def test_all_problems_are_told_at_once(tmp_path: Path) -> None:
    """In the order of their places."""
    text = """\
model_nam: a
requirements: torch
resources:
  cpu: 4x
  memory: lots
  gpu: T4
  accelerator: "L4:0"
runtime: {predict_concurrency: 0, num_workers: 2}
environment_variables:
  PORT: 1
  bad name: x
"""
    assert told(tmp_path, text) == [
        "1:1 CH1206 config.yaml has no key called `model_nam`",
        "2:15 CH1206 `requirements` is the text 'torch', not a list",
        "4:8 CH1206 `resources.cpu` is '4x', which is no number of CPUs",
        "5:11 CH1206 `resources.memory` is 'lots', which is no amount of memory",
        "6:3 CH1206 `resources` has no key called `gpu`",
        "7:16 CH1206 `resources.accelerator` is 'L4:0', which names no GPUs",
        "8:32 CH1206 `runtime.predict_concurrency` is 0, and must be at least 1",
        "8:48 CH1206 `runtime.num_workers` is 2, and must be 1",
        "10:3 CH1206 the name is `PORT`, which the container sets itself",
        "11:3 CH1206 the name is `bad name`, which cannot name an environment variable",
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("- a\n", "1:1 CH1205 config.yaml holds a list, not keys with values"),
        ("torch\n", "1:1 CH1205 config.yaml holds the text 'torch', not keys with values"),
        (b"a: 1\nb: \xff\n", "2:1 CH1205 config.yaml is not in UTF-8"),
        (
            "a: 1\n\tb: 2\n",
            "2:1 CH1205 config.yaml is no YAML: while scanning for the next token,"
            " found character '\\t' that cannot start any token",
        ),
        ("model_name: a: b\n", "1:14 CH1205 config.yaml is no YAML: mapping values are not allowed here"),
        (
            "model_name: a\n---\nmodel_name: b\n",
            "2:1 CH1205 config.yaml is no YAML: expected a single document in the stream,"
            " but found another document",
        ),
        (
            "model_name: a\nmodel_name: b\n",
            "2:1 CH1205 `model_name` is written twice: in line 1 and in line 2",
        ),
        (
            "resources:\n  cpu: 1\n  memory: 1Gi\n  cpu: 2\n",
            "4:3 CH1205 `cpu` is written twice: in line 2 and in line 4",
        ),
        (
            "model_metadata:\n  a: {b: [{c: 1, c: 2}]}\n",
            "2:18 CH1205 `c` is written twice: in line 2 and in line 2",
        ),
        ("model_name: !!python/name:os x\n", "1:13 CH1205 the tag '!!python/name:os' means nothing here"),
        ("model_name: *other\n", "1:13 CH1205 config.yaml is no YAML: found undefined alias 'other'"),
        ("model_metadata: {? [a] : b}\n", "1:20 CH1205 a key is a list, not a text"),
        ('model_name: "\\ud800"\n', "1:13 CH1205 a text holds what is no character"),
        (
            "a: \x07\n",
            "1:4 CH1205 config.yaml is no YAML: it holds a character that may not stand in a text file",
        ),
        ("[" * 60, "1:41 CH1205 config.yaml is nested more than 40 levels deep"),
        ("#" * 300_000, "1:1 CH1205 config.yaml has more than 262144 characters"),
    ],
)
def test_what_is_no_configuration(tmp_path: Path, text: str | bytes, expected: str) -> None:
    """A text that cannot be read has one problem, at the place where reading ends."""
    assert told(tmp_path, text) == [expected]


@pytest.mark.parametrize(
    "text",
    [
        "model_metadata:\n  a: &a [x, x, x, x, x, x, x, x, x, x]\n"
        + "".join(
            f"  {b}: &{b} [{', '.join([f'*{a}'] * 10)}]\n" for a, b in zip("abcdef", "bcdefg", strict=True)
        ),
        "model_metadata: &a {b: [*a]}\n",
    ],
    ids=["a bomb", "in itself"],
)
def test_aliases_are_bounded(tmp_path: Path, text: str) -> None:
    """A few lines that stand for millions of values, or for no end of them, are refused at once."""
    (problem,) = problems(tmp_path, text)
    assert problem.code == "CH1205"
    assert "for more than 20000 values or 40 levels" in problem.message


def test_aliases_and_merges_that_are_few_work(tmp_path: Path) -> None:
    """What is written beside a merge counts more than what it brings."""
    text = (
        "model_metadata: {base: &base {cpu: 1, memory: 1Gi}}\n"
        "resources:\n  <<: *base\n  memory: 3Gi\nsystem_packages: [&p git, *p]\n"
    )
    found = read_directory(directory_at(tmp_path, text))
    assert found.remote_config.compute.memory == "3Gi"
    assert found.config["system_packages"] == ["git", "git"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("modelname: a", "config.yaml has no key called `modelname`"),
        ("hf_cache: []", "config.yaml has no key called `hf_cache`"),
        ("zzz: 1", "config.yaml has no key called `zzz`"),
        (
            "runtime: {transport: {kind: sockets}}",
            "`runtime.transport.kind` is 'sockets', not one of http, websocket, grpc",
        ),
        ("model_name: yes", "`model_name` is `yes`, which YAML reads as true, not a text"),
        ("model_name: {a: 1}", "`model_name` is keys with values, not a text"),
        (
            "python_version: 3.1",
            "`python_version` is '3.1', which is no version of Python that there are images of",
        ),
        (
            "python_version: py3.11.4",
            "`python_version` is 'py3.11.4', which is no version of Python that there are images of",
        ),
        ("python_version: py39", "the runtime in the image does not support Python 3.9"),
        ('live_reload: "yes"', "`live_reload` is the text 'yes', not true or false"),
        ("requirements: [torch =2]", "`requirements[0]` is 'torch =2', which is no pip requirement"),
        ("environment_variables: {A: }", "`environment_variables.A` has no value"),
        ("base_image: python:3.12", "`base_image` is the text 'python:3.12', not keys with values"),
        ("base_image: {python_executable_path: /x}", "`base_image` names no image"),
        ("data_dir: ../data", "`data_dir` is '../data', which is no path inside a directory"),
        (
            "model_module_dir: code",
            "`model_module_dir` hides the module `code`, which Python or the runtime needs",
        ),
        (
            "runtime: {transport: {kind: grpc}}",
            "`runtime.transport.kind` is grpc, and calls are HTTP or websocket here",
        ),
        (
            "runtime: {transport: {ping_timeout_seconds: 1}}",
            "`runtime.transport.ping_timeout_seconds` is of websockets, and the transport is http",
        ),
        (
            "resources: {memory: 99999999999999999999Gi}",
            "`resources.memory` is '99999999999999999999Gi', which is no amount of memory",
        ),
        (
            "model_metadata: {a: .inf}",
            "`model_metadata.a` is the number .inf, not a number that JSON has a form for",
        ),
        (
            "model_cache: [{repo_id: gs://bucket}]",
            "`model_cache[0].repo_id` is 'gs://bucket', which is no repository of the Hugging Face Hub",
        ),
        ("model_cache: [{repo_id: a/b, kind: s3}]", "`model_cache[0].kind` is 's3', not one of hf"),
        ("model_cache: [{use_volume: false}]", "`model_cache[0]` has no `repo_id`"),
        (
            "model_cache: [{repo_id: a/b, use_volume: true}]",
            "`model_cache[0]` has `use_volume` and no `volume_folder`",
        ),
        (
            "model_cache: [{repo_id: a/b, volume_folder: ../x}]",
            "`model_cache[0].volume_folder` is '../x', which is no name of a directory",
        ),
        (
            "external_data: [{url: s3://a/b, local_data_path: a}]",
            "`external_data[0].url` is 's3://a/b', which is no URL of HTTP",
        ),
        (
            'external_data: [{url: "http://a/b", local_data_path: /etc/x}]',
            "`external_data[0].local_data_path` is '/etc/x', which is no path inside a directory",
        ),
        (
            f"docker_server: {{start_command: x, server_port: 70000, {_SERVER}}}",
            "`docker_server.server_port` is 70000, and must be at most 65535",
        ),
        (f"docker_server: {{start_command: x, {_SERVER}}}", "`docker_server` has no `server_port`"),
        (
            f"docker_server: {{start_command: x, server_port: 8080, {_SERVER}}}",
            "`docker_server.server_port` is 8080, where the service itself listens",
        ),
        (
            f"docker_server: {{server_port: 80, no_build: true, {_SERVER}}}",
            "`docker_server` has no `start_command`",
        ),
        (
            f"docker_server: {{start_command: x, server_port: 80, {_SERVER.replace('/p', 'p')}}}",
            "`docker_server.predict_endpoint` is 'p', which is no path of a server",
        ),
    ],
)
def test_one_problem(tmp_path: Path, text: str, message: str) -> None:
    """Says what is wrong, and no other is told beside it."""
    directory = directory_at(tmp_path, text)
    (directory / "code").mkdir()
    (directory / "code/model.py").touch()
    with pytest.raises(ChainDefinitionError) as raised:
        read_directory(directory)
    assert [(p.message, p.line) for p in raised.value.problems] == [(message, 1)]


@pytest.mark.parametrize(
    ("text", "help"),
    [
        ("modelname: a", "did you mean `model_name`?"),
        ("hf_cache: []", "it is called `model_cache` today"),
        ("zzz: 1", "`chainctl explain CH1206` lists the keys"),
        ("runtime: {transport: {kind: sockets}}", "did you mean `websocket`?"),
        ("model_name: yes", 'put it in quotes: "yes"'),
        ("python_version: py3.11.4", "write one from `py310` to `py314`: here `py311`"),
        ("requirements: [torch =2]", 'write it as "package", "package==1.2" or "package @ https://…"'),
        ("environment_variables: {A: }", 'write `A: ""` for an empty one'),
        ("base_image: python:3.12", "write a line each below it: `image: …`"),
        ("requirements: torch", "write one below `requirements:`, a line each: `- torch`"),
        ("secrets: [a]", "write below `secrets:` a line each: `NAME: null`"),
    ],
)
def test_what_to_write(tmp_path: Path, text: str, help: str) -> None:
    """The nearest name, or the form of the value."""
    assert [p.help for p in problems(tmp_path, text)] == [help]


def test_two_that_want_one_place(tmp_path: Path) -> None:
    """Of caches, and of data."""
    cache = "{repo_id: a/b, use_volume: true, volume_folder: x}"
    data = '{url: "https://a/b", local_data_path: x/y}'
    text = f"model_cache:\n- {cache}\n- {cache}\nexternal_data:\n- {data}\n- {data}\n"
    assert told(tmp_path, text) == [
        "3:3 CH1206 `model_cache[1]` and `model_cache[0]` have one `volume_folder`: x",
        "6:3 CH1206 `external_data[1]` and `external_data[0]` are for one file: x/y",
    ]


def test_requirements_in_two_places(tmp_path: Path) -> None:
    """A list and a file; the file is there."""
    text = "requirements: [a]\nrequirements_file: requirements.txt\n"
    root = directory_at(tmp_path, text)
    (root / "requirements.txt").touch()
    with pytest.raises(ChainDefinitionError) as raised:
        read_directory(root)
    assert [(p.line, p.message) for p in raised.value.problems] == [
        (2, "`requirements` and `requirements_file` are both written")
    ]


def test_files_that_are_not_there(tmp_path: Path) -> None:
    """Each at the key that names it; a file is no directory."""
    text = "requirements_file: r.txt\nexternal_package_dirs:\n- ../none\n- config.yaml\nmodel_class_filename: m.py\n"
    assert told(tmp_path, text) == [
        "1:1 CH1207 `requirements_file` is 'r.txt', and there is no such file",
        "3:3 CH1207 `external_package_dirs[0]` is '../none', and there is no such directory",
        "4:3 CH1207 `external_package_dirs[1]` is 'config.yaml', and there is no such directory",
        f"5:1 CH1207 there is no model/m.py in {tmp_path}",
    ]


def test_a_directory_without_a_configuration(tmp_path: Path) -> None:
    """One with another ending is told by its name."""
    (problem,) = problems(tmp_path, None)
    assert (problem.code, problem.message) == ("CH1207", f"there is no config.yaml in {tmp_path}")
    (tmp_path / "config.yml").touch()
    (problem,) = problems(tmp_path, None)
    assert problem.help == "rename config.yml to config.yaml"
    (problem,) = problems(tmp_path / "none", None, None)
    assert problem.code == "CH1207"


@pytest.mark.parametrize("name", ["trt_llm", "bis_llm"])
def test_an_engine_without_a_model(tmp_path: Path, name: str) -> None:
    """Is what only its platform builds; beside a model it is ignored."""
    text = f"model_name: a\n{name}: {{build: {{base_model: llama}}}}\n"
    said = f"2:1 CH1201 `{name}` describes an engine: only the platform that it was written for can build and serve it"
    assert told(tmp_path, text, None) == [said]
    assert told(tmp_path, text) == [f"2:1 CH0510 ignored here: `{name}`"]


def test_what_only_a_platform_does_is_told_once(tmp_path: Path) -> None:
    """With the reason of each; what says nothing is not among it."""
    text = """\
description: "harmless"
examples_filename: e.yaml
resources: {node_count: 2}
runtime: {remote_ssh: {enabled: false}, oidc: {enabled: true}, streaming_read_timeout: 60}
weights: [{source: "hf://a/b"}]
"""
    (problem,) = problems(tmp_path, text)
    assert (problem.code, problem.severity, problem.line) == ("CH0510", "warning", 3)
    assert problem.message == "ignored here: `resources.node_count`, `runtime.oidc`, `weights`"
    assert problem.note.splitlines() == [
        "`resources.node_count`: a model runs on one machine",
        "`runtime.oidc`: no platform issues tokens to services",
        "`weights`: no platform mirrors weights: `model_cache` and `external_data` bring files",
    ]


@pytest.mark.parametrize("word", ["yes", "no", "On", "off"])
def test_a_variable_that_readers_of_yaml_take_for_true_or_false(tmp_path: Path, word: str) -> None:
    """Has the text that is written, and it is said."""
    directory = read_directory(directory_at(tmp_path, f"environment_variables: {{A: {word}}}"))
    assert directory.remote_config.options.env_variables == {"A": word}
    assert [(p.code, p.severity) for p in directory.warnings] == [("CH1206", "warning")]
    assert f"is {word}, which YAML reads as" in directory.warnings[0].message


@pytest.mark.parametrize(
    "written", ["", "null", '""', "'***'", "<your token>", "...", "YOUR_TOKEN", "changeme", "set me here"]
)
def test_placeholders_of_secrets(tmp_path: Path, written: str) -> None:
    """Are no values."""
    assert told(tmp_path, f"secrets:\n  hf_access_token: {written}\n") == []


@pytest.mark.parametrize(
    "text",
    [
        "secrets:\n  key: V4lueOfIt\n",
        "secrets: {key: V4lueOfIt, key: V4lueOfIt}\n",
        "secrets:\n  bad key: V4lueOfIt\n",
        "secrets:\n  key: [V4lueOfIt]\n",
        "secrets: V4lueOfIt\n",
        "secrets:\n- V4lueOfIt\n",
        "secrets:\n  key: !V4lueOfIt V4lueOfIt\n",
        "secrets:\n  key: !foo V4lueOfIt\n",
        'secrets:\n  key: "V4lueOfIt\\ud800"\n',
    ],
)
def test_no_problem_shows_the_value_of_a_secret(tmp_path: Path, text: str) -> None:
    """Neither its texts nor the line that is printed with it."""
    found = problems(tmp_path, text)
    assert found
    assert "V4lue" not in diagnostics_text(found, tmp_path).replace("!V4lueOfIt", "")


def test_a_secret_with_a_value_is_named(tmp_path: Path) -> None:
    """With its line, and the command that takes the value."""
    (problem,) = problems(tmp_path, "model_name: a\nsecrets:\n  key: V4lueOfIt\n")
    assert (problem.code, problem.severity) == ("CH1209", "warning")
    assert problem.message == "line 3: the secret `key` has a value, which is not used"
    assert problem.help == "write `key: null`, and give the value by `chainctl secret set key`"


def test_an_import_that_nothing_provides(tmp_path: Path) -> None:
    """When the file is loaded, and in the words of a configuration."""
    model = (
        "import no_such_package\n\n\nclass Model:\n    def predict(self, inputs):\n        import no_other\n"
    )
    (problem,) = problems(tmp_path, "", model)
    assert (problem.code, problem.path, problem.line) == ("CH0601", str(tmp_path / "model/model.py"), 1)
    assert (
        problem.help
        == "add `no-such-package` to the `requirements` in config.yaml, or move the import into `load`"
    )
