"""A chainlet's type and the URL of another chain that stands for it in; an object that calls that URL, out."""

from __future__ import annotations

from typing import Any, Optional

from chainctl.calls.client_loop import ClientLoop
from chainctl.calls.remote import remote_chainlet
from chainctl.calls.transport import Transport
from chainctl.sdk.context import DeployedServiceDescriptor
from chainctl.telemetry.telemetry import Telemetry

PATH = "/run_remote"


def outside_chainlet(
    cls: type,
    service: DeployedServiceDescriptor,
    loop: ClientLoop,
    telemetry: Optional[Telemetry] = None,
) -> Any:
    """Make a stand-in whose calls go to another chain's front door, or to a chainlet that takes strangers.

    The chain's own token is not sent there, and no memory is shared.
    """
    return remote_chainlet(cls, Transport(service, {}, loop, path=PATH, telemetry=telemetry))
