"""A command whose `--help` ends with examples and exit statuses."""

from __future__ import annotations

from argparse import Action, HelpFormatter, RawDescriptionHelpFormatter
from collections.abc import Iterable
from typing import Any, ClassVar

from django.core.management.base import BaseCommand, DjangoHelpFormatter


class Formatter(RawDescriptionHelpFormatter):
    """Our own options come first; those that every command of Django has are not in the usage."""

    def add_usage(
        self, usage: str | None, actions: Iterable[Action], groups: Any, prefix: str | None = None
    ) -> None:
        ours = [each for each in actions if not _is_djangos(each)]
        super().add_usage(usage, ours, groups, prefix)

    def add_arguments(self, actions: Iterable[Action]) -> None:
        super().add_arguments(sorted(actions, key=_is_djangos))

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        """What has lines of its own keeps them; a sentence is broken where the window ends."""
        formatter = RawDescriptionHelpFormatter if "\n" in text else HelpFormatter
        return formatter._fill_text(self, text, width, indent)


class ExplainedCommand(BaseCommand):
    """epilog: what `--help` says at its end, line by line as it stands."""

    epilog: ClassVar[str]

    def create_parser(self, prog_name: str, subcommand: str, **kwargs: Any) -> Any:
        kwargs |= {"formatter_class": Formatter, "epilog": self.epilog}
        return super().create_parser(prog_name, subcommand, **kwargs)


def _is_djangos(action: Action) -> bool:
    return bool(DjangoHelpFormatter.show_last & set(action.option_strings))
