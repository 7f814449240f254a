"""The keys that a config.yaml may have: what each takes, and what it has where it is not written."""

from __future__ import annotations

from chainctl.graph.truss_directory import texts
from chainctl.graph.truss_directory.findings import Findings
from chainctl.graph.truss_directory.kinds import (
    Key,
    anything,
    boolean,
    by_name,
    checked,
    defaults_of,
    items,
    one_of,
    seconds,
    section,
    table,
    text,
    whole,
)
from chainctl.graph.truss_directory.names import secret, secret_path, variable
from chainctl.graph.truss_directory.nodes import Node

WEBSOCKET = "websocket"
_TEXTS = items(text)
_FILE = checked(texts.filled)
_SECRET_NAME = checked(texts.secret_name)
_ONE_WORKER = "one process serves a model here: `replicas`, by `chainctl scale`, are how there are more"


def _num_workers(node: Node, name: str, found: Findings) -> int:
    count: int = whole(1)(node, name, found)
    if count != 1:
        found.add(node.place, f"`{name}` is {count}, and must be 1", help=_ONE_WORKER)
    return 1


def _settings(keys: dict[str, Key]) -> Key:
    """A section that has its keys' defaults where it is not written."""
    return Key(section(keys), defaults_of(keys))


BASE_IMAGE = {
    "image": Key(checked(texts.filled)),
    "python_executable_path": Key(text, ""),
    "docker_auth": Key(table),
}
RESOURCES = {
    "cpu": Key(checked(texts.cpu), "1"),
    "memory": Key(checked(texts.memory), "2Gi"),
    "accelerator": Key(checked(texts.accelerator)),
    "use_gpu": Key(boolean, False),
    "instance_type": Key(text),
    "node_count": Key(whole(1)),
    "fabric": Key(table),
}
TRANSPORT = {
    "kind": Key(one_of("http", WEBSOCKET, "grpc"), "http"),
    "ping_interval_seconds": Key(seconds),
    "ping_timeout_seconds": Key(seconds),
}
HEALTH_CHECKS = {
    "restart_check_delay_seconds": Key(whole(0)),
    "restart_threshold_seconds": Key(whole(0)),
    "stop_traffic_threshold_seconds": Key(whole(0)),
    "startup_threshold_seconds": Key(whole(0)),
}
RUNTIME = {
    "predict_concurrency": Key(whole(1), 1),
    "streaming_read_timeout": Key(whole(1), 60),
    "enable_tracing_data": Key(boolean, False),
    "enable_debug_logs": Key(boolean, False),
    "transport": _settings(TRANSPORT),
    "is_websocket_endpoint": Key(boolean),
    "health_checks": _settings(HEALTH_CHECKS),
    "num_workers": Key(_num_workers, 1),
    "oidc": Key(table),
    "remote_ssh": Key(table),
    "egress_restrictions": Key(table),
    "truss_server_version_override": Key(text),
}
BUILD = {
    "model_server": Key(text, "TrussServer"),
    "arguments": Key(table, {}),
    "secret_to_path_mapping": Key(by_name(secret_path), {}),
}
EXTERNAL_DATA = {
    "url": Key(checked(texts.web_address), is_required=True),
    "local_data_path": Key(checked(texts.inner_path), is_required=True),
    "backend": Key(one_of("http_public"), "http_public"),
    "name": Key(text),
}
MODEL_CACHE = {
    "repo_id": Key(checked(texts.repository), is_required=True),
    "revision": Key(text, ""),
    "allow_patterns": Key(_TEXTS),
    "ignore_patterns": Key(_TEXTS),
    "volume_folder": Key(checked(texts.folder)),
    "use_volume": Key(boolean, False),
    "kind": Key(one_of("hf"), "hf"),
    "runtime_secret_name": Key(_SECRET_NAME, "hf_access_token"),
}
DOCKER_SERVER = {
    "start_command": Key(checked(texts.filled)),
    "server_port": Key(whole(1, 65535), is_required=True),
    "predict_endpoint": Key(checked(texts.route), is_required=True),
    "readiness_endpoint": Key(checked(texts.route), is_required=True),
    "liveness_endpoint": Key(checked(texts.route), is_required=True),
    "run_as_user_id": Key(whole(0, 2**31 - 1)),
    "no_build": Key(boolean),
}
TOP = {
    "model_name": Key(checked(texts.filled)),
    "description": Key(text),
    "model_metadata": Key(table, {}),
    "examples_filename": Key(text, "examples.yaml"),
    "data_dir": Key(checked(texts.inner_directory), "data"),
    "external_data": Key(items(section(EXTERNAL_DATA))),
    "external_package_dirs": Key(items(_FILE), []),
    "python_version": Key(checked(texts.python_version), "py313"),
    "base_image": Key(section(BASE_IMAGE)),
    "requirements_file": Key(_FILE),
    "requirements": Key(items(checked(texts.requirement, "CH0508")), []),
    "system_packages": Key(items(checked(texts.filled)), []),
    "environment_variables": Key(by_name(variable), {}),
    "secrets": Key(by_name(secret, "null"), {}),
    "resources": _settings(RESOURCES),
    "runtime": _settings(RUNTIME),
    "build": _settings(BUILD),
    "build_commands": Key(_TEXTS, []),
    "docker_server": Key(section(DOCKER_SERVER)),
    "model_cache": Key(items(section(MODEL_CACHE)), []),
    "weights": Key(anything, []),
    "trt_llm": Key(table),
    "bis_llm": Key(table),
    "training_checkpoints": Key(table),
    "input_type": Key(text, "Any"),
    "model_framework": Key(text, "custom"),
    "model_type": Key(text, "Model"),
    "model_module_dir": Key(checked(texts.module_directory), "model"),
    "model_class_filename": Key(checked(texts.module_file), "model.py"),
    "model_class_name": Key(checked(texts.class_name), "Model"),
    "bundled_packages_dir": Key(checked(texts.inner_directory), "packages"),
    "use_local_src": Key(boolean, False),
    "cache_internal": Key(anything, []),
    "live_reload": Key(boolean, False),
    "apply_library_patches": Key(boolean, True),
    "spec_version": Key(text, "2.0"),
}
RENAMED = {
    "hf_cache": "model_cache",
    "pip_requirements": "requirements",
    "apt_requirements": "system_packages",
}
CONFIGURATION = section(TOP, RENAMED)
