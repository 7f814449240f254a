"""What writes a log in; what it wrote, from a time on and if wanted for as long as it writes, out."""

from __future__ import annotations

from collections.abc import Generator

from chainctl.adapters.docker.build_streams import OpenStreams
from chainctl.adapters.docker.engine import TIMEOUT
from chainctl.adapters.docker.logs_frames import StampedLine, read_lines
from chainctl.adapters.docker.logs_source import LogWriter
from chainctl.adapters.docker.observe_container import epoch
from chainctl.adapters.docker.target_connection import Connection


def stamped_lines(
    connection: Connection,
    streams: OpenStreams,
    writer: LogWriter,
    *,
    since: str = "",
    tail: int | None = None,
    follow: bool = False,
) -> Generator[StampedLine]:
    """Yield the lines of a container or a task; none when it is gone.

    `since` is seconds since the epoch, with a fraction. A follower ends when the container does,
    or when the streams are cut.
    """
    client = connection.client
    with connection.reading(f"read the log of {writer.name}"):
        response = client.get(
            f"{client.base_url}/v{client.api_version}/{writer.kind}/{writer.id}/logs",
            params=_params(since, tail, follow=follow),
            stream=True,
            timeout=(TIMEOUT, None if follow else TIMEOUT),
        )
        with streams.reading(response):
            if response.status_code != 404:
                response.raise_for_status()
                yield from read_lines(response.raw.read)


def since_of(stamp: str) -> str:
    """Turn the time of a line into `since`, to the nanosecond: that line is given again."""
    whole, _, fraction = stamp.rstrip("Z").partition(".")
    return f"{epoch(whole):.0f}.{fraction or 0}"


def _params(since: str, tail: int | None, *, follow: bool) -> dict[str, str]:
    return {
        "stdout": "1",
        "stderr": "1",
        "timestamps": "1",
        "tail": "all" if tail is None else str(tail),
        "follow": "1" if follow else "0",
        **({"since": since} if since else {}),
    }
