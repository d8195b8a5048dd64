from __future__ import annotations

import pytest

from benchmarks.pages import marks, replaced, table

BEGIN, END = marks("figures")


def test_figures_replace_what_stood_between_the_marks_and_nothing_else() -> None:
    page = f"before\n{BEGIN}\nold\n{END}\nafter\n"
    once = replaced(page, "figures", "new\n")
    assert once == f"before\n{BEGIN}\n\nnew\n\n{END}\nafter\n"
    assert replaced(once, "figures", "new") == once


@pytest.mark.parametrize("page", ["", BEGIN, END, f"{END} {BEGIN}", "".join(marks("others"))])
def test_a_page_without_its_marks_is_refused(page: str) -> None:
    with pytest.raises(ValueError, match="put both"):
        replaced(page, "figures", "new")


def test_a_table_is_markdown() -> None:
    assert table(["", "p50"], [["one", "1"], ["two", "2"]]) == "|  | p50 |\n| --- | --- |\n| one | 1 |\n| two | 2 |"
