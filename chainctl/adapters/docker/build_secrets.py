"""An image's plan in; the secrets that its build may read, at the moment it asks for them, out."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable
from urllib.parse import unquote, urlsplit

from chainctl.build.plan import ImagePlan
from chainctl.errors import BuildError, UsageError
from chainctl.sdk.read_secrets import ReadSecrets

LARGEST = 500 * 1024  # BuildKit takes no larger ones
REDACTED = "[REDACTED]"
_NETRC = re.compile(r"\blogin\s+(\S+)\s+password\s+(\S+)")

ValueOf = Callable[[str], bytes]


class BuildSecrets:
    """Gives secrets to builds, and keeps those that it gave out of everything that builds say.

    Any thread may ask. Values are read when BuildKit wants them; only what redaction needs is kept.
    """

    def __init__(self, value_of: ValueOf | None) -> None:
        self._value_of = value_of
        self._given = ReadSecrets()

    def of(self, image: ImagePlan) -> Callable[[str], bytes | None]:
        """Return what answers the build of one image: None for what its plan does not declare."""

        def value(name: str) -> bytes | None:
            return self._value(name) if name in image.secrets else None

        return value

    def hide(self, text: str) -> None:
        """Keep a text out of what builds say from now on."""
        self._given.add(text)

    def hide_url(self, url: str) -> None:
        """Keep back the password of a URL, as it is written and as it is meant, and the user with it."""
        _, separator, _ = urlsplit(url).netloc.rpartition("@")
        if not separator:
            return
        login = urlsplit(url).netloc.rpartition("@")[0]
        self._hide_login(login.partition(":")[0], login.partition(":")[2])

    def clean(self, text: str) -> str:
        """Return a text without the secrets that were given."""
        forms = self._given.forms
        if not any(form in text for form in forms):
            return text
        longest_first = sorted(forms, key=lambda form: (-len(form), form))
        return re.sub("|".join(map(re.escape, longest_first)), REDACTED, text)

    def _value(self, name: str) -> bytes:
        if self._value_of is None:
            raise UsageError(f"the secret `{name}` has no place to come from")
        value = self._value_of(name)
        if not value:  # BuildKit leaves the file of such a one away
            raise UsageError(f"the secret `{name}` is empty", hint="give it a value, or do not declare it.")
        if len(value) > LARGEST:
            raise UsageError(
                f"the secret `{name}` has {len(value)} bytes; a build takes at most {LARGEST}",
                hint="give builds a key to what is large, not the thing itself.",
            )
        text = value.decode(errors="replace")
        self.hide(text)
        for login, password in _NETRC.findall(text):
            self._hide_login(login, password)
        return value

    def _hide_login(self, user: str, password: str) -> None:
        """Hide a password, and how it looks in a header."""
        plain = (unquote(user), unquote(password))
        for name, word in {(user, password), plain}:
            self.hide(word)
            self.hide(base64.b64encode(f"{name}:{word}".encode()).decode())


def needs_buildkit(image: ImagePlan, why: str) -> BuildError:
    """Return the error for a build with secrets where nothing can give them."""
    names = ", ".join(f"`{name}`" for name in image.secrets)
    what = "the secret" if len(image.secrets) == 1 else "the secrets"
    return BuildError(
        image.chainlet,
        "",
        (),
        reason=f"it needs {what} {names}, which only BuildKit can give to a build, and {why}",
        hint='use an engine with BuildKit (20.10 or newer, on Linux) and the setting `builder = "auto"`,'
        " or take the secrets out of `build_secret_keys`",
    )
