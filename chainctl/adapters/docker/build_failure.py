"""How a build failed in; the error that says why and what to do next out. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass

from chainctl.build.plan import ImagePlan
from chainctl.errors import BuildError, ChainctlError, EngineError

RESUME_HINT = "push again: finished images are kept"
_WRAPPING = re.compile(
    r"failed to solve( with frontend \S+)?: |failed to create LLB definition: "
    r"|failed to compute cache key: |process \".*\" did not complete successfully: ",
    re.DOTALL,
)
_EXIT = re.compile(r"(?:exit code|non-zero code): (\d+)$")
_BASE_STEP = re.compile(r"(?:FROM|load metadata for)(?: --\S+)* (\S+)")
_UNKNOWN_IMAGE = re.compile(r"pull access denied|manifest unknown|not found|unauthorized|denied")
_SILENT_REGISTRY = re.compile(
    r"no such host|connection refused|i/o timeout|network is unreachable|deadline exceeded"
    r"|TLS handshake|x509|server misbehaving|EOF$"
)
_FOREIGN = re.compile(r"exec format error", re.IGNORECASE)
_DISK_FULL = re.compile(r"no space left on device|enough (free )?space|disk quota exceeded", re.IGNORECASE)
_NO_NETWORK = re.compile(
    r"name resolution|Failed to establish a new connection|Could not resolve"
    r"|Name or service not known|dns error|tcp connect error|error sending request"
)
_NO_SUCH_NETWORK = re.compile(r"^network (\S+) not found")
_NO_BRIDGE = re.compile(r"failed to create endpoint \S+ on network")
_NO_MIRROR = re.compile(r"^[EW]: Failed to fetch |Temporary failure resolving", re.MULTILINE)
_NO_DEBIAN_PACKAGE = re.compile(
    r"^E: (Unable to locate package|Package .* has no installation candidate|Version .* was not found)",
    re.MULTILINE,
)
_NO_TRUST = re.compile(r"invalid peer certificate|CERTIFICATE_VERIFY_FAILED|certificate verif", re.IGNORECASE)
_OTHER_FILE = re.compile(r"hash mismatch", re.IGNORECASE)
_NO_GIT = re.compile(r"Git executable not found|Cannot find command 'git'")
_NO_PYTHON = re.compile(r"(\S*python\S*): (?:not found|No such file)|No module named pip")


@dataclass(frozen=True, slots=True)
class Failure:
    """The instruction that failed ("" when none had begun), its last lines, the engine's reason."""

    step: str
    tail: tuple[str, ...]
    reason: str


def build_failed(image: ImagePlan, failure: Failure) -> ChainctlError:
    """Return the error to raise for a failed build."""
    reason = _WRAPPING.sub("", failure.reason).strip()
    if reason.endswith("context canceled"):
        return EngineError(f"The engine gave up building the image of {image.chainlet}", hint=RESUME_HINT)
    if _DISK_FULL.search("\n".join((reason, *failure.tail))):
        return _disk_full(image, failure)
    base = _BASE_STEP.match(failure.step)
    if base and (_UNKNOWN_IMAGE.search(reason) or _SILENT_REGISTRY.search(reason)):
        return base_unavailable(image.chainlet, base[1], reason)
    return _step_failed(image, failure, reason)


def base_unavailable(chainlet: str, base: str, reason: str) -> BuildError:
    """Return the error for a base image that is neither on the engine nor to be had."""
    name = base.removeprefix("docker.io/").removeprefix("library/")
    is_silent = _SILENT_REGISTRY.search(reason)
    why = "its registry does not answer" if is_silent else "no registry gives it"
    return BuildError(
        chainlet,
        f"FROM {name}",
        (reason,),
        reason=f"the base image {name} is not on the engine and {why}",
        hint="name another one with docker_image.base_image= or the setting base_image, "
        f"or load it with `docker pull {name}` or `docker load`",
    )


def base_of_another_platform(
    chainlet: str, base: str, there: str, wanted: str, reason: str = ""
) -> BuildError:
    """Return the error for a base image that is only to be had for another platform."""
    return BuildError(
        chainlet,
        f"FROM {base}",
        (reason,) if reason else (),
        reason=f"the base image {base} is for {there}, and the image is to be for {wanted}",
        hint=f"load the base for {wanted} (`docker pull --platform {wanted} {base}`), name another one with "
        f"docker_image.base_image=, or build for {there}: `--platform {there}`",
    )


def base_changed(chainlet: str, base: str, *, locked: str, found: str) -> BuildError:
    """Return the error for a base image that is not the one that the lock pins by its id."""
    return BuildError(
        chainlet,
        f"FROM {base}",
        (f"locked: {locked}", f"found:  {found}"),
        reason=f"{base} on the engine is not the image that chainctl.lock pins",
        hint="load or build the locked one, or take this one: `chainctl lock FILE --upgrade-base`",
    )


def _disk_full(image: ImagePlan, failure: Failure) -> BuildError:
    return BuildError(
        image.chainlet,
        failure.step,
        failure.tail,
        reason="no space is left on the engine's disk",
        hint="free some with `chainctl gc` or `docker builder prune`, then push again: "
        "finished images are kept",
    )


def _step_failed(image: ImagePlan, failure: Failure, reason: str) -> BuildError:
    code = _EXIT.search(reason)
    return BuildError(
        image.chainlet,
        failure.step,
        failure.tail,
        reason=f"exit code {code[1]}" if code else reason,
        hint=_step_hint(code[1] if code else "", (*failure.tail, reason)),
    )


def _step_hint(code: str, tail: tuple[str, ...]) -> str:
    if code == "137":
        return "the instruction was killed, mostly for want of memory: give the engine more"
    said = "\n".join(tail)
    if _FOREIGN.search(said):
        return (
            "the engine's machine can not run programs of that platform: register QEMU there (binfmt), or name an "
            "engine of that platform in DOCKER_HOST"
        )
    if _NO_TRUST.search(said):
        return "name the certificate of the authority in the setting `ca_certificates`"
    if _OTHER_FILE.search(said):
        return "the index gives another file than the one that was locked: find out why, or `chainctl lock`"
    if _NO_GIT.search(said):
        return 'add "git" to docker_image.apt_requirements'
    if _NO_PYTHON.search(said):
        return (
            "the base image needs Python 3.10 or newer with pip; name the interpreter with"
            " CustomImage(python_executable_path=…)"
        )
    if network := _NO_SUCH_NETWORK.search(tail[-1]):
        return f"the engine has no network {network[1]}: correct the setting `build_network`"
    if _NO_MIRROR.search(said):
        return (
            "check that builds reach Debian's packages: the setting `apt_mirror` names a mirror, and"
            ' `build_network = "host"` builds in the host\'s network'
        )
    if _NO_DEBIAN_PACKAGE.search(said):
        return "the Debian of the base image has no such package: correct docker_image.apt_requirements"
    if _NO_BRIDGE.search(tail[-1]):
        return 'the engine can not attach builds to its network: set `build_network = "host"`, or mend the engine'
    if _NO_NETWORK.search(said):
        return (
            "check that builds reach the package index, or build in the host's network:"
            ' the setting `build_network = "host"`'
        )
    return f"correct what the instruction needs, then {RESUME_HINT}"
