"""A front door's files in; whether HAProxy would start with them, by a trial on this node, out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath

from chainctl.adapters.docker.front_door import WantedDoor
from chainctl.adapters.docker.target_connection import Connection
from chainctl.adapters.docker.target_containers import remove
from chainctl.adapters.docker.target_files import OwnedFile, archive
from chainctl.adapters.swarm.door_body import door_command
from chainctl.adapters.swarm.inside import fed, started_helper
from chainctl.deploy.door_start import DOOR_SECRETS_DIR, DOOR_USER, MADE_DIR
from chainctl.errors import DeployError

_TRIAL_SEC = 30.0
_VALID = "the settings are valid"
_RUN = f"""\
head -c "$1" | tar -x -C / 2>&1 || exit
shift
CHAINCTL_ROUTE= "$@" 2>&1 && echo '{_VALID}'
"""


def require_accepted(
    connection: Connection,
    wanted: WantedDoor,
    configs: Mapping[str, bytes],
    secrets: Sequence[tuple[str, str, bytes]],
) -> None:
    """Have HAProxy check settings before anything depends on them. Raises DeployError.

    `configs` are files by their paths, `secrets` as `ensure_secrets` takes them. They are in memory only while it
    looks at them.
    """
    files = {**configs, **{str(DOOR_SECRETS_DIR / file): value for _, file, value in secrets}}
    data = archive(
        OwnedFile(path.lstrip("/"), 0o400, DOOR_USER, content) for path, content in sorted(files.items())
    )
    directories = sorted({str(MADE_DIR), *(str(PurePosixPath(path).parent) for path in files)})
    image = wanted.front_door.image
    helper = started_helper(connection, wanted.chain, image, memory_directories=directories)
    try:
        trial = door_command(wanted.settings, is_trial=True)
        command = ["bash", "-c", _RUN, "-", str(len(data)), *trial]
        said = fed(connection, helper, command, data, _TRIAL_SEC).decode(errors="replace").strip()
    finally:
        remove(connection, helper)
    if said.endswith(_VALID):
        return
    raise DeployError(
        "HAProxy refuses the settings of the front door",
        hint="correct them (a certificate that is no PEM of certificate and key, or an image without bash or Lua), "
        "then push again",
        details=said.splitlines()[-20:],
    )
