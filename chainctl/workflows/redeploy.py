"""A recorded release in; the same images serving, under a new number, out. Nothing is built."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from chainctl.build.backend import BuildBackend
from chainctl.build.context import ImageRef
from chainctl.deploy.execute import execute
from chainctl.deploy.plan import DeployPlan
from chainctl.deploy.release import Release, ServiceSpec
from chainctl.deploy.target import DeployTarget
from chainctl.errors import DeployError, UsageError
from chainctl.events import Emit, Notice, PhaseStarted
from chainctl.state.ledger import Ledger, Record
from chainctl.workflows.draft import Fingerprints
from chainctl.workflows.rollout import plan_rollout, released, warm_names


@dataclass(frozen=True, slots=True)
class Site:
    """Where a release is brought up again, and by whom."""

    backend: BuildBackend
    target: DeployTarget
    ledger: Ledger
    vault: Fingerprints
    user: str = ""


@dataclass(frozen=True, slots=True)
class Redeployed:
    """What serves now: release `number`, whose services are those of release `origin`, or started anew."""

    chain: str
    url: str
    number: int
    origin: int
    plan: DeployPlan
    replicas: tuple[tuple[str, int], ...] = ()


def redeploy(
    record: Record,
    release: Release,
    site: Site,
    keep_warm: int,
    emit: Emit,
    clock: Callable[[], float],
    warm: frozenset[str] | None = None,
    asked: frozenset[str] = frozenset(),
) -> Redeployed:
    """Bring up a release that is made of a record's images, and record it. The caller holds the lock.

    `warm` names services that stay, instead of those of the last `keep_warm` releases; `asked` the
    chainlets whose counts were asked for.
    All that could be missing, images and secrets, is looked for before anything is touched.
    Raises DeployError, MissingSecretError, EngineError.
    """
    chain = release.chain
    release = _with_values_of_now(record, release, site.vault, emit)
    last = site.ledger.latest(chain)
    warm = warm_names(site.ledger, release, keep_warm) if warm is None else warm
    edited = site.ledger.edited(chain)
    plan, observed = plan_rollout(release, site.target, released(last), warm, edited, asked=asked)
    starting = [op.service for op in plan.started]
    needed = [one for one in starting if not (site.target.pulls and one.published)]
    _require_images(record, needed, site.backend)
    _require_secrets(chain, starting, site.vault)
    if not plan.is_empty:
        emit(PhaseStarted("Deploy"))
    execute(plan, site.target, emit, clock)
    site.ledger.mark_edited(chain, ())
    number = _recorded(record, release, last, site, clock)
    door = (observed if plan.is_empty else site.target.observe(chain)).front_door
    replicas = tuple((service.chainlet, service.replicas) for service in release.services)
    return Redeployed(chain, door.url if door else "", number, record.number, plan, replicas)


def latest_of(ledger: Ledger, chain: str) -> Record:
    """Return the release that was recorded last. Raises UsageError when there is none."""
    last = ledger.latest(chain)
    if last is None:
        raise UsageError(
            f"no release of {chain} is recorded here", hint="push it from here once: `chainctl push FILE`."
        )
    return last


def _require_images(record: Record, services: Iterable[ServiceSpec], backend: BuildBackend) -> None:
    wanted = {service.image: service for service in services}
    refs = {name: ImageRef(*name.rsplit(":", 1)) for name in wanted}
    existing = backend.existing(refs.values())
    gone = sorted(name for name, ref in refs.items() if ref not in existing)
    if not gone:
        return
    where = f" (revision {record.revision[:12]})" if record.revision else ""
    what = "image is" if len(gone) == 1 else "images are"
    raise DeployError(
        f"release {record.number} of {record.release.chain} can not be started: {len(gone)} {what} gone",
        hint=f"push its source again{where}: {record.source}",
        details=[f"{name} of {wanted[name].chainlet}" for name in gone],
    )


def _with_values_of_now(record: Record, release: Release, vault: Fingerprints, emit: Emit) -> Release:
    """Return the release with the values that its secrets have by now, where they have one; tell which differ."""
    refs = {secret for service in release.services for secret in service.secrets}
    refs |= {secret for secret in (release.front_door.api_key, release.front_door.tls) if secret}
    found = {name: vault.fingerprint(release.chain, name) for name in sorted({ref.name for ref in refs})}
    known = {name: value for name, value in found.items() if value is not None}
    for name in sorted({ref.name for ref in refs if known.get(ref.name, ref.fingerprint) != ref.fingerprint}):
        emit(
            Notice(f"secret `{name}` has another value than in release {record.number}: the new one is used")
        )
    return release.with_secrets(known)


def _require_secrets(chain: str, services: Iterable[ServiceSpec], vault: Fingerprints) -> None:
    """Raise MissingSecretError for all that have no value."""
    wanted: dict[str, list[str]] = {}
    for service in services:
        for secret in service.secrets:
            wanted.setdefault(secret.name, []).append(service.chainlet)
    if wanted:
        vault.fingerprints(chain, wanted)


def _recorded(
    record: Record, release: Release, last: Record | None, site: Site, clock: Callable[[], float]
) -> int:
    """Write it down under a new number, unless it is the one that was written last."""
    if last is not None and last.release.digest == release.digest:
        return last.number
    number = site.ledger.next_number(release.chain)
    site.ledger.record(
        replace(record, number=number, release=release, time=clock(), user=site.user or record.user)
    )
    return number
