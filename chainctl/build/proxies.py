"""The proxies that build steps go through in; build arguments that are in no image out. Pure."""

from __future__ import annotations

from collections.abc import Mapping


def proxy_arguments(*, http: str | None, https: str | None, no: str | None) -> Mapping[str, str]:
    """Return the arguments in both spellings, as some programs read only one.

    Both builders know them without an ARG, and keep them out of the history and the cache's keys.
    """
    given = {"http_proxy": http, "https_proxy": https, "no_proxy": no}
    return {spelled: url for name, url in given.items() if url for spelled in (name, name.upper())}
