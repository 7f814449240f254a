"""What the screen of a watched chain says after each thing that happens, to the letter."""

from __future__ import annotations

from chainctl.cli.watch_picture import KEYS, picture
from chainctl.cli.watch_view import MOST_LINES, Row, WatchView
from chainctl.events import ONLY_LINES, EditApplied, EditRefused, Notice, OperationStarted, PhaseStarted
from chainctl.workflows.top import Load, Rates, ServiceLoad

URL = "http://127.0.0.1:8000"


def view(*names: str) -> WatchView:
    return WatchView("chain.py", "").serving("hello", "local", names or ("Hello", "Say"), URL)


def load(**calls: float) -> Load:
    services = [
        ServiceLoad(f"{name}-{number}", name, Rates(rate, 0.5, 0, None, None), 0, 0, 0, {})
        for name, rate in calls.items()
        for number in (1, 2)
    ]
    return Load(1.0, tuple(services), ())


def shown(view: WatchView, width: int = 100, height: int = 14) -> list[str]:
    return [line.rstrip() for line in picture(view, width, height).plain.split("\n")]


def test_an_edit_is_told_of_the_chainlets_that_it_touches() -> None:
    """Generation, action, time and reason; the others keep theirs."""
    edited = view().after(EditApplied(1, (("Say", "swap", "only the body of `x` changed"),), 0.042))
    assert edited.generation == 1
    assert edited.rows == (Row("Hello"), Row("Say", 1, "swap in 0.04 s: only the body of `x` changed"))


def test_lines_that_moved_do_not_hide_what_was_done() -> None:
    """Where another part of a file changed, the last action of a chainlet stays."""
    first = view().after(EditApplied(1, (("Hello", "swap", "why"),), 1.0))
    both = (("Hello", "swap", ONLY_LINES), ("Say", "reinit", "`__init__` changed"))
    second = first.after(EditApplied(2, both, 2.0))
    assert second.rows[0] == Row("Hello", 2, "swap in 1.00 s: why")
    assert second.rows[1].action == "reinit in 2.00 s: `__init__` changed"


def test_what_starts_anew_runs_its_image() -> None:
    """A restart ends the edits of its chainlet, a push those of all."""
    edited = view().after(EditApplied(1, (("Hello", "swap", "x"), ("Say", "swap", "x")), 0.1))
    restarted = edited.after(EditApplied(1, (("Say", "restart", "data changed"),), 3))
    assert [row.generation for row in restarted.rows] == [1, 0]
    pushed = edited.after(EditApplied(0, (("Hello", "push", "the signature of Hello changed"),), 3))
    assert [row.generation for row in pushed.rows] == [0, 0]
    assert pushed.rows[0].action == "push in 3.00 s: the signature of Hello changed"


def test_a_refusal_stays_until_an_edit_is_served() -> None:
    """With the lines that tell of it, on one line each, and nothing that moves a cursor."""
    wrong = view().after(EditRefused("chain.py:3: invalid syntax", ("x = = 1\n^\x1b[2J",)))
    assert wrong.refused == ("chain.py:3: invalid syntax", "x = = 1", "^\\x1b[2J")
    assert wrong.after(Notice("note")).refused == wrong.refused
    assert wrong.after(EditApplied(1, (("Say", "swap", "x"),), 0.1)).refused == ()
    assert wrong.after(EditApplied(0, (), 0.0)).refused == (), "the edit was taken back"


def test_what_is_under_way_is_shown_until_it_ends() -> None:
    """Phases and steps of a push; a chain that serves, an edit or a refusal ends them."""
    busy = view().after(PhaseStarted("Deploy"))
    assert busy.doing == "Deploy"
    busy = busy.after(OperationStarted("start service Say"))
    assert busy.doing == "start service Say"
    assert busy.after(EditRefused("no")).doing == ""
    assert busy.serving("hello", "local", ["Hello"], URL).doing == ""


def test_chainlets_come_and_go_with_a_push() -> None:
    """What is known of those that stay is kept."""
    edited = view().after(EditApplied(1, (("Say", "swap", "x"),), 0.1))
    assert [row.chainlet for row in edited.serving("hello", "local", ["Say", "Third"], URL).rows] == [
        "Say",
        "Third",
    ]
    assert edited.serving("hello", "local", ["Say", "Third"], URL).rows[0].generation == 1


def test_rates_of_replicas_are_added_up() -> None:
    """One that does not answer has none."""
    rows = view().loaded(load(Say=2.0)).rows
    assert [(row.calls, row.errors) for row in rows] == [(None, None), (4.0, 1.0)]


def test_only_the_newest_lines_are_kept() -> None:
    """A chain that writes much does not fill our memory."""
    many = view()
    for number in range(MOST_LINES + 5):
        many = many.noted(f"line {number}\n")
    assert len(many.lines) == MOST_LINES
    assert many.lines[-1] == f"line {MOST_LINES + 4}"


def test_the_screen_to_the_letter() -> None:
    """What serves on top, what is wrong below it, the newest lines, keys in the last line."""
    seen = view().after(EditApplied(2, (("Say", "swap", "only the body of `x` changed"),), 0.04))
    seen = seen.loaded(load(Hello=50.0, Say=0.0)).after(
        EditRefused("chain.py:3: invalid syntax", ("x = = 1",))
    )
    for number in range(9):
        seen = seen.noted(f"Say | line {number}")
    assert shown(seen) == [
        "hello  http://127.0.0.1:8000  local  edit 2",
        "",
        "CHAINLET  SERVES  CALLS/S  ERRORS/S  LAST ACTION",
        "Hello     image   100.0    1.0       -",
        "Say       edit 2  0        1.0       swap in 0.04 s: only the body of `x` changed",
        "",
        "not served: chain.py:3: invalid syntax",
        "  x = = 1",
        "",
        "Say | line 6",
        "Say | line 7",
        "Say | line 8",
        "",
        KEYS,
    ]


def test_it_fits_every_terminal() -> None:
    """However small: no line is too long, none is too many, and the keys are the last one."""
    seen = view().after(EditRefused("chain.py:3: invalid syntax", ("y" * 300,) * 40)).noted("x" * 500)
    for width in (1, 5, 40, 200):
        for height in (1, 2, 5, 9, 14, 60):
            lines = shown(seen, width, height)
            assert len(lines) == height or height < 9, (width, height)
            assert len(lines) <= height
            assert max(map(len, lines)) <= width
            assert lines[-1][:4] == KEYS[:4] if width >= 5 else True


def test_all_lines_are_shown_where_there_is_room() -> None:
    """However many fewer than would fit."""
    for count in range(30):
        seen = view()
        for number in range(count):
            seen = seen.noted(f"line {number}")
        assert [line for line in shown(seen, 100, 40) if line.startswith("line ")] == list(seen.lines)


def test_what_is_under_way_stands_beside_the_keys() -> None:
    """So nothing moves when it begins or ends."""
    assert shown(view().after(PhaseStarted("Deploy")))[-1] == f"{KEYS}   Deploy"
