"""What a Truss directory says, as one value."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from chainctl.graph.truss_directory import TrussDirectory, read_directory
from chainctl.graph.truss_directory.keys import BUILD, RUNTIME, TOP
from chainctl.graph.truss_directory.kinds import defaults_of
from chainctl.sdk.config import (
    Assets,
    BasetenImage,
    ChainletOptions,
    Compute,
    CustomImage,
    DockerImage,
    HealthChecks,
    HTTPOptions,
    RemoteConfig,
    WebsocketOptions,
)
from chainctl.sdk.paths import AbsPath
from tests.unit.graph.truss_directory.directories import directory_at, read

_ALL = """\
model_name: Speech to text (v2)
model_metadata: {tags: [a, 1, 1.5, true, null, 2024-01-01]}
python_version: 3.10
requirements:
  - torch==2.4.0
  - 3
system_packages: [ffmpeg, git curl]
external_package_dirs: [../shared]
environment_variables: {A: text, B: 010, C: 1.50, D: true, E: ""}
secrets: {hf_access_token: null, key: "***"}
resources: {cpu: 1500m, memory: 512Mi, accelerator: "L4:4"}
runtime:
  predict_concurrency: 8
  enable_debug_logs: on
  health_checks: {startup_threshold_seconds: 1200}
  transport: {kind: websocket, ping_interval_seconds: 10}
build: {secret_to_path_mapping: {pip_token: /run/secrets/pip_token}}
build_commands: [echo hello]
"""


def test_an_empty_file_has_all_defaults(tmp_path: Path) -> None:
    """And calls one after the other, as nothing says that the model bears more."""
    root = tmp_path / "speech model"
    config = {
        **defaults_of(TOP),
        "resources": {**TOP["resources"].default, "use_gpu": False},
        "runtime": {
            **{name: key.default for name, key in RUNTIME.items() if name != "num_workers"},
            "transport": {"kind": "http"},
            "is_websocket_endpoint": False,
        },
    }
    assert read(root) == TrussDirectory(
        root=root,
        name="speech-model",
        module="model.model",
        class_name="Model",
        model_file=root / "model/model.py",
        remote_config=RemoteConfig(
            docker_image=DockerImage(base_image=BasetenImage.PY313),
            compute=Compute(cpu_count=1, memory="2Gi", predict_concurrency=1),
        ),
        config=config,
        files=(root / "model/model.py",),
        lines={},
    )
    assert config["python_version"] == "py313"
    assert config["build"] == defaults_of(BUILD)


def test_what_is_written_goes_where_it_belongs(tmp_path: Path) -> None:
    """Into what the image and the service are made from."""
    root = directory_at(tmp_path / "speech", _ALL)
    for name in ("packages", "data", "../shared"):
        (root / name).mkdir()
    found = read_directory(root)
    assert found.remote_config == RemoteConfig(
        docker_image=DockerImage(
            base_image=BasetenImage.PY310,
            pip_requirements=["torch==2.4.0", "3"],
            apt_requirements=["ffmpeg", "git curl"],
            data_dir=AbsPath(str(root / "data")),
            external_package_dirs=[AbsPath(str(root / "packages")), AbsPath(str(tmp_path / "shared"))],
        ),
        compute=Compute(cpu_count=2, memory="512Mi", gpu="L4", gpu_count=4, predict_concurrency=8),
        assets=Assets(secret_keys=["hf_access_token", "key"]),
        options=ChainletOptions(
            env_variables={"A": "text", "B": "010", "C": "1.50", "D": "true", "E": ""},
            enable_debug_logs=True,
            health_checks=HealthChecks(startup_threshold_seconds=1200),
            transport=WebsocketOptions(ping_interval_seconds=10.0),
        ),
        build_commands=["echo hello"],
        build_secret_keys=["pip_token"],
    )
    assert found.name == "Speech-to-text-v2"
    assert found.warnings == ()


def test_the_configuration_has_the_form_that_a_model_is_given(tmp_path: Path) -> None:
    """Names of secrets, not their values; what follows from other values is written out; JSON keeps it all."""
    text = _ALL.replace('"***"', "hf_jRkTqQx1").replace("../shared", "model")
    found = read(tmp_path, text)
    assert found.config["secrets"] == {"hf_access_token": None, "key": None}
    assert found.config["python_version"] == "py310"
    assert found.config["model_metadata"] == {"tags": ["a", 1, 1.5, True, None, "2024-01-01"]}
    assert found.config["resources"]["use_gpu"] is True
    assert found.config["runtime"]["is_websocket_endpoint"] is True
    assert found.config["runtime"]["transport"] == {
        "kind": "websocket",
        "ping_interval_seconds": 10,
        "ping_timeout_seconds": None,
    }
    assert json.loads(json.dumps(found.config)) == found.config
    assert "hf_jRkTqQx1" not in repr(found)
    assert [p.code for p in found.warnings] == ["CH1209"]


def test_predict_concurrency_is_always_written(tmp_path: Path) -> None:
    """Where nothing is written, a sync chainlet would be bounded and an async one not: a model always is."""
    config = read(tmp_path, "").remote_config
    written = json.loads(config.model_dump_json(exclude_unset=True))
    assert RemoteConfig.from_json(written).compute.concurrency == 1


@pytest.mark.parametrize(
    ("written", "cpus"),
    [("1", 1), ('"1"', 1), ("4", 4), ("1.5", 2), ("500m", 1), ("2000m", 2), ("2001m", 3), ("0.1", 1)],
)
def test_cpus_are_rounded_up(tmp_path: Path, written: str, cpus: int) -> None:
    """As a service has whole ones."""
    config = read(tmp_path, f"resources: {{cpu: {written}}}").remote_config
    assert config.compute.cpu_count == cpus


@pytest.mark.parametrize(
    ("written", "image"),
    [
        ("python_version: py312", BasetenImage.PY312),
        ("python_version: 3.10", BasetenImage.PY310),
        ('python_version: "3.14"', BasetenImage.PY314),
        ("base_image: {image: vllm/vllm-openai:v1}", CustomImage(image="vllm/vllm-openai:v1")),
        (
            "base_image: {image: a:1, python_executable_path: /usr/bin/python3.12}\npython_version: py39",
            CustomImage(image="a:1", python_executable_path="/usr/bin/python3.12"),
        ),
    ],
)
def test_base_images(tmp_path: Path, written: str, image: BasetenImage | CustomImage) -> None:
    """A version of Python, or an image of the user's own, whose Python counts then."""
    assert read(tmp_path, written).remote_config.docker_image.base_image == image


@pytest.mark.parametrize(
    ("written", "transport"),
    [
        ("runtime: {}", None),
        ("runtime: {transport: {kind: http}}", HTTPOptions()),
        ("runtime: {is_websocket_endpoint: true}", WebsocketOptions()),
        ("runtime: {is_websocket_endpoint: false}", None),
        (
            "runtime: {transport: {kind: websocket, ping_timeout_seconds: 2}}",
            WebsocketOptions(ping_timeout_seconds=2.0),
        ),
    ],
)
def test_transports(tmp_path: Path, written: str, transport: HTTPOptions | WebsocketOptions | None) -> None:
    """None where nobody wrote one: the model's method decides."""
    assert read(tmp_path, written).remote_config.options.transport == transport


def test_the_class_may_be_elsewhere(tmp_path: Path) -> None:
    """In another directory and file, under another name."""
    text = "model_module_dir: ./src/speech/\nmodel_class_filename: whisper.py\nmodel_class_name: Whisper\n"
    root = directory_at(tmp_path, text, None, src__speech__whisper="")
    (root / "src/speech/whisper").rename(root / "src/speech/whisper.py")
    found = read_directory(root)
    assert (found.module, found.class_name) == ("src.speech.whisper", "Whisper")
    assert found.model_file == root / "src/speech/whisper.py"
    assert found.config["model_module_dir"] == "src/speech"


def test_code_is_all_below_the_models_directory(tmp_path: Path) -> None:
    """But for what tools leave there; data beside it are not code."""
    root = directory_at(tmp_path, "data_dir: data")
    kept = ["model/deep/prompt.txt", "model/helper.py", "model/model.py"]
    left = [
        "model/__pycache__/model.pyc",
        "model/old.pyc",
        "model/.git/HEAD",
        "model/.DS_Store",
        "data/x",
        "y.py",
    ]
    for name in (*kept, *left):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()
    files = [path.relative_to(root).as_posix() for path in read_directory(root).files]
    assert sorted(files) == kept


def test_lines_of_keys(tmp_path: Path) -> None:
    """At the top, and in sections, for problems that are found later."""
    text = "\nmodel_name: a\nresources:\n  cpu: 1\n\n  memory: 1Gi\n"
    expected = {"model_name": 2, "resources": 3, "resources.cpu": 4, "resources.memory": 6}
    assert read(tmp_path, text).lines == expected


@pytest.mark.parametrize(
    ("written", "name"),
    [("My Model/v1", "My-Model-v1"), ("'---'", "model"), ("模型", "模型"), ("a_b-c", "a_b-c"), ("12", "12")],
)
def test_names(tmp_path: Path, written: str, name: str) -> None:
    """Names stay as far as they can; those of other scripts are told apart later."""
    assert read(tmp_path, f"model_name: {written}").name == name


def test_what_a_server_of_truss_brings_along_is_asked_for(tmp_path: Path) -> None:
    """Where the model's code imports it, at the top or in a method, and nothing names it; never Truss."""
    model = (
        "import numpy, json\nfrom .helper import x\n\n\nclass Model:\n"
        "    def predict(self, inputs):\n        import yaml\n"
    )
    root = directory_at(tmp_path, "requirements: [NumPy<3, truss]", model)
    (root / "model/helper.py").write_text(
        "from fastapi import Request\nimport httpx\nx = 1\n", encoding="utf-8"
    )
    found = read_directory(root)
    assert found.remote_config.docker_image.pip_requirements == ["NumPy<3", "fastapi", "httpx", "pyyaml"]
    assert [(p.code, p.message) for p in found.warnings] == [
        ("CH0510", "ignored here: `requirements: truss`")
    ]


def test_a_server_of_somebody_elses_needs_no_model(tmp_path: Path) -> None:
    """And brings all of its requirements itself."""
    text = """\
base_image: {image: vllm/vllm-openai:v1}
docker_server:
  start_command: vllm serve
  server_port: 8081
  predict_endpoint: /v1/chat/completions
  readiness_endpoint: /health
  liveness_endpoint: /health
"""
    found = read(tmp_path, text, None)
    assert found.files == ()
    assert found.config["docker_server"] == {
        "start_command": "vllm serve",
        "server_port": 8081,
        "predict_endpoint": "/v1/chat/completions",
        "readiness_endpoint": "/health",
        "liveness_endpoint": "/health",
        "run_as_user_id": None,
        "no_build": None,
    }
    assert found.warnings == ()


def test_caches_and_data_are_kept_with_their_defaults(tmp_path: Path) -> None:
    """For who fetches them."""
    text = """\
external_data:
  - {url: "https://example.org/a.bin", local_data_path: weights/a.bin}
model_cache:
  - {repo_id: org/name, use_volume: true, volume_folder: name, revision: 0123456, allow_patterns: ["*.bin"]}
  - {repo_id: org/other}
"""
    config = read(tmp_path, text).config
    data = {"url": "https://example.org/a.bin", "local_data_path": "weights/a.bin", "backend": "http_public"}
    assert config["external_data"] == [{**data, "name": None}]
    cache = {
        "repo_id": "org/name",
        "revision": "0123456",
        "allow_patterns": ["*.bin"],
        "ignore_patterns": None,
        "volume_folder": "name",
        "use_volume": True,
        "kind": "hf",
        "runtime_secret_name": "hf_access_token",
    }
    other = {"repo_id": "org/other", "revision": "", "allow_patterns": None, "volume_folder": None}
    assert config["model_cache"] == [cache, {**cache, **other, "use_volume": False}]
