"""The architecture page names functions that exist."""

import re
from importlib import import_module
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[2] / "docs" / "ARCHITECTURE.md"
NAME = re.compile(r"`((?:smartmaint|sensors|mlops|anomalies)(?:\.[A-Za-z_0-9]+)+)`")


def found(name: str) -> bool:
    """Whether a dotted name is a module, or something in one, or something in that."""
    parts = name.split(".")
    for end in range(len(parts), 0, -1):
        try:
            thing = import_module(".".join(parts[:end]))
        except ModuleNotFoundError:
            continue
        for part in parts[end:]:
            if not hasattr(thing, part):
                return False
            thing = getattr(thing, part)
        return True
    return False


@pytest.mark.parametrize("name", sorted(set(NAME.findall(PAGE.read_text()))))
def test_a_name_on_the_page_exists(name: str) -> None:
    assert found(name), f"docs/ARCHITECTURE.md names {name}"


def test_the_page_names_the_steps_of_a_reading() -> None:
    assert len(set(NAME.findall(PAGE.read_text()))) > 20
