"""`chainctl render --target`: what it writes without an engine and without secrets, and that Compose runs it."""

from __future__ import annotations

import http.client
import json
import os
import subprocess
import sys
import uuid
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from chainctl.adapters.docker.engine import Engine
from chainctl.adapters.docker.engine_address import EngineAddress, docker_config_dir
from tests.conftest import Chainctl
from tests.docker.registry_server import free_port
from tests.fakes.index import serving

COMPOSE = str(Path(sys.executable).parent / "docker-compose")
DIRECT = """\
import http.client, sys
connection = http.client.HTTPConnection(sys.argv[1], 8080, timeout=10)
connection.request("POST", "/run_remote", b'"x"', {"content-type": "application/json"})
print(connection.getresponse().status)
"""
CHAIN = """
import os
import chainctl as chains

class Shout(chains.ChainletBase):
    remote_config = chains.RemoteConfig(
        compute=chains.Compute(memory="256Mi", replicas=2),
        assets=chains.Assets(secret_keys=["MARK"]),
    )

    def __init__(self, context: chains.DeploymentContext = chains.depends_context()) -> None:
        self._mark = context.secrets["MARK"]

    def run_remote(self, text: str) -> str:
        return text.upper() + self._mark

@chains.mark_entrypoint
class Front(chains.ChainletBase):
    remote_config = chains.RemoteConfig(
        compute=chains.Compute(memory="256Mi"),
        options=chains.ChainletOptions(env_variables={"GREETING": "$HOME and $(HOME)"}),
    )

    def __init__(self, shout: Shout = chains.depends(Shout)) -> None:
        self._shout = shout

    def run_remote(self, text: str) -> str:
        return os.environ["GREETING"] + ": " + self._shout.run_remote(text)
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "project").mkdir()
    file = tmp_path / "project" / "chain.py"
    file.write_text(CHAIN)
    return file


@pytest.fixture
def apart(chainctl: Chainctl, tmp_path: Path) -> Iterator[Chainctl]:
    """The command with an index on loopback, and an engine that does not answer."""
    (tmp_path / "index").mkdir()
    with serving(tmp_path / "index") as index:
        index.add_runtime()
        own = {
            "CHAINCTL_INDEX_URL": index.url,
            "CHAINCTL_CPU_WHEELS": "false",
            "DOCKER_HOST": f"unix://{tmp_path}/no.sock",
            "UV_CACHE_DIR": str(tmp_path / "cache"),
        }
        yield replace(chainctl, environ={**chainctl.environ, **own})


def tree(directory: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(directory)): path.read_bytes() for path in directory.rglob("*") if path.is_file()
    }


def test_manifests_are_the_same_everywhere(apart: Chainctl, project: Path, tmp_path: Path) -> None:
    """Twice the same bytes, without an engine, a cluster or the chain's secrets; JSON says what is needed."""
    made = []
    (project.parent / "chainctl.toml").write_text('namespace = "other"\ndrain_sec = 7\n')
    for name in ("one", "two"):
        done = apart(
            "render", str(project), "--target", "kubernetes", "-o", str(tmp_path / name),
            "--namespace", "models", "--ingress-host", "a.example", "--json",
        )  # fmt: skip
        made.append(tree(tmp_path / name))
    assert made[0] == made[1]
    assert {"kustomization.yaml", "services/front.yaml", "services/shout.yaml"} <= made[0].keys()
    said = json.loads(done.stdout)
    assert len(said["files"]) == len(made[1])
    assert any("MARK" in one["what"] for one in said["needed"])
    assert all("-n models" in one["command"] for one in said["needed"])
    assert b"terminationGracePeriodSeconds: 17\n" in made[0]["services/front.yaml"]
    (ingress,) = [text for name, text in made[0].items() if "ingress" in name]
    assert yaml.safe_load(ingress)["spec"]["rules"][0]["host"] == "a.example"


def test_a_compose_file_is_written(apart: Chainctl, project: Path, tmp_path: Path) -> None:
    """With what is needed on stderr, and the files on stdout."""
    done = apart("render", str(project), "--target", "compose", "-o", str(tmp_path / "out"))
    assert done.stdout.split() == [str(tmp_path / "out" / name) for name in ("compose.yaml", "haproxy.cfg")]
    assert "Needed: secrets/MARK" in done.stderr
    assert "they are in no registry" in done.stderr


def test_what_can_not_be_rendered_is_said(apart: Chainctl, project: Path, tmp_path: Path) -> None:
    """Each in one sentence, and nothing is written."""
    out = tmp_path / "out"

    def refused(*options: str) -> str:
        return apart("render", str(project), "-o", str(out), *options, expect=2).stderr

    assert "nothing can be rendered for the target nomad" in refused("--target", "nomad")
    assert "build contexts name no registry" in refused("--namespace", "x")
    assert "Compose has no namespaces" in refused("--target", "compose", "--namespace", "x")
    assert "is no namespace of Kubernetes" in refused("--target", "kubernetes", "--namespace", "Not_One")
    assert not out.exists()
    out.mkdir()
    (out / "mine").touch()
    assert "is not empty" in refused("--target", "kubernetes")
    assert [path.name for path in out.iterdir()] == ["mine"]


@pytest.mark.docker
def test_compose_runs_what_was_rendered(chainctl: Chainctl, project: Path, tmp_path: Path) -> None:
    """Build, up, call through the door, which alone speaks for the chain; down again."""
    name, port, out = f"composed-{uuid.uuid4().hex[:8]}", free_port(), tmp_path / "out"
    own = {"CHAINCTL_API_KEY_SECRET": "door_key", "CHAINCTL_PORT": str(port)}
    command = replace(chainctl, environ={**chainctl.environ, **own})
    command("build", str(project), "--name", name, "--target", "docker", "--quiet", timeout=600)
    command("render", str(project), "--name", name, "--target", "compose", "-o", str(out))
    values = {"chainctl-token": uuid.uuid4().hex + "\n", "MARK": "!", "door_key": "k3y\n"}
    (out / "secrets").mkdir()
    for key, value in values.items():
        (out / "secrets" / key).write_text(value)
        (out / "secrets" / key).chmod(0o644)
    try:
        compose(out, "up", "--detach", "--wait", "--wait-timeout", "120")
        assert call(port, {"authorization": "Bearer k3y"}) == (200, "$HOME and $(HOME): HELLO!")
        assert call(port, {"authorization": "Bearer wrong"})[0] == 401
        assert call(port, {"x-chainctl-token": values["chainctl-token"].strip()})[0] == 401
        shown = compose(out, "ps", "--format", "json")
        running = [json.loads(line) for line in shown.splitlines()]
        assert len(running) == 4
        assert {one["Health"] for one in running} == {"healthy"}
        (front,) = [one for one in running if "-front-" in one["Service"]]
        direct = compose(out, "exec", "-T", front["Service"], "python3", "-c", DIRECT, "localhost")
        assert direct.strip() == "401"
        with engine().client() as client:
            inspected = json.dumps([client.inspect_container(one["ID"]) for one in running])
        assert not [value for key, value in values.items() if key != "MARK" and value.strip() in inspected]
        assert "k3y" not in compose(out, "logs")
    finally:
        compose(out, "down", "--volumes", "--timeout", "2")
        remove_images(name)


def compose(directory: Path, *arguments: str) -> str:
    """Run Compose in a directory, on the engine that the environment names."""
    done = subprocess.run(
        [COMPOSE, *arguments], cwd=directory, capture_output=True, text=True, timeout=200, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def call(port: int, headers: Mapping[str, str]) -> tuple[int, Any]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    with closing(connection):
        body = json.dumps({"text": "hello"}).encode()
        connection.request("POST", "/run_remote", body, {"content-type": "application/json", **headers})
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read())


def engine() -> Engine:
    return Engine.connect(EngineAddress.resolve(os.environ, docker_config_dir(os.environ, Path.home())))


def remove_images(chain: str) -> None:
    with engine().client() as client:
        for image in client.images(filters={"reference": f"{chain}/*"}):
            client.remove_image(image["Id"], force=True)
