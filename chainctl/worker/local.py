"""Run a chain in this process: `with chains.run_local(): …`."""

from __future__ import annotations

import enum
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Optional, Union

from chainctl.sdk.config import RPCOptions
from chainctl.sdk.context import DeployedServiceDescriptor, DeploymentContext, Secrets
from chainctl.sdk.declaration import Declaration
from chainctl.sdk.resolver import CURRENT_RESOLVER
from chainctl.worker.codec import through_codec
from chainctl.worker.resolvers import LocalResolver, StandIn, Wrap


class LocalFidelity(enum.Enum):
    """How much a run in one process resembles a deployed one."""

    INLINE = "inline"
    CODEC = "codec"


@contextmanager
def run_local(
    secrets: Optional[Mapping[str, str]] = None,
    data_dir: Union[Path, str, None] = None,
    chainlet_to_service: Optional[Mapping[str, DeployedServiceDescriptor]] = None,
    *,
    fidelity: LocalFidelity = LocalFidelity.INLINE,
    stand_ins: Optional[Mapping[str, StandIn]] = None,
    around: Optional[Wrap] = None,
) -> Iterator[None]:
    """Let chainlets be created here: dependencies are objects, shared within this context.

    `secrets` are visible only to the chainlets that declare them. Arguments given by name when a
    chainlet is created win over injected ones, which is how a fake is put in; `stand_ins` puts classes, or
    URLs of other chains, in the place of chainlets anywhere in the chain, by display name.
    `around` may put something around each dependency, such as what notes its calls.
    Raises ChainsUsageError when a class that is created has problems.
    """

    def context_for(declaration: Declaration) -> DeploymentContext:
        declared = frozenset(declaration.config.assets.secret_keys)
        return DeploymentContext(
            chainlet_to_service=_services(declaration, chainlet_to_service or {}),
            secrets=Secrets.given(secrets or {}, declared),
            data_dir=_data_dir(declaration, data_dir),
        )

    def wrap(declaration: Declaration, instance: Any) -> Any:
        whole = through_codec(declaration, instance) if fidelity is LocalFidelity.CODEC else instance
        return whole if around is None else around(declaration, whole)

    token = CURRENT_RESOLVER.set(LocalResolver(context_for, wrap, stand_ins))
    try:
        yield
    finally:
        CURRENT_RESOLVER.reset(token)


def _data_dir(declaration: Declaration, given: Union[Path, str, None]) -> Optional[Path]:
    if given is not None:
        return Path(given)
    declared = declaration.config.docker_image.data_dir
    return declared.path if declared else None


def _services(
    declaration: Declaration, given: Mapping[str, DeployedServiceDescriptor]
) -> dict[str, DeployedServiceDescriptor]:
    """What was given, and a stand-in without a real address for each dependency."""
    services = {
        d.target.__name__: DeployedServiceDescriptor(
            name=d.target.__name__,
            display_name=getattr(d.target, "display_name", d.target.__name__),
            options=d.options if isinstance(d.options, RPCOptions) else RPCOptions(),
            predict_url="http://localhost/in-process",
        )
        for d in declaration.dependencies
    }
    return {**services, **given}
