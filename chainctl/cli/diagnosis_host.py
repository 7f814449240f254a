"""Facts in; findings about this machine out: settings, secrets, disk, ports, sockets, leftovers."""

from __future__ import annotations

import shlex
from collections.abc import Iterator

from chainctl.adapters.host import FIRST_PORT
from chainctl.adapters.host_facts import EngineFacts, PathFacts, PortFacts
from chainctl.cli.diagnosis_finding import Facts, Finding, RecordedChains, SettingsFacts, Status

GB = 1000**3
_DISK_WARN = 5 * GB
_DISK_FAIL = 1 * GB
_OTHERS = 0o077


def setup_findings(facts: Facts) -> Iterator[Finding]:
    """Report on what was installed and set up by hand."""
    yield Finding("Python", Status.OK, f"Python {facts.python}, chainctl {facts.chainctl}")
    yield _settings(facts.settings)
    yield _secrets_directory(facts)
    if facts.secrets.file is not None:
        yield _secrets_file(facts.secrets.file)


def host_findings(facts: Facts) -> Iterator[Finding]:
    """Report on what a running chain needs here besides the engine."""
    yield _port(
        facts.port, has_remote_door=isinstance(facts.engine, EngineFacts) and not facts.is_engine_here
    )
    yield _state(facts.state)
    yield disk_finding("state disk", facts.state, 'free some, or move it: `state_dir = "…"`')
    yield _local_processes(facts)
    yield from (_leftovers(chains) for chains in facts.chains)


def disk_finding(check: str, disk: PathFacts, fix: str) -> Finding:
    """Judge free space: below 1 GB a build fails, below 5 GB one soon will."""
    found = f"{disk.free_bytes / GB:.1f} GB free for {disk.path}"
    if disk.free_bytes < _DISK_FAIL:
        return Finding(check, Status.FAIL, found, fix)
    return (
        Finding(check, Status.WARN, found, fix)
        if disk.free_bytes < _DISK_WARN
        else Finding(check, Status.OK, found)
    )


def _settings(settings: SettingsFacts) -> Finding:
    if settings.error:
        return Finding("settings", Status.FAIL, settings.error, settings.hint)
    parts = [f"{source}: {', '.join(keys)}" for source, keys in settings.sources if keys]
    found = "; ".join(parts) or "all defaults"
    if settings.unknown_variables:
        names = settings.unknown_variables
        fix = f"`unset {' '.join(names)}`; `chainctl doctor --settings` lists all settings"
        return Finding("settings", Status.WARN, f"{found}; without effect: {', '.join(names)}", fix)
    return Finding("settings", Status.OK, found)


def _secrets_directory(facts: Facts) -> Finding:
    directory, files = facts.secrets.directory, facts.secrets.open_files
    shown = shlex.quote(str(directory.path))
    if directory.mode is None:
        return Finding(
            "secrets", Status.SKIP, f"{directory.path} does not exist", f"`install -d -m 700 {shown}`"
        )
    if not directory.is_directory:
        return Finding(
            "secrets", Status.FAIL, f"{directory.path} is no directory", f"`mv {shown} {shown}.old`"
        )
    if directory.mode & _OTHERS:
        found = f"{directory.path} is open to other users (mode {directory.mode:04o})"
        return Finding("secrets", Status.WARN, found, f"`chmod -R go= {shown}`")
    if files:
        names = ", ".join(path.name for path in files)
        paths = " ".join(shlex.quote(str(path)) for path in files)
        return Finding("secrets", Status.WARN, f"other users may read {names}", f"`chmod 600 {paths}`")
    return Finding("secrets", Status.OK, str(directory.path))


def _secrets_file(file: PathFacts) -> Finding:
    if file.mode is None or file.is_directory:
        found = f"{file.path}, which the settings name, is no file"
        return Finding("secrets file", Status.FAIL, found, "correct the setting `secrets_file`")
    if file.mode & _OTHERS:
        found = f"other users may read {file.path} (mode {file.mode:04o})"
        return Finding("secrets file", Status.WARN, found, f"`chmod 600 {shlex.quote(str(file.path))}`")
    return Finding("secrets file", Status.OK, str(file.path))


def _port(port: PortFacts, *, has_remote_door: bool) -> Finding:
    if has_remote_door:
        return Finding("port", Status.SKIP, "the front door is on the engine's machine")
    if port.error:
        found = f"nothing can listen on {port.bind}: {port.error}"
        return Finding(
            "port", Status.FAIL, found, 'set `bind` to an address of this machine: `bind = "127.0.0.1"`'
        )
    if port.free is not None:
        return Finding("port", Status.OK, f"{port.free} is free on {port.bind}")
    if port.wanted is not None:
        found = f"{port.wanted} on {port.bind} is in use, perhaps by a chain"
        return Finding("port", Status.WARN, found, "see `chainctl ps`; else choose another: `port = …`")
    found = f"no port from {FIRST_PORT} upward is free on {port.bind}"
    return Finding("port", Status.FAIL, found, "choose one: `port = …`; `ss -ltnp` shows who listens")


def _state(state: PathFacts) -> Finding:
    shown = shlex.quote(str(state.path))
    if state.mode is not None and not state.is_directory:
        return Finding("state", Status.FAIL, f"{state.path} is no directory", f"`mv {shown} {shown}.old`")
    if not state.is_writable:
        fix = f'`sudo chown -R "$USER" {shown}`, or choose another: `state_dir = "…"`'
        return Finding("state", Status.FAIL, f"{state.path} cannot be written to", fix)
    return Finding("state", Status.OK, f"{state.path}{'' if state.mode else ' (will be made)'}")


def _local_processes(facts: Facts) -> Finding:
    sockets = facts.sockets
    if not sockets.error:
        return Finding("local processes", Status.OK, f"sockets in {sockets.runtime}")
    status = Status.FAIL if facts.target == "local" else Status.WARN
    fix = "set XDG_RUNTIME_DIR to a short path of a directory that only you can enter"
    return Finding("local processes", status, f"no sockets in {sockets.runtime}: {sockets.error}", fix)


def _leftovers(chains: RecordedChains) -> Finding:
    check = f"{chains.target} chains"
    if chains.error:
        return Finding(check, Status.FAIL, chains.error, chains.hint.rstrip("."))
    if chains.running is None and chains.recorded:
        found = f"recorded: {', '.join(chains.recorded)}; not known whether they run"
        return Finding(check, Status.SKIP, found)
    left = [name for name in chains.recorded if name not in (chains.running or ())]
    if not left:
        return Finding(check, Status.OK, f"{len(chains.recorded)} recorded, nothing left over")
    downs = " && ".join(f"chainctl down {name} --target {chains.target}" for name in left)
    return Finding(
        check, Status.WARN, f"recorded, but not running: {', '.join(left)}", f"push again, or `{downs}`"
    )
