"""A release as a directory for Compose: its text, that Compose takes it, and what it says of hostile values."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from chainctl.deploy.compose_file import ComposeSettings, compose_tree
from chainctl.deploy.release import FrontDoor, Release
from chainctl.errors import UsageError
from tests.fakes.full_release import full_release

COMPOSE = Path(sys.executable).parent / "docker-compose"
SETTINGS = ComposeSettings({"Front": "python3", "Speak": "/opt/my python", "Model": "python3"})
TEXTS = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=40)


def composed(directory: Path, release: Release) -> Any:
    """What Compose itself makes of the files: it asks no engine for it."""
    for name, text in compose_tree(release, SETTINGS).files:
        (directory / name).write_text(text, encoding="utf-8")
    done = subprocess.run(
        [COMPOSE, "-f", "compose.yaml", "config", "--format", "json"],
        cwd=directory,
        env={"PATH": os.environ["PATH"], "HOME": str(directory)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return json.loads(done.stdout)


def file_of(release: Release) -> Any:
    return yaml.safe_load(dict(compose_tree(release, SETTINGS).files)["compose.yaml"])


def test_a_release_as_text(golden: Callable[[str, str], None]) -> None:
    """All that a service can have; and the door's configuration, which has no secret in it."""
    files = dict(compose_tree(full_release(), SETTINGS).files)
    golden("compose/compose.yaml", files["compose.yaml"])
    golden("compose/haproxy.cfg", files["haproxy.cfg"])


def test_compose_takes_the_file(tmp_path: Path) -> None:
    """Without a word of warning, and it understands what was meant."""
    release = full_release()
    services = composed(tmp_path, release)["services"]
    model, front = (services[release.service_of(name).name] for name in ("Model", "Front"))
    assert model["environment"]["GREETING"] == "it's $$(HOME) & $${HOME}\n"  # as Compose writes dollars
    assert (model["deploy"]["resources"]["limits"]["cpus"], model["read_only"]) == (1.5, True)
    assert model["deploy"]["resources"]["reservations"]["devices"][0]["count"] == 2
    assert front["networks"]["chain"]["aliases"] == ["entry"]
    assert services[release.service_of("Speak").name]["deploy"]["replicas"] == 3
    assert services["door"]["ports"][0]["host_ip"] == "127.0.0.1"


@pytest.mark.parametrize("name", ["Front", "Speak", "Model", "door"])
def test_containers_may_do_nothing_that_they_need_not(name: str) -> None:
    """No root, no capabilities, no writing to the image."""
    release = full_release()
    services = file_of(release)["services"]
    service = services[name if name == "door" else release.service_of(name).name]
    assert service["user"] in ("10001:10001", "99:99")
    assert (service["read_only"], service["cap_drop"]) == (True, ["ALL"])
    assert service["security_opt"] == ["no-new-privileges:true"]


def test_callees_are_up_before_their_callers() -> None:
    """And the entrypoint before the door."""
    release = full_release()
    services = file_of(release)["services"]
    for spec in release.services:
        waits = services[spec.name].get("depends_on", {})
        calls = {name for name, how in waits.items() if how == {"condition": "service_healthy"}}
        assert calls == {call.service for call in spec.calls}
    assert services["door"]["depends_on"] == {release.entrypoint: {"condition": "service_healthy"}}


def test_secrets_are_files_that_are_referred_to() -> None:
    """Each once, and a service sees those that it declares."""
    release = full_release()
    value = file_of(release)
    files = {"chainctl-token", "door-key", "door-pem", "hf_token", "other.key"}
    assert {one["file"] for one in value["secrets"].values()} == {f"./secrets/{name}" for name in files}
    seen = value["services"][release.service_of("Model").name]["secrets"]
    assert [one["target"] for one in seen] == [".chainctl-token", "hf_token", "other.key"]
    assert [one["target"] for one in value["services"]["door"]["secrets"]] == [
        ".chainctl-token",
        "api-key",
        "tls.pem",
    ]


def test_what_is_needed_and_what_compose_can_not_do_is_told() -> None:
    """Files to provide with the commands for it; images on the engine, loads and labels."""
    rendered = compose_tree(full_release(), SETTINGS)
    commands = [one.command for one in rendered.needed]
    assert "chmod 644 secrets/hf_token" in commands
    assert f"cp /project/weights.bin data/{'ab' * 32}" in commands
    images, following, labelled = rendered.notices
    assert "shop/model:" in images
    assert "Model keep the number" in following
    assert "labels of Model" in labelled


@given(st.dictionaries(TEXTS.filter(lambda name: not name.startswith("CHAINCTL_")), TEXTS, max_size=3))
@settings(deadline=None, max_examples=40)
def test_hostile_texts_stay_what_they_are(env: dict[str, str]) -> None:
    """A dollar is one, and nothing in a text is YAML."""
    env.pop("PYTHONPATH", None)
    release = full_release()
    services = tuple(replace(one, env=tuple(sorted(env.items()))) for one in release.services)
    value = file_of(replace(release, services=services))
    told = value["services"][release.entrypoint]["environment"]
    assert {name: told[name].replace("$$", "$") for name in env} == env


def test_compose_reads_hostile_texts_as_they_are(tmp_path: Path) -> None:
    """The program itself, with the worst that there is."""
    worst = "${HOME} $HOME $$ \"'\\\n\t: - # {{ }} é \u2028 \U0001f600 \x85 !!str &a *a"
    release = full_release()
    services = tuple(replace(one, env=(("WORST", worst),)) for one in release.services)
    found = composed(tmp_path, replace(release, services=services))["services"][release.entrypoint]
    assert found["environment"]["WORST"].replace("$$", "$") == worst


def test_a_name_that_is_no_project_is_refused() -> None:
    """At once, and how to give another."""
    with pytest.raises(UsageError, match="project of Compose") as caught:
        compose_tree(replace(full_release(), chain="Shop"), SETTINGS)
    assert "--name" in caught.value.hint


def test_the_door_is_where_the_settings_say() -> None:
    """Loopback unless asked otherwise."""
    door = FrontDoor(bind="0.0.0.0", port=9000)
    port = file_of(replace(full_release(), front_door=door))["services"]["door"]["ports"][0]
    assert (port["host_ip"], port["published"]) == ("0.0.0.0", "9000")
