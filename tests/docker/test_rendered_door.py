"""The front door's configuration for a cluster, as HAProxy itself reads it."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest
import yaml

from chainctl.adapters.docker.engine import Engine
from chainctl.adapters.docker.engine_address import EngineAddress, docker_config_dir
from chainctl.deploy.kubernetes.manifests import door_manifests
from chainctl.deploy.kubernetes.settings import ClusterSettings
from chainctl.deploy.release import FrontDoor, SecretRef

pytestmark = pytest.mark.docker
SECRETS = {".chainctl-token": "t0ken\n", "api-key": " k3y \n"}


def test_a_door_for_a_cluster_is_valid(tmp_path: Path) -> None:
    """Its own command makes what HAProxy reads of the secrets; an entrypoint that nobody knows is waited for."""
    door = FrontDoor(api_key=SecretRef("door-key", "1"), token_fingerprint="2")
    found = [yaml.safe_load(one.text) for one in door_manifests("shop", door, None, ClusterSettings())]
    (config,) = [one["data"]["haproxy.cfg"] for one in found if one["kind"] == "ConfigMap"]
    (deployment,) = [one for one in found if one["kind"] == "Deployment"]
    container = deployment["spec"]["template"]["spec"]["containers"][0]
    words = [word.replace("$$", "$") for word in container["command"]]  # as the kubelet reads them
    words[-1] = words[-1].replace("exec haproxy -W -db", "cat /run/door/keys; exec haproxy -c")
    (tmp_path / "secrets").mkdir()
    (tmp_path / "haproxy.cfg").write_text(config)
    for name, text in SECRETS.items():
        (tmp_path / "secrets" / name).write_text(text)
    status, said = ran(container["image"], words, tmp_path)
    assert status == 0, said
    assert said.startswith(hashlib.sha256(b"k3y").hexdigest() + "\n")
    assert "WARNING" not in said
    assert "t0ken" not in said


def ran(image: str, command: list[str], directory: Path) -> tuple[int, str]:
    """Run a command as a cluster runs the door, with the files of a directory; return how it ended and what it said."""
    engine = Engine.connect(EngineAddress.resolve(os.environ, docker_config_dir(os.environ, Path.home())))
    with engine.client() as client:
        host = client.create_host_config(
            binds=[
                f"{directory}/haproxy.cfg:/etc/chainctl/haproxy.cfg:ro",
                f"{directory}/secrets:/run/secrets:ro",
            ],
            cap_drop=["ALL"],
            read_only=True,
            tmpfs={"/run/door": "mode=0700,uid=99,gid=99"},
        )
        made = client.create_container(
            image, entrypoint=command, user="99:99", environment={"NAMESPACE": "models"}, host_config=host
        )
        try:
            client.start(made["Id"])
            status = client.wait(made["Id"], timeout=60)["StatusCode"]
            return status, client.logs(made["Id"]).decode()
        finally:
            client.remove_container(made["Id"], force=True, v=True)
