"""The reader that judges our Dockerfiles knows Docker's own pitfalls."""

from __future__ import annotations

import pytest

from tests.unit.build.dockerfile_reader import Instruction, has_heredoc, instructions, pairs


def test_continued_lines_are_joined_and_comments_in_them_vanish() -> None:
    """The comment does not end the instruction."""
    text = "FROM x\nRUN a \\\n# no\n  b\n\nUSER 1\n"
    assert instructions(text) == [
        Instruction("FROM", "x"), Instruction("RUN", "a   b"), Instruction("USER", "1"),
    ]  # fmt: skip


def test_an_escaped_backslash_does_not_continue_a_line() -> None:
    """Two of them at the end are text."""
    assert len(instructions("RUN a \\\\\nUSER 1\n")) == 2


def test_an_instruction_has_to_end() -> None:
    """A backslash at the end of the file is a mistake."""
    with pytest.raises(ValueError, match="does not end"):
        instructions("RUN a \\\n")


def test_words_are_unquoted_and_unescaped() -> None:
    """As the shell-like rules of ENV and LABEL say."""
    assert pairs(r'A="x \"y\" \$z \\" B=\ c D=\'e f\''.replace("\\'", "'")) == {
        "A": 'x "y" $z \\',
        "B": " c",
        "D": "e f",
    }


@pytest.mark.parametrize("text", ['A="x', "A=$b", 'A="$b"'])
def test_open_quotes_and_variables_are_refused(text: str) -> None:
    """Both would change the value."""
    with pytest.raises(ValueError, match=r"quote|variable"):
        pairs(text)


def test_here_documents_are_seen_as_buildkit_sees_them() -> None:
    """A word of its own begins one; a quoted one and a shift do not."""
    assert has_heredoc("cat <<EOF")
    assert has_heredoc("cat 3<<-EOF")
    assert not has_heredoc('["sh", "-c", "cat <<EOF\\nx"]')
    assert not has_heredoc("echo $((1<<2)) '<<EOF'")
