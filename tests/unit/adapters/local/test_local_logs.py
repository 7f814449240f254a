"""Log files: one timed line each, bounded in size, readable across a rotation."""

from __future__ import annotations

from pathlib import Path

from chainctl.adapters.local.logs import LogReader, last_words, read_logs
from chainctl.adapters.local.memory import RetiredService, RunMemory, remember
from chainctl.adapters.local.paths import LocalPaths
from chainctl.adapters.local.supervisor.log_file import LINE_BYTES, LogFile
from chainctl.wire.log_line import LogEvent, format_event


def test_bytes_become_timed_lines(tmp_path: Path) -> None:
    """Lines are cut at line ends wherever the pipe cut them; the last words need no line end."""
    path = tmp_path / "s.log"
    log = LogFile(path)
    for data in (b"on", b"e\ntwo\r\n\nth", b"ree"):
        log.feed(data)
    log.close()
    reader = LogReader("s", "c", path)
    lines = list(reader.lines())
    reader.close()
    assert [line.text for line in lines] == ["one", "two", "", "three"]
    assert lines[0].time > 1_600_000_000


def test_a_line_without_end_is_cut(tmp_path: Path) -> None:
    """A process that never ends a line does not fill the memory."""
    path = tmp_path / "s.log"
    log = LogFile(path)
    log.feed(b"x" * (LINE_BYTES + 1))
    log.close()
    assert len(path.read_bytes()) > LINE_BYTES


def test_a_reader_follows_across_a_rotation(tmp_path: Path) -> None:
    """No line is lost or read twice while files are renamed under the reader."""
    path = tmp_path / "s.log"
    log = LogFile(path, rotate_bytes=400)
    reader = LogReader("s", "c", path)
    heard = []
    for n in range(40):
        log.feed(b"line %d\n" % n)
        heard += [line.text for line in reader.lines()]
    log.close()
    reader.close()
    assert heard == [f"line {n}" for n in range(40)]
    assert path.stat().st_size <= 400
    assert path.with_name("s.log.1").stat().st_size <= 400
    assert not path.with_name("s.log.2").exists()


def test_the_last_words_reach_into_the_older_file(tmp_path: Path) -> None:
    """A service that fails right after a rotation still shows what it said before."""
    path = tmp_path / "s.log"
    log = LogFile(path, rotate_bytes=100)
    for n in range(5):
        log.feed(b"line %d\n" % n)
    log.close()
    assert last_words(path, 3) == ["line 2", "line 3", "line 4"]
    assert last_words(tmp_path / "none.log", 3) == []


def test_the_last_words_are_what_people_read(tmp_path: Path) -> None:
    """A service writes JSON; a traceback in it counts by its own lines."""
    path = tmp_path / "s.log"
    log = LogFile(path)
    event = LogEvent("t", "ERROR", "Hello", "it failed\nTraceback\nValueError: no", logger="mine")
    log.feed(b"of C\n" + format_event(event))
    log.close()
    assert last_words(path, 3) == ["ERROR it failed", "Traceback", "ValueError: no"]
    assert last_words(path, 4)[0] == "of C"


def test_half_a_line_waits_for_its_other_half(tmp_path: Path) -> None:
    """A reader never shows a line that is still being written."""
    path = tmp_path / "s.log"
    path.write_bytes(b"2026-01-01T00:00:00+00:00 whole\n2026-01-01T00:00:01+00:00 ha")
    reader = LogReader("s", "c", path)
    assert [line.text for line in reader.lines()] == ["whole"]
    with path.open("ab") as file:
        file.write(b"lf\n")
    assert [line.text for line in reader.lines()] == ["half"]
    reader.close()


def test_lines_of_all_services_are_merged(tmp_path: Path) -> None:
    """Also those of services that are gone; tail counts over all."""
    run = LocalPaths.of(tmp_path, xdg_runtime_dir="/login", uid=7).run("demo")
    retired = tuple(RetiredService(name=name, chainlet=name.upper()) for name in ("a", "b"))
    remember(run.memory, RunMemory(chain="demo", retired=retired))
    run.log_of("a").parent.mkdir()
    run.log_of("a").write_text("2026-01-01T00:00:01Z one\n2026-01-01T00:00:03Z three\n")
    run.log_of("b").write_text("2026-01-01T00:00:02Z two\n2026-01-01T00:00:04Z four\n")
    assert [line.text for line in read_logs(run)] == ["one", "two", "three", "four"]
    assert [line.text for line in read_logs(run, tail=2)] == ["three", "four"]
    assert [line.text for line in read_logs(run, chainlets=["B"])] == ["two", "four"]
    assert [line.text for line in read_logs(run, since=1767225603.0)] == ["three", "four"]
