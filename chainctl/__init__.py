"""Multi-model pipelines as typed Python classes: `import chainctl as chains`.

The names of the SDK, loaded when they are first used, so that the command line starts fast and a
container loads only what it needs.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

from chainctl.version import __version__

if TYPE_CHECKING:
    from chainctl.calls.stub import StubBase
    from chainctl.cli.api import connect, push
    from chainctl.errors import (
        ChainsRuntimeError,
        ChainsUsageError,
        GenericRemoteException,
        MissingDependencyError,
    )
    from chainctl.sdk.batched import batched
    from chainctl.sdk.built_in import ChainDeployment, Command, Download, SmokeTest, this_chain
    from chainctl.sdk.chainlet import ChainletBase, mark_entrypoint
    from chainctl.sdk.component import Component, output
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
        RPCOptions,
        WebsocketOptions,
    )
    from chainctl.sdk.context import DeployedServiceDescriptor, DeploymentContext, Environment
    from chainctl.sdk.http_error import HTTPError
    from chainctl.sdk.markers import depends, depends_context
    from chainctl.sdk.paths import make_abs_path_here
    from chainctl.sdk.secret import Secret
    from chainctl.sdk.trigger import trigger
    from chainctl.sdk.websocket import WebSocketDisconnect, WebSocketProtocol
    from chainctl.wire.error_detail import RemoteErrorDetail
    from chainctl.worker.local import run_local

_HOMES = {
    "Assets": "chainctl.sdk.config",
    "BasetenImage": "chainctl.sdk.config",
    "ChainDeployment": "chainctl.sdk.built_in",
    "ChainletBase": "chainctl.sdk.chainlet",
    "ChainletOptions": "chainctl.sdk.config",
    "ChainsRuntimeError": "chainctl.errors",
    "ChainsUsageError": "chainctl.errors",
    "Command": "chainctl.sdk.built_in",
    "Component": "chainctl.sdk.component",
    "Compute": "chainctl.sdk.config",
    "CustomImage": "chainctl.sdk.config",
    "DeployedServiceDescriptor": "chainctl.sdk.context",
    "DeploymentContext": "chainctl.sdk.context",
    "DockerImage": "chainctl.sdk.config",
    "Download": "chainctl.sdk.built_in",
    "Environment": "chainctl.sdk.context",
    "GenericRemoteException": "chainctl.errors",
    "HTTPError": "chainctl.sdk.http_error",
    "HTTPOptions": "chainctl.sdk.config",
    "HealthChecks": "chainctl.sdk.config",
    "MissingDependencyError": "chainctl.errors",
    "RPCOptions": "chainctl.sdk.config",
    "RemoteConfig": "chainctl.sdk.config",
    "RemoteErrorDetail": "chainctl.wire.error_detail",
    "Secret": "chainctl.sdk.secret",
    "SmokeTest": "chainctl.sdk.built_in",
    "StubBase": "chainctl.calls.stub",
    "WebSocketDisconnect": "chainctl.sdk.websocket",
    "WebSocketProtocol": "chainctl.sdk.websocket",
    "WebsocketOptions": "chainctl.sdk.config",
    "batched": "chainctl.sdk.batched",
    "connect": "chainctl.cli.api",
    "depends": "chainctl.sdk.markers",
    "depends_context": "chainctl.sdk.markers",
    "make_abs_path_here": "chainctl.sdk.paths",
    "mark_entrypoint": "chainctl.sdk.chainlet",
    "output": "chainctl.sdk.component",
    "push": "chainctl.cli.api",
    "run_local": "chainctl.worker.local",
    "this_chain": "chainctl.sdk.built_in",
    "trigger": "chainctl.sdk.trigger",
}

__all__ = [
    "Assets",
    "BasetenImage",
    "ChainDeployment",
    "ChainletBase",
    "ChainletOptions",
    "ChainsRuntimeError",
    "ChainsUsageError",
    "Command",
    "Component",
    "Compute",
    "CustomImage",
    "DeployedServiceDescriptor",
    "DeploymentContext",
    "DockerImage",
    "Download",
    "Environment",
    "GenericRemoteException",
    "HTTPError",
    "HTTPOptions",
    "HealthChecks",
    "MissingDependencyError",
    "RPCOptions",
    "RemoteConfig",
    "RemoteErrorDetail",
    "Secret",
    "SmokeTest",
    "StubBase",
    "WebSocketDisconnect",
    "WebSocketProtocol",
    "WebsocketOptions",
    "__version__",
    "batched",
    "connect",
    "depends",
    "depends_context",
    "make_abs_path_here",
    "mark_entrypoint",
    "output",
    "push",
    "run_local",
    "this_chain",
    "trigger",
]


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module 'chainctl' has no attribute {name!r}")
    value = getattr(importlib.import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
