"""What `import truss_chains as chains` gives: its public names, each loaded when it is first used."""

from __future__ import annotations

import importlib

_OWN = {
    "ChainsDeploymentError": "chainctl.truss.push",
    "EngineBuilderLLMChainlet": "chainctl.truss.kinds",
    "EngineBuilderLLMInput": "chainctl.truss.kinds",
    "ModelBase": "chainctl.truss.kinds",
    "TrussChainlet": "chainctl.truss.kinds",
    "TrussHandle": "chainctl.truss.handle",
    "WeightsSource": "chainctl.truss.config",
    "push": "chainctl.truss.push",
}
"""Names that the SDK has not, or has otherwise."""

_PUBLIC = (
    "Assets", "BasetenImage", "ChainletBase", "ChainletOptions", "Compute", "CustomImage",
    "DeployedServiceDescriptor", "DeploymentContext", "DockerImage", "EngineBuilderLLMChainlet",
    "EngineBuilderLLMInput", "Environment", "GenericRemoteException", "ModelBase", "RPCOptions",
    "RemoteConfig", "RemoteErrorDetail", "StubBase", "TrussChainlet", "WebSocketProtocol",
    "WeightsSource", "depends", "depends_context", "make_abs_path_here", "mark_entrypoint", "push",
    "run_local",
)  # fmt: skip
__all__ = list(_PUBLIC)
_ERRORS = ("ChainsRuntimeError", "ChainsUsageError", "MissingDependencyError")


def __getattr__(name: str) -> object:
    if name in _OWN:
        value = getattr(importlib.import_module(_OWN[name]), name)
    elif name in importlib.import_module("chainctl").__all__:  # what only chainctl has can be used, too
        value = getattr(importlib.import_module("chainctl"), name)
    else:
        raise AttributeError(f"`truss_chains` as chainctl knows it has no {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*_PUBLIC, *_ERRORS, *_OWN})
