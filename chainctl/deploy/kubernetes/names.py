"""Chains, services and doors in; the names, labels and annotations of what a cluster has for them out. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from chainctl.deploy.release import Fingerprint, SecretRef, ServiceSpec, digest_of, dns_label
from chainctl.errors import UsageError

NAME = "app.kubernetes.io/name"
PART_OF = "app.kubernetes.io/part-of"
MANAGED_BY = "app.kubernetes.io/managed-by"
COMPONENT = "app.kubernetes.io/component"
CHAIN = "chainctl.dev/chain"
CHAINLET = "chainctl.dev/chainlet"
SERVICE = "chainctl.dev/service"

DOOR_DIGEST = "chainctl.dev/door"
IMAGE_PART = "chainctl.dev/fingerprint.image"
CONFIG_PART = "chainctl.dev/fingerprint.config"
CALLS_PART = "chainctl.dev/fingerprint.calls"
GENERATION_PART = "chainctl.dev/fingerprint.generation"
SECRETS_PART = "chainctl.dev/fingerprint.secrets"

MANAGER = "chainctl"
SERVICE_COMPONENT = "service"
DOOR_COMPONENT = "door"

DATA_KEY = "data"
DATA_LIMIT_BYTES = 1 << 20
"""What a ConfigMap can hold."""

_LIMIT = 63
_DIGEST_LENGTH = 8
_DATA_LENGTH = 10
_LEAD_LENGTH = 4
_CHAIN_NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?")
_LABEL = re.compile(r"[A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?")


def workload_name(service: str) -> str:
    """Return the name of the objects of a service: its own, but that those of Services begin with a letter."""
    return service if service[:1].isalpha() else _led(service)


def door_name(chain: str) -> str:
    """Return the name of the front door's objects. Raises UsageError for what no cluster can name."""
    return f"{_stem(chain)}-door"


def entry_name(chain: str) -> str:
    """Return the name of the Service that leads to the entrypoint: the one that a release flips."""
    return f"{_stem(chain)}-entry"


def secret_name(chain: str, secrets: Iterable[SecretRef]) -> str:
    """Return the name of the Secret with these values and the chain's token: other values are another Secret."""
    parts = sorted([one.name, one.fingerprint] for one in secrets)
    return f"{_stem(chain)}-secrets-{digest_of([chain, parts])[:_DIGEST_LENGTH]}"


def door_secret_name(chain: str, door_digest: str) -> str:
    """Return the name of the Secret with the token, the key and the certificate of a front door."""
    return f"{door_name(chain)}-{digest_of([chain, door_digest])[:_DIGEST_LENGTH]}"


def door_config_name(chain: str, text: str) -> str:
    """Return the name of the ConfigMap with a front door's configuration: another text is another one."""
    return f"{door_name(chain)}-{digest_of([chain, text])[:_DIGEST_LENGTH]}"


def data_name(chain: str, sha256: str) -> str:
    """Return the name of the ConfigMap that holds one file for all services of a chain, as `data`."""
    return f"{_stem(chain)}-data-{sha256[:_DATA_LENGTH]}"


def cache_name(chain: str, cache: str) -> str:
    """Return the name of the claim to a volume in which services keep what they fetch."""
    return f"{_stem(chain)}-cache-{dns_label(cache)}"[:_LIMIT].rstrip("-")


def chain_labels(chain: str) -> dict[str, str]:
    """Return the labels by which everything of a chain is found."""
    return {CHAIN: label_value(chain), MANAGED_BY: MANAGER, PART_OF: label_value(chain)}


def service_labels(spec: ServiceSpec) -> dict[str, str]:
    """Return what says of which service something is."""
    return {
        **chain_labels(spec.chain),
        NAME: label_value(spec.chainlet),
        COMPONENT: SERVICE_COMPONENT,
        CHAINLET: label_value(spec.chainlet),
        SERVICE: spec.name,
    }


def door_labels(chain: str) -> dict[str, str]:
    return {**chain_labels(chain), NAME: DOOR_COMPONENT, COMPONENT: DOOR_COMPONENT}


def service_selector(service: str, chain: str) -> dict[str, str]:
    """Return the labels that the pods of one service have and no others."""
    return {CHAIN: label_value(chain), SERVICE: service}


def chainlet_selector(chainlet: str, chain: str) -> dict[str, str]:
    """Return the labels that the pods of a chainlet have, of whatever release they are."""
    return {CHAIN: label_value(chain), CHAINLET: label_value(chainlet)}


def door_selector(chain: str) -> dict[str, str]:
    """Return the labels that the pods of a chain's front door have and no others."""
    return {CHAIN: label_value(chain), COMPONENT: DOOR_COMPONENT}


def service_annotations(spec: ServiceSpec) -> dict[str, str]:
    """Return what can be known of a service without its release; its chainlet in full, as labels cut it."""
    return {
        CHAIN: spec.chain,
        CHAINLET: spec.chainlet,
        IMAGE_PART: spec.fingerprint.image,
        CONFIG_PART: spec.fingerprint.config,
        CALLS_PART: spec.fingerprint.calls,
        GENERATION_PART: str(spec.fingerprint.generation),
        SECRETS_PART: spec.secrets_digest,
    }


def door_annotations(digest: str) -> dict[str, str]:
    """Return what tells a front door from one that was made from other settings."""
    return {DOOR_DIGEST: digest}


def fingerprint_in(annotations: Mapping[str, str]) -> Fingerprint:
    """Read the fingerprint back; a part without an annotation differs from any."""
    return Fingerprint(
        image=annotations.get(IMAGE_PART, ""),
        config=annotations.get(CONFIG_PART, ""),
        calls=annotations.get(CALLS_PART, ""),
        generation=int(annotations.get(GENERATION_PART) or 0),
    )


def label_value(text: str) -> str:
    """Return a text as a label's value: itself where it can be one, else what is left of it and a digest."""
    if _LABEL.fullmatch(text):
        return text
    room = _LIMIT - _DIGEST_LENGTH - 1
    stem = re.sub(r"[^A-Za-z0-9_.-]", "-", text)[:room].strip("-_.")
    digest = digest_of(text)[:_DIGEST_LENGTH]
    return f"{stem}-{digest}" if stem else digest


def require_names(chain: str) -> None:
    """Raise UsageError for a chain that no cluster can name."""
    _stem(chain)


def require_data_fits(chain: str, path: str, count: int) -> None:
    """Raise UsageError for a file that no ConfigMap can hold."""
    if count > DATA_LIMIT_BYTES:
        raise UsageError(
            f"{path} has {count} bytes, and Kubernetes hands {chain} files of at most {DATA_LIMIT_BYTES}",
            hint="copy it into the image (`data_dir` of DockerImage), or fetch it when the chainlet starts.",
        )


def _stem(chain: str) -> str:
    if not _CHAIN_NAME.fullmatch(chain):
        raise UsageError(
            f"{chain!r} can not name a chain on Kubernetes",
            hint="give it another name with `--name`: at most 40 lower-case letters, digits and dashes.",
        )
    return chain if chain[0].isalpha() else f"c{digest_of(chain)[:_LEAD_LENGTH]}-{chain}"


def _led(name: str) -> str:
    """Put a letter before a name that ends in a digest; what becomes too long loses of its middle."""
    stem, _, digest = name.rpartition("-")
    room = _LIMIT - len(digest) - 1
    return f"{f'c{stem}'[:room].rstrip('-')}-{digest}" if stem else f"c{digest}"
