"""A page of figures keeps what others wrote on it."""

from __future__ import annotations

from bench.pages import of_others, sections

PAGE = "# Page\n\nIntro.\n\n## One\n\n1\n\n## Theirs\n\nby hand\n\n## Two\n\n2\n"


def test_what_is_written_anew_takes_the_place_of_what_stood() -> None:
    assert of_others(PAGE, ["## One\n\nnew", "## Two\n\nnew"]) == ["## Theirs\n\nby hand\n"]


def test_a_page_that_is_written_twice_stays_as_it_is() -> None:
    written = ["## One\n\n1\n", "## Two\n\n2\n"]
    once = "\n".join(["# Page\n", written[0], *of_others(PAGE, written), written[1]])
    twice = "\n".join(["# Page\n", written[0], *of_others(once, written), written[1]])
    assert once == twice
    assert len(sections(once)) == 3
