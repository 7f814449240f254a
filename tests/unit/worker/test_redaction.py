"""Secrets that were read do not leave the process in errors or logs."""

from __future__ import annotations

import io
import json
import logging
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import chainctl as chains
from chainctl.sdk.context import Secrets
from chainctl.sdk.read_secrets import READ_SECRETS, ReadSecrets
from chainctl.worker.failure import fault_of, log_text
from chainctl.worker.redaction import RedactingFormatter, Redactor


def redactor_of(*values: str) -> Redactor:
    """A redactor that knows these secrets only."""
    secrets = ReadSecrets()
    for value in values:
        secrets.add(value)
    return Redactor(secrets)


@pytest.mark.parametrize(
    ("secret", "text", "shown"),
    [
        ("hunter2", "it was hunter2!", "it was [REDACTED]!"),
        ("hunter2\n", "hunter2hunter2", "[REDACTED][REDACTED]"),
        ("abc", "abc", "abc"),
        ("", "text", "text"),
        ("a+b/c=", "https://x/?key=a%2Bb%2Fc%3D", "https://x/?key=[REDACTED]"),
        ("tab\tand'quote", "KeyError: " + repr("tab\tand'quote"), 'KeyError: "[REDACTED]"'),
        ("-----BEGIN KEY-----\nabcdefgh\nxyz\n", "line abcdefgh and xyz", "line [REDACTED] and xyz"),
        ("(.*)+", "(.*)+ or more", "[REDACTED] or more"),
    ],
)
def test_forms_of_a_secret(secret: str, text: str, shown: str) -> None:
    """A secret is found as it is, quoted, escaped, and by its lines; a very short one is no secret."""
    assert redactor_of(secret)(text) == shown


def test_longest_secret_wins() -> None:
    """One secret inside another leaves nothing of the longer one; secrets may be added later."""
    secrets = ReadSecrets()
    redactor = Redactor(secrets)
    assert redactor("hunter2000") == "hunter2000"
    secrets.add("hunter2")
    assert redactor("hunter2000") == "[REDACTED]000"
    secrets.add("hunter2000")
    assert redactor("hunter2000 hunter2") == "[REDACTED] [REDACTED]"


@given(st.lists(st.text(min_size=4, max_size=12), max_size=4), st.text(max_size=60))
def test_no_secret_is_left(secrets: list[str], around: str) -> None:
    """Whatever the secrets and the text, no secret of 4 characters or more stays in it."""
    redactor = redactor_of(*secrets)
    cleaned = redactor(around + around.join(secrets))
    kept = {s.strip() for s in secrets if len(s.strip()) >= 4}
    assert [s for s in kept if s in cleaned.replace("[REDACTED]", "\0")] == []


def test_reading_a_secret_reports_it(tmp_path: Path) -> None:
    """From the moment a chainlet reads a secret, it is kept back; one that nobody read is not known."""
    (tmp_path / "key").write_text("never-shown-1\n")
    (tmp_path / "other").write_text("never-read-1\n")
    secrets = Secrets.in_directory(tmp_path)
    assert "key" in secrets
    assert "never-shown-1" not in READ_SECRETS.forms
    assert secrets.get("key") == "never-shown-1\n"
    assert {"never-shown-1"} <= READ_SECRETS.forms
    assert "never-read-1" not in READ_SECRETS.forms


def test_error_answers_and_logs_hold_no_secrets() -> None:
    """Neither the message, nor causes, notes, names or source lines."""
    key = chains.DeploymentContext(chainlet_to_service={}, secrets={"key": "s3cr3t-value"}).secrets["key"]
    try:
        try:
            raise KeyError(f"{key}")
        except KeyError as error:
            wrapped = ValueError(f"bad key {key}")
            wrapped.add_note(f"used {key}")
            assert key == "s3cr3t-value"
            raise wrapped from error  # not s3cr3t-value
    except ValueError as error:
        fault = fault_of(error, chainlet="A")
        logged = log_text(error)
    assert "s3cr3t-value" not in fault.body.decode() + fault.message + logged
    detail = json.loads(fault.body)["error"]
    assert detail["exception_message"] == "bad key [REDACTED]"
    assert detail["notes"] == ["used [REDACTED]"]
    assert "[REDACTED]" in detail["user_stack_trace"][-1]["line"]
    assert logged.count("[REDACTED]") >= 4


def test_log_lines_are_cleaned_whoever_writes_them() -> None:
    """The formatter also covers what user code logs, arguments and tracebacks included."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(
        RedactingFormatter(logging.Formatter("%(levelname)s %(message)s"), redactor_of("hunter2"))
    )
    record = logging.LogRecord("user", logging.INFO, "f.py", 1, "key is %s", ("hunter2",), None)
    handler.handle(record)
    assert stream.getvalue() == "INFO key is [REDACTED]\n"
