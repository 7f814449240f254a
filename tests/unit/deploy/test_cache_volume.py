"""Models that want files from elsewhere have a cache volume: in their release, their image, their environment."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from chainctl.adapters.docker.services_body import environment
from chainctl.adapters.intercept_place import Place
from chainctl.adapters.local.paths import LocalPaths, cache_below
from chainctl.adapters.local.process_env import caching
from chainctl.build.plan import plan_build
from chainctl.build.requirements import FORWARDING_REQUIREMENTS, runtime_requirements
from chainctl.build.settings import BuildSettings
from chainctl.deploy.compose_release import FETCH_SEC, compose_release
from chainctl.deploy.release import CacheVolume, ServiceSpec
from chainctl.deploy.settings import DeploySettings
from chainctl.worker.models.asked_files import data_links
from tests.fakes.chains import chainlet, graph_of, snapshot_of

EXTERNAL = {"external_data": [{"url": "http://host/a", "local_data_path": "in/a.bin"}], "model_cache": []}
CACHED = {"external_data": None, "model_cache": [{"repo_id": "org/tiny", "revision": "main"}]}


def composed(
    truss_config: dict[str, Any] | None, config: dict[str, Any] | None = None, **more: Any
) -> ServiceSpec:
    """The one service of a chain of one model."""
    spec = replace(chainlet("Model", config=config), truss_config=truss_config)
    graph = graph_of({"Model": []}, specs=[spec])
    images = plan_build(graph, "shop", snapshot_of(), BuildSettings())
    return compose_release(graph, "shop", images, DeploySettings(**more), {}).services[0]


def test_a_model_with_files_from_elsewhere_has_a_cache() -> None:
    """Others have none, and are called as they were before there was such a thing."""
    wanted = CacheVolume("models", "/var/cache/chainctl", "/app/model_cache")
    assert composed(EXTERNAL).cache == composed(CACHED).cache == wanted
    assert composed(None).cache is composed({"external_data": None, "model_cache": []}).cache is None
    assert composed(None).fingerprint.config == composed({"model_cache": []}).fingerprint.config
    assert composed(CACHED).fingerprint.config != composed(None).fingerprint.config


def test_a_start_that_may_fetch_gigabytes_has_the_time() -> None:
    """Unless config.yaml says how long it may take, or the settings say longer."""
    written = {"options": {"health_checks": {"startup_threshold_seconds": 90}}}
    assert composed(CACHED).start_timeout_sec == FETCH_SEC
    assert composed(CACHED, start_timeout_sec=9000.0).start_timeout_sec == 9000.0
    assert composed(CACHED, written).start_timeout_sec == 90.0
    assert composed(None, start_timeout_sec=7.0).start_timeout_sec == 7.0


def test_an_image_has_links_to_external_files() -> None:
    """At the path that the model has always read; quoted, because a path is a user's text."""
    odd = {"external_data": [{"url": "http://host/a", "local_data_path": "it's/a b.bin"}]}
    spec = replace(chainlet("Model"), truss_config=odd)
    graph = graph_of({"Model": []}, specs=[spec])
    text = plan_build(graph, "shop", snapshot_of(), BuildSettings()).images[0].context.text_of("Dockerfile")
    (line,) = [line for line in text.splitlines() if "ln -sfn" in line]
    quoted = "'/app/data/it'\"'\"'s/a b.bin'"
    assert line.startswith(
        f'RUN mkdir -p "$(dirname {quoted})" && ln -sfn \'/var/cache/chainctl/models/external/'
    )
    assert line.endswith(f"/a b.bin' {quoted}")


def test_a_server_of_its_image_may_fetch_by_itself_and_finds_its_secrets() -> None:
    """So it has a cache, the time for it, and a link to where Truss has secrets."""
    server = {"docker_server": {"start_command": "vllm serve", "server_port": 8001}}
    assert composed(server).cache is not None
    assert composed(server).start_timeout_sec == FETCH_SEC
    assert data_links(server) == [("/secrets", "/run/secrets")]
    spec = replace(chainlet("Model"), truss_config=server)
    graph = graph_of({"Model": []}, specs=[spec])
    assert set(FORWARDING_REQUIREMENTS) < set(runtime_requirements(graph, spec))


def test_a_container_is_told_where_its_cache_is() -> None:
    """Clients of the hub look there too."""
    said = environment(composed(CACHED), is_sharing=False)
    assert [line for line in said if "CACHE" in line] == [
        "CHAINCTL_CACHE=/var/cache/chainctl/models",
        "CHAINCTL_MODEL_CACHE=/app/model_cache",
        "HF_HUB_CACHE=/var/cache/chainctl/models/hub",
    ]
    assert not [line for line in environment(composed(None), is_sharing=False) if "CACHE" in line]


def test_replicas_of_a_local_service_share_their_folders() -> None:
    """And no other service has them: another may want other files of the same repository."""
    cache = Path("/state/caches/models")
    assert (
        caching(cache, "shop-model-12345678.2")
        == caching(cache, "shop-model-12345678")
        == {
            "CHAINCTL_CACHE": str(cache),
            "CHAINCTL_MODEL_CACHE": str(cache / "folders" / "shop-model-12345678"),
            "HF_HUB_CACHE": str(cache / "hub"),
        }
    )


def test_runs_for_the_time_of_a_command_share_what_they_fetched() -> None:
    """The state of such a run is removed with it; a chain that was pushed has its own."""
    pushed = LocalPaths.of(Path("/state"), xdg_runtime_dir="/login", uid=7).run("shop")
    assert pushed.cache_of("models").is_relative_to(pushed.state)
    caches = Path("/home/me/caches")
    brief = LocalPaths.of(Path("/tmp/brief"), xdg_runtime_dir="/login", uid=7, caches=caches).run("shop")
    assert brief.cache_of("models") == cache_below(caches, "shop", "models")
    assert Place(Path("/place"), {}, "python").caches is None
