"""What `truss.base.truss_config` is for chain files: values that their configuration may hold.

Those that describe what only a hosted platform does are kept as they were written, and reported when the
chain is checked.
"""

from __future__ import annotations

import enum
from typing import Any, Optional, Union

import pydantic

from chainctl.sdk.config import HealthChecks, HTTPOptions, WebsocketOptions
from chainctl.truss.engines import TRTLLMConfiguration

__all__ = [
    "Accelerator",
    "DockerAuthSettings",
    "DockerAuthType",
    "ExternalDataItem",
    "HTTPOptions",
    "HealthChecks",
    "ModelCache",
    "ModelRepo",
    "TRTLLMConfiguration",
    "WebsocketOptions",
    "WeightsSource",
]


class _Written(pydantic.BaseModel):
    """Base of values that are kept as they were written, with fields that nobody knows of here."""

    model_config = pydantic.ConfigDict(extra="allow", frozen=True, protected_namespaces=())


class Accelerator(str, enum.Enum):
    """Types of GPUs by name, for `Compute(gpu=…)`."""

    _B10 = "B10"
    T4 = "T4"
    L4 = "L4"
    A10G = "A10G"
    V100 = "V100"
    A100 = "A100"
    A100_40GB = "A100_40GB"
    H100 = "H100"
    H200 = "H200"
    H100_40GB = "H100_40GB"
    B200 = "B200"
    L40S = "L40S"
    RTX_PRO_6000 = "RTX_PRO_6000"
    B300 = "B300"
    GB300 = "GB300"


class ModelRepo(_Written):
    """Weights that a platform puts into its cache: a repository, and which of its files."""

    repo_id: str
    revision: Optional[str] = None
    allow_patterns: Optional[list[str]] = None
    ignore_patterns: Optional[list[str]] = None
    volume_folder: Optional[str] = None
    use_volume: bool = False


ModelCache = list[ModelRepo]


class WeightsSource(_Written):
    """Weights that a platform mirrors and mounts: where they come from and go to."""

    source: str
    mount_location: Optional[str] = None
    auth: Optional[Any] = None
    auth_secret_name: Optional[str] = None
    allow_patterns: Optional[list[str]] = None
    ignore_patterns: Optional[list[str]] = None


class ExternalDataItem(_Written):
    """A file that a platform downloads when it builds."""

    url: str
    local_data_path: str
    backend: str = "http_public"
    name: Optional[str] = None


class DockerAuthType(str, enum.Enum):
    """How a platform logs in to a registry."""

    GCP_SERVICE_ACCOUNT_JSON = "GCP_SERVICE_ACCOUNT_JSON"
    AWS_IAM = "AWS_IAM"
    AWS_OIDC = "AWS_OIDC"
    GCP_OIDC = "GCP_OIDC"
    REGISTRY_SECRET = "REGISTRY_SECRET"  # a kind, not a value


class DockerAuthSettings(_Written):
    """How a platform logs in to the registry of a custom image; here logins are those of Docker."""

    auth_method: Union[DockerAuthType, str]
    registry: str = ""
    secret_name: Optional[str] = None
