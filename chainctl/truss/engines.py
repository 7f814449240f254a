"""What `truss.base.trt_llm_config` is for chain files: any name, with whatever it is given.

An engine is built by a platform and cannot run here, which the check of a chain says. So its configuration
need not be understood, only be written down without an error.
"""

from __future__ import annotations

from typing import Any


class EngineSetting:
    """A value of an engine's configuration: has every attribute, can be called, means nothing."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __getattr__(self, name: str) -> EngineSetting:
        if name.startswith("_"):
            raise AttributeError(name)
        return EngineSetting(f"{self._name}.{name}")

    def __call__(self, *_: Any, **__: Any) -> EngineSetting:
        return EngineSetting(f"{self._name}(…)")

    def __repr__(self) -> str:
        return self._name


class TRTLLMConfiguration:
    """The configuration of an engine, kept as it was written."""

    def __init__(self, **written: Any) -> None:
        self.written = written


def __getattr__(name: str) -> EngineSetting:
    if name.startswith("_"):
        raise AttributeError(name)
    return EngineSetting(name)
