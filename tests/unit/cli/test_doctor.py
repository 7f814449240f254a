"""Facts in, findings out: each check of `chainctl doctor`, by equality; then the command itself."""

from __future__ import annotations

import json
import os
import socket
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from chainctl.adapters.cluster_facts import ClusterFacts, ClusterSilence, SwarmFacts
from chainctl.adapters.docker.engine_info import EngineInfo, GpuAccess
from chainctl.adapters.host_facts import (
    EngineFacts,
    EngineSilence,
    GpuFacts,
    PathFacts,
    PortFacts,
    SecretFacts,
    SocketFacts,
    Unreachable,
)
from chainctl.adapters.swarm.nodes import Node
from chainctl.cli.diagnosis import diagnose, exit_code
from chainctl.cli.diagnosis_finding import Facts, Finding, RecordedChains, SettingsFacts, Status
from chainctl.cli.diagnosis_text import (
    findings_lines,
    findings_table,
    settings_rows,
    settings_table,
    total_of,
)
from chainctl.cli.settings import Settings
from tests.conftest import Chainctl, docker_context_away
from tests.fakes.state import record_release

GB = 1000**3
OK, WARN, FAIL, SKIP = Status.OK, Status.WARN, Status.FAIL, Status.SKIP

INFO = EngineInfo(
    id="ABCD",
    version="27.0",
    api_version="1.46",
    os="linux",
    architecture="x86_64",
    cpus=8,
    memory=16 * 1024**3,
    storage_driver="overlay2",
    root_dir="/var/lib/docker",
    is_rootless=False,
    has_buildkit=True,
    gpu_access=GpuAccess.NONE,
)
ENGINE = EngineFacts(
    INFO,
    (("python:3.11-slim", True), ("haproxy:lts", True)),
    PathFacts(Path("/var/lib/docker"), 0o710, is_directory=True, free_bytes=50 * GB),
)
SILENCE = EngineSilence(Unreachable.NOT_RUNNING, "No Docker Engine listens")
HEALTHY = Facts(
    target="auto",
    builder="auto",
    python="3.11.7",
    chainctl="1.0",
    settings=SettingsFacts(),
    secrets=SecretFacts(PathFacts(Path("/c/secrets"), 0o700, is_directory=True, is_writable=True)),
    address="unix:///var/run/docker.sock (default)",
    is_engine_here=True,
    engine=ENGINE,
    base_image="python:3.11-slim",
    door_image="haproxy:lts",
    gpus=GpuFacts(),
    port=PortFacts("127.0.0.1", None, 8100),
    state=PathFacts(Path("/s"), 0o700, is_directory=True, is_writable=True, free_bytes=50 * GB),
    sockets=SocketFacts(Path("/run/c")),
    chains=(RecordedChains("docker", ("hello",), ("hello",)), RecordedChains("local", (), ())),
)


def found(facts: Facts, check: str) -> Finding:
    """The finding of one check."""
    return next(finding for finding in diagnose(facts) if finding.check == check)


def with_info(facts: Facts = HEALTHY, **changes: object) -> Facts:
    """The same facts with another engine."""
    return replace(facts, engine=replace(ENGINE, info=replace(INFO, **changes)))  # type: ignore[arg-type]  # of fields


def test_a_healthy_machine() -> None:
    """Every check, in the order in which it is reported."""
    assert diagnose(HEALTHY) == (
        Finding("Python", OK, "Python 3.11.7, chainctl 1.0"),
        Finding("settings", OK, "all defaults"),
        Finding("secrets", OK, "/c/secrets"),
        Finding("engine", OK, "27.0, API 1.46, linux/x86_64 at unix:///var/run/docker.sock (default)"),
        Finding("builder", OK, "BuildKit (setting: auto)"),
        Finding("engine disk", OK, "50.0 GB free for /var/lib/docker"),
        Finding("machine", OK, "8 CPUs, 16.0 GiB of memory"),
        Finding("GPU", SKIP, "none here"),
        Finding("base image", OK, "python:3.11-slim is on the engine"),
        Finding("front door image", OK, "haproxy:lts is on the engine"),
        Finding("port", OK, "8100 is free on 127.0.0.1"),
        Finding("state", OK, "/s"),
        Finding("state disk", OK, "50.0 GB free for /s"),
        Finding("local processes", OK, "sockets in /run/c"),
        Finding("docker chains", OK, "1 recorded, nothing left over"),
        Finding("local chains", OK, "0 recorded, nothing left over"),
    )


def test_without_an_engine_what_depends_on_it_is_skipped() -> None:
    """The same checks in the same order, so that outputs can be compared."""
    facts = replace(HEALTHY, engine=SILENCE)
    assert [f.check for f in diagnose(facts)] == [f.check for f in diagnose(HEALTHY)]
    skipped = [f.check for f in diagnose(facts) if f.status is SKIP]
    assert skipped == ["builder", "engine disk", "machine", "GPU", "base image", "front door image"]


def swarm_node(name: str, *, is_open: bool = True, gpus: int = 0) -> Node:
    return Node(name, name, is_open, {}, 4.0, 8 << 30, {"gpu": gpus} if gpus else {})


def test_a_swarm_is_looked_at_where_it_was_asked_for() -> None:
    """Its nodes, and whether they have a way to their images."""
    one = replace(HEALTHY, target="swarm", cluster=SwarmFacts((swarm_node("a", gpus=2),)))
    assert found(one, "swarm") == Finding("swarm", OK, "1 node, 2 GPUs")
    assert exit_code(one, diagnose(one)) == 0
    many = replace(one, cluster=SwarmFacts((swarm_node("a"), swarm_node("b", is_open=False))))
    look = "look at `docker node ls`"
    assert found(many, "swarm") == Finding("swarm", WARN, "2 nodes; no tasks go to b", look)
    assert found(many, "registry").status is FAIL
    assert all(finding.check != "registry" for finding in diagnose(replace(many, has_registry=True)))
    closed = replace(one, cluster=SwarmFacts((swarm_node("b", is_open=False),)))
    assert found(closed, "swarm") == Finding("swarm", FAIL, "no node takes tasks: b", look)


def test_an_engine_that_manages_no_swarm_is_as_good_as_none() -> None:
    """The exit code is that of an engine which does not answer."""
    facts = replace(HEALTHY, target="swarm", cluster=ClusterSilence("is no manager", "begin a swarm"))
    assert found(facts, "swarm") == Finding("swarm", FAIL, "is no manager", "begin a swarm")
    assert exit_code(facts, diagnose(facts)) == 6


def test_a_cluster_is_looked_at_where_it_was_asked_for() -> None:
    """What it is, the namespace and what one may do there; an engine only builds images for it."""
    there = ClusterFacts("https://c", "v1.31.2", "models", has_namespace=True, nodes=3)
    facts = replace(HEALTHY, target="kubernetes", cluster=there, engine=SILENCE, has_registry=True)
    assert found(facts, "cluster") == Finding("cluster", OK, "Kubernetes v1.31.2 at https://c, 3 nodes")
    assert found(facts, "namespace").status is OK
    assert found(facts, "engine").status is WARN
    assert "images can not be built" in found(facts, "engine").found
    assert exit_code(facts, diagnose(facts)) == 0
    poor = replace(facts, cluster=replace(there, missing=("create pods/exec",)), has_registry=False)
    assert found(poor, "namespace") == Finding(
        "namespace", FAIL, "you may not do all in models: create pods/exec", "ask for these rights"
    )
    assert found(poor, "registry").status is WARN
    missing = replace(facts, cluster=replace(there, has_namespace=False))
    assert found(missing, "namespace").fix == "`kubectl create namespace models`"


def test_an_engine_is_needed_only_where_it_was_asked_for() -> None:
    """With `auto` its absence is a warning; a local target asks none."""
    asked = "No Docker Engine listens; asked: unix:///var/run/docker.sock (default)"
    start = "`sudo systemctl start docker`, or start Docker Desktop; another engine: `export DOCKER_HOST=…`"
    auto = replace(HEALTHY, engine=SILENCE)
    assert found(auto, "engine") == Finding("engine", WARN, f"{asked}; chains run as local processes", start)
    assert found(replace(auto, target="docker"), "engine") == Finding("engine", FAIL, asked, start)
    assert found(replace(auto, is_engine_chosen=True), "engine") == Finding("engine", FAIL, asked, start)
    local = replace(HEALTHY, target="local", engine=None)
    assert found(local, "engine") == Finding("engine", SKIP, "not asked: the target is local")


@pytest.mark.parametrize(
    ("silence", "fix"),
    [
        (
            EngineSilence(Unreachable.NO_PERMISSION, "m"),
            "`sudo usermod -aG docker $USER`, then log in again; or run an engine of your own:"
            " `dockerd-rootless-setuptool.sh install`",
        ),
        (
            EngineSilence(Unreachable.NO_PERMISSION, "m", "", (Path("/run/user/1/docker.sock"),)),
            "another engine may listen here: `export DOCKER_HOST=unix:///run/user/1/docker.sock`",
        ),
        (
            EngineSilence(Unreachable.TOO_LATE, "m"),
            "see whether `docker info` hangs too; for a slow one: `chainctl doctor --timeout 10`",
        ),
        (EngineSilence(Unreachable.OTHER, "m", "what the adapter says"), "what the adapter says"),
    ],
)
def test_each_silence_has_its_remedy(silence: EngineSilence, fix: str) -> None:
    """A command for each reason; a socket that is there is the best of all."""
    assert found(replace(HEALTHY, engine=silence), "engine").fix == fix


def test_an_engine_of_windows_cannot_be_used() -> None:
    """Images are Linux."""
    finding = found(with_info(os="windows"), "engine")
    assert (finding.status, finding.fix) == (FAIL, "switch the engine to Linux containers")


def test_a_rootless_engine_is_named_so() -> None:
    """Because limits and ports differ there."""
    assert ", rootless at " in found(with_info(is_rootless=True), "engine").found


@pytest.mark.parametrize(
    ("setting", "has_buildkit", "finding"),
    [
        ("auto", False, Finding("builder", OK, "classic (the engine has no BuildKit)")),
        ("classic", True, Finding("builder", OK, "classic (setting: classic)")),
        ("buildkit", True, Finding("builder", OK, "BuildKit (setting: buildkit)")),
        (
            "buildkit",
            False,
            Finding(
                "builder",
                FAIL,
                "the setting `builder` asks for BuildKit, which this engine does not have",
                'set `builder = "auto"`, or upgrade the engine',
            ),
        ),
    ],
)
def test_builder(setting: str, has_buildkit: bool, finding: Finding) -> None:
    """What will build, and why."""
    assert (
        found(with_info(replace(HEALTHY, builder=setting), has_buildkit=has_buildkit), "builder") == finding
    )


@pytest.mark.parametrize(("free", "status"), [(5.0, OK), (4.9, WARN), (1.0, WARN), (0.9, FAIL)])
def test_disks(free: float, status: Status) -> None:
    """Below 5 GB a warning, below 1 GB a failure: of the engine and of the state directory."""
    disk = PathFacts(Path("/d"), 0o700, is_directory=True, is_writable=True, free_bytes=int(free * GB))
    facts = replace(HEALTHY, state=disk, engine=replace(ENGINE, disk=disk))
    for check in ("engine disk", "state disk"):
        finding = found(facts, check)
        assert (finding.status, finding.found) == (status, f"{free} GB free for /d")
        assert bool(finding.fix) == (status is not OK)


def test_a_disk_elsewhere_is_not_judged() -> None:
    """In a virtual machine, or on another host."""
    virtual = replace(HEALTHY, engine=replace(ENGINE, disk=None))
    remote = replace(virtual, is_engine_here=False)
    assert found(virtual, "engine disk").found == "the engine keeps its data in a virtual machine"
    assert found(remote, "engine disk").found == "the engine keeps its data on another machine"


def test_little_memory_is_a_warning() -> None:
    """Less than what one chainlet gets by default."""
    assert found(with_info(memory=1024**3), "machine") == Finding(
        "machine",
        WARN,
        "8 CPUs, 1.0 GiB of memory",
        'ask for less where 2Gi is too much: `Compute(memory="512Mi")`',
    )


@pytest.mark.parametrize(
    ("access", "host", "status", "text"),
    [
        (GpuAccess.NVIDIA_RUNTIME, GpuFacts(True, ("T4",)), OK, "T4, given by the NVIDIA runtime"),
        (GpuAccess.CDI, GpuFacts(True, ("T4", "T4")), OK, "T4, T4, given by CDI"),
        (
            GpuAccess.NVIDIA_RUNTIME,
            GpuFacts(),
            WARN,
            "the engine has the NVIDIA runtime, but there is no nvidia-smi here",
        ),
        (
            GpuAccess.CDI,
            GpuFacts(True, error="no driver"),
            WARN,
            "the engine has CDI, but nvidia-smi says: no driver",
        ),
        (GpuAccess.CDI, GpuFacts(True), WARN, "the engine has CDI, but nvidia-smi lists no GPU"),
        (GpuAccess.NONE, GpuFacts(True, ("T4",)), WARN, "T4 here, but the engine gives containers no access"),
        (GpuAccess.NONE, GpuFacts(True, error="no driver"), WARN, "nvidia-smi says: no driver"),
        (GpuAccess.NONE, GpuFacts(True), SKIP, "none here"),
    ],
)
def test_gpus(access: GpuAccess, host: GpuFacts, status: Status, text: str) -> None:
    """One side without the other is a warning with the command that brings the other."""
    finding = found(with_info(replace(HEALTHY, gpus=host), gpu_access=access), "GPU")
    assert (finding.status, finding.found) == (status, text)
    assert bool(finding.fix) == (status is WARN)


def test_gpus_of_another_machine_are_the_engines_word() -> None:
    """Its nvidia-smi cannot be asked; ours says nothing about it."""
    facts = replace(with_info(gpu_access=GpuAccess.CDI), is_engine_here=False, gpus=GpuFacts(True, ("T4",)))
    assert found(facts, "GPU") == Finding("GPU", OK, "the engine has CDI")
    nothing = replace(HEALTHY, is_engine_here=False)
    assert found(nothing, "GPU") == Finding("GPU", SKIP, "none here")


def test_gpus_without_an_engine() -> None:
    """Local processes use them as they are."""
    facts = replace(HEALTHY, engine=None, target="local", gpus=GpuFacts(True, ("T4",)))
    assert found(facts, "GPU") == Finding("GPU", OK, "T4, for local processes")


def test_missing_images_can_be_pulled() -> None:
    """With the command; whether a registry has them is not known."""
    facts = replace(HEALTHY, engine=replace(ENGINE, images=(("python:3.11-slim", False),)))
    for check, name in (("base image", "python:3.11-slim"), ("front door image", "haproxy:lts")):
        assert found(facts, check) == Finding(
            check, WARN, f"{name} is not on the engine; a push will pull it", f"`docker pull {name}`"
        )


@pytest.mark.parametrize(
    ("port", "status", "text"),
    [
        (PortFacts("::", 80, 80), OK, "80 is free on ::"),
        (PortFacts("::", 80, None), WARN, "80 on :: is in use, perhaps by a chain"),
        (PortFacts("::", None, None), FAIL, "no port from 8100 upward is free on ::"),
        (
            PortFacts("9.9.9.9", None, None, "no such address"),
            FAIL,
            "nothing can listen on 9.9.9.9: no such address",
        ),
    ],
)
def test_ports(port: PortFacts, status: Status, text: str) -> None:
    """A wanted port that is taken may be the chain's own, so it is a warning."""
    finding = found(replace(HEALTHY, port=port), "port")
    assert (finding.status, finding.found) == (status, text)
    assert bool(finding.fix) == (status is not OK)


def test_ports_of_another_machine_are_not_judged() -> None:
    """The front door is where the engine is."""
    finding = found(replace(HEALTHY, is_engine_here=False), "port")
    assert finding == Finding("port", SKIP, "the front door is on the engine's machine")


def test_settings_are_told_with_their_sources() -> None:
    """Or what is wrong with them, or what has no effect."""
    sources = (("/p/chainctl.toml", ("bind", "port")), ("the environment", ("target",)))
    told = "/p/chainctl.toml: bind, port; the environment: target"
    assert found(replace(HEALTHY, settings=SettingsFacts(sources)), "settings").found == told
    wrong = SettingsFacts(error="x has no setting called `prot`", hint="did you mean `port`?")
    assert found(replace(HEALTHY, settings=wrong), "settings") == Finding(
        "settings", FAIL, wrong.error, wrong.hint
    )
    unknown = SettingsFacts(unknown_variables=("CHAINCTL_PROT",))
    assert found(replace(HEALTHY, settings=unknown), "settings") == Finding(
        "settings",
        WARN,
        "all defaults; without effect: CHAINCTL_PROT",
        "`unset CHAINCTL_PROT`; `chainctl doctor --settings` lists all settings",
    )


@pytest.mark.parametrize(
    ("secrets", "status", "fix"),
    [
        (SecretFacts(PathFacts(Path("/c"))), SKIP, "`install -d -m 700 /c`"),
        (SecretFacts(PathFacts(Path("/c"), 0o600)), FAIL, "`mv /c /c.old`"),
        (SecretFacts(PathFacts(Path("/c"), 0o755, is_directory=True)), WARN, "`chmod -R go= /c`"),
        (
            SecretFacts(PathFacts(Path("/c"), 0o700, is_directory=True), (Path("/c/a"), Path("/c/b c"))),
            WARN,
            "`chmod 600 /c/a '/c/b c'`",
        ),
    ],
)
def test_secrets(secrets: SecretFacts, status: Status, fix: str) -> None:
    """Nobody else may enter the directory or read a file in it."""
    finding = found(replace(HEALTHY, secrets=secrets), "secrets")
    assert (finding.status, finding.fix) == (status, fix)


@pytest.mark.parametrize(
    ("mode", "status", "fix"),
    [(None, FAIL, "correct the setting `secrets_file`"), (0o644, WARN, "`chmod 600 /e`"), (0o600, OK, "")],
)
def test_a_secrets_file_is_checked_where_one_is_set(mode: int | None, status: Status, fix: str) -> None:
    """It exists, and is nobody else's."""
    secrets = replace(HEALTHY.secrets, file=PathFacts(Path("/e"), mode))
    finding = found(replace(HEALTHY, secrets=secrets), "secrets file")
    assert (finding.status, finding.fix) == (status, fix)


@pytest.mark.parametrize(
    ("state", "status", "text"),
    [
        (PathFacts(Path("/s"), is_writable=True), OK, "/s (will be made)"),
        (PathFacts(Path("/s"), 0o700, is_directory=True), FAIL, "/s cannot be written to"),
        (PathFacts(Path("/s"), 0o600), FAIL, "/s is no directory"),
    ],
)
def test_the_state_directory_is_writable(state: PathFacts, status: Status, text: str) -> None:
    """Or can be made; else nothing can be recorded."""
    finding = found(replace(HEALTHY, state=state), "state")
    assert (finding.status, finding.found) == (status, text)
    assert bool(finding.fix) == (status is FAIL)


def test_local_processes_need_sockets() -> None:
    """A failure only where chains run as local processes."""
    facts = replace(HEALTHY, sockets=SocketFacts(Path("/r"), "too long"))
    finding = found(facts, "local processes")
    assert (finding.status, finding.found) == (WARN, "no sockets in /r: too long")
    assert found(replace(facts, target="local"), "local processes").status is FAIL


def test_leftovers_are_chains_of_which_nothing_runs() -> None:
    """With the command for each; not known where the engine does not say."""
    left = RecordedChains("docker", ("a", "b", "c"), ("b",))
    assert found(replace(HEALTHY, chains=(left,)), "docker chains") == Finding(
        "docker chains",
        WARN,
        "recorded, but not running: a, c",
        "push again, or `chainctl down a --target docker && chainctl down c --target docker`",
    )
    unknown = replace(HEALTHY, chains=(RecordedChains("docker", ("a",), None),))
    assert found(unknown, "docker chains") == Finding(
        "docker chains", SKIP, "recorded: a; not known whether they run"
    )


def test_a_state_that_can_not_be_read_is_a_finding() -> None:
    """All else is looked at just the same."""
    broken = RecordedChains("local", (), None, "the state is of a newer chainctl", "upgrade.")
    facts = replace(HEALTHY, chains=(broken,))
    assert found(facts, "local chains") == Finding(
        "local chains", FAIL, "the state is of a newer chainctl", "upgrade"
    )
    assert exit_code(facts, diagnose(facts)) == 1


def test_exit_codes() -> None:
    """0, 1 for a failure, 6 for an engine that was asked for; warnings fail nothing."""
    silent = replace(HEALTHY, engine=SILENCE)
    broken = replace(HEALTHY, settings=SettingsFacts(error="wrong"))
    cases = [(HEALTHY, 0), (silent, 0), (replace(silent, target="docker"), 6), (broken, 1)]
    assert [exit_code(facts, diagnose(facts)) for facts, _ in cases] == [code for _, code in cases]


FINDINGS = (Finding("Python", OK, "3.11"), Finding("base image", WARN, "not there", "`docker pull x`"))


def test_plain_lines() -> None:
    """One line a finding, for files and for grep."""
    assert findings_lines(FINDINGS) == "ok: Python: 3.11\nwarn: base image: not there (fix: `docker pull x`)"


def test_a_table_for_terminals() -> None:
    """Columns; the remedy below; colour only for the mark."""
    assert findings_table(FINDINGS, is_colored=False) == (
        "ok    Python      3.11\nwarn  base image  not there\n                  → `docker pull x`"
    )
    assert findings_table(FINDINGS[:1], is_colored=True) == "\x1b[32mok  \x1b[0m  Python  3.11"


def test_the_total() -> None:
    """Three counts."""
    assert total_of(FINDINGS) == "0 failed, 1 to look at, 1 in order."


def test_all_settings_are_listed() -> None:
    """Each with its value, who decided it, and what it means."""
    rows = settings_rows(Settings(port=81), {"port": "/p/chainctl.toml"})
    assert [row["key"] for row in rows] == list(Settings.model_fields)
    assert all(row["meaning"] for row in rows)
    lines = settings_table(rows).splitlines()
    assert lines[0].split() == ["SETTING", "VALUE", "ORIGIN", "MEANING"]
    assert next(line for line in lines if line.startswith("port ")).split()[1:3] == ["81", "/p/chainctl.toml"]


@pytest.fixture
def without_engine(chainctl: Chainctl, tmp_path: Path) -> Chainctl:
    """The command where no engine listens, in an empty directory with a home of its own."""
    environ = {k: v for k, v in chainctl.environ.items() if not k.startswith("DOCKER")}
    environ.update({"DOCKER_CONFIG": str(docker_context_away(tmp_path)), "HOME": str(tmp_path)})
    return replace(chainctl, environ=environ, directory=tmp_path)


def test_the_command_without_an_engine(without_engine: Chainctl) -> None:
    """A warning and 0; with one that a variable names or with `--target docker` 6; with `--target local` not asked."""
    plain = without_engine("doctor")
    assert "warn: engine: No Docker Engine listens" in plain.stdout
    assert "(current context away); chains run as local processes" in plain.stdout
    named = {**without_engine.environ, "DOCKER_CONTEXT": "away"}
    assert "fail: engine: " in replace(without_engine, environ=named)("doctor", expect=6).stdout
    assert "\x1b" not in plain.stdout
    assert plain.stderr.endswith(" in order.\n")
    assert "fail: engine: " in without_engine("doctor", "--target", "docker", expect=6).stdout
    assert "skip: engine: not asked" in without_engine("doctor", "--target", "local").stdout


def test_the_command_looks_and_changes_nothing(without_engine: Chainctl) -> None:
    """No directory is made, no file is left."""
    before = sorted(without_engine.directory.rglob("*"))
    without_engine("doctor")
    assert sorted(without_engine.directory.rglob("*")) == before


def test_the_command_in_json(without_engine: Chainctl) -> None:
    """Versioned, with every check."""
    value = json.loads(without_engine("doctor", "--json").stdout)
    assert (value["format_version"], value["ok"]) == (1, True)
    assert {tuple(check) for check in value["checks"]} == {("check", "status", "found", "fix")}
    assert "engine" in [check["check"] for check in value["checks"]]


def test_the_command_finds_what_is_wrong(without_engine: Chainctl) -> None:
    """Settings, secrets and leftovers as they really are; a failed check is exit code 1."""
    here = without_engine.directory
    (here / "config/chainctl/secrets").mkdir(parents=True, mode=0o700)
    (here / "config/chainctl/secrets").chmod(0o755)
    record_release(here / "state/chainctl", "local", "hello")
    (here / "chainctl.toml").write_text('prot = "x"\n')
    lines = without_engine("doctor", expect=1).stdout.splitlines()
    assert (
        f"fail: settings: {here}/chainctl.toml has no setting called `prot` (fix: did you mean `port`?)"
        in lines
    )
    assert any(line.startswith("warn: secrets: ") and "chmod -R go= " in line for line in lines)
    assert any(line.startswith("warn: local chains: recorded, but not running: hello") for line in lines)


def test_a_target_that_is_none_is_a_usage_error(without_engine: Chainctl) -> None:
    """Also where the settings are broken besides."""
    (without_engine.directory / "chainctl.toml").write_text("prot = 1\n")
    assert "no target called 'moon'" in without_engine("doctor", "--target", "moon", expect=2).stderr


def test_settings_with_their_origin(without_engine: Chainctl) -> None:
    """`--settings` shows who decided each."""
    (without_engine.directory / "chainctl.toml").write_text("port = 81\n")
    rows = json.loads(without_engine("doctor", "--settings", "--json").stdout)["settings"]
    port = next(row for row in rows if row["key"] == "port")
    assert (port["value"], port["origin"]) == (81, f"{without_engine.directory}/chainctl.toml")


@pytest.fixture
def hanging() -> Iterator[str]:
    """The address of an engine that accepts and then says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"tcp://127.0.0.1:{server.getsockname()[1]}"


@pytest.mark.alone
def test_a_hanging_engine_is_not_waited_for(without_engine: Chainctl, hanging: str) -> None:
    """The answer comes in two seconds, start of the interpreter included."""
    hung = replace(without_engine, environ={**without_engine.environ, "DOCKER_HOST": hanging})
    started = time.monotonic()
    done = hung("doctor", "--target", "docker", expect=6)
    assert time.monotonic() - started < 2 * slowness()
    assert f"fail: engine: The engine {hanging} did not answer in 1.2 s" in done.stdout
    assert "state disk" in done.stdout


def slowness() -> float:
    """How much longer things may take on a machine that is busy with other tests."""
    return max(1.0, os.getloadavg()[0] / (os.cpu_count() or 1))
