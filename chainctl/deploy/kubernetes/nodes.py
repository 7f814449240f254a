"""The GPUs that a service asks for in; which nodes have such, by the labels that NVIDIA's operator sets, out. Pure."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass

from chainctl.deploy.release import Gpu, ServiceSpec
from chainctl.errors import UsageError

PRODUCT = "nvidia.com/gpu.product"
MEMORY = "nvidia.com/gpu.memory"
_MAKERS = ("NVIDIA", "Tesla", "Quadro")
_FORMS = {
    "A100": ("SXM4-40GB", "SXM4-80GB", "PCIE-40GB", "PCIE-80GB", "80GB-PCIe", "PG509-200"),
    "H100": ("80GB-HBM3", "PCIe", "NVL", "SXM5-80GB", "SXM5-94GB"),
    "H200": ("NVL",),
    "B200": ("SXM",),
    "V100": ("SXM2-16GB", "SXM2-32GB", "SXM3-32GB", "PCIE-16GB", "PCIE-32GB"),
    "P100": ("PCIE-12GB", "PCIE-16GB", "SXM2-16GB"),
}
"""What follows a model where there are several forms of it."""
_SHARED = "-SHARED"
_WORD = r"[A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?"
_LABEL_NAME = re.compile(rf"([a-z0-9]([a-z0-9.-]{{0,251}}[a-z0-9])?/)?{_WORD}")
_LABEL_VALUE = re.compile(rf"({_WORD})?")


@dataclass(frozen=True, slots=True)
class NodeTerm:
    """One condition on a node's labels."""

    key: str
    operator: str
    values: tuple[str, ...]


def require_labels(spec: ServiceSpec) -> None:
    """Raise UsageError for a label that no node can have."""
    for name, value in spec.node_labels:
        if not (_LABEL_NAME.fullmatch(name) and _LABEL_VALUE.fullmatch(value)):
            raise UsageError(
                f"{spec.chainlet} asks for nodes with the label {name}={value}, which Kubernetes can not have",
                hint="a name is as `disk` or `example.org/disk`; a value has 63 letters, digits, `-_.` at most.",
            )


def node_terms(gpu: Gpu | None, labels: Mapping[str, str]) -> tuple[NodeTerm, ...]:
    """Return what the labels of a node must be; nothing of the model where the user's `labels` name it.

    A label names a product, such as `NVIDIA-L4` or `Tesla-T4`, and not a model. So a model is any of its
    products. Memory is in MiB, and a driver keeps some of it: 3 % are let go.
    """
    terms = []
    if gpu and gpu.model and PRODUCT not in labels:
        terms.append(NodeTerm(PRODUCT, "In", products_of(gpu.model)))
    if gpu and gpu.memory_bytes and MEMORY not in labels:
        least = math.floor(gpu.memory_bytes * 0.97 / (1 << 20)) - 1
        terms.append(NodeTerm(MEMORY, "Gt", (str(max(0, least)),)))
    return tuple(terms)


def products_of(model: str) -> tuple[str, ...]:
    """Return the labels that GPUs of a model may have, sorted."""
    word = re.sub(r"[^A-Za-z0-9_.]+", "-", model).strip("-_.")
    bare = word.removeprefix("NVIDIA-").removeprefix("Tesla-")
    made = {word, *(f"{maker}-{bare}" for maker in _MAKERS)}
    forms = {f"{maker}-{bare}-{form}" for maker in _MAKERS for form in _FORMS.get(bare.upper(), ())}
    every = made | forms
    return tuple(sorted(every | {f"{one}{_SHARED}" for one in every}))
