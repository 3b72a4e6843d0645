"""Issue, list and revoke the keys of devices."""

from __future__ import annotations

from argparse import ArgumentParser, ArgumentTypeError
from datetime import timedelta
from typing import Any

from django.core.management.base import CommandError
from django.utils import timezone

from sensors import keys
from sensors.formats import DEFAULT_TEMPLATE
from sensors.management.arguments import count, positive
from sensors.management.explained import ExplainedCommand
from sensors.models import IngestKey, Site

MOST_DAYS = 36_500
EPILOG = """\
  manage.py ingest_key create --site north-plant --name press-line
  manage.py ingest_key create --site north-plant --name grafana --scope read --days 90
  manage.py ingest_key create --site north-plant --name planner --scope windows:write
  manage.py ingest_key list
  manage.py ingest_key revoke ceb721d2931f

`create` prints the key to standard output and what it is for to standard error, so
KEY=$(manage.py ingest_key create …) holds the key alone.

Exit status: 0 done; 1 there is no such site or key; 2 an option is wrong.
"""


class Command(ExplainedCommand):
    epilog = EPILOG
    help = "Issue, list and revoke the keys of devices. A secret is shown once, when it is issued."

    def add_arguments(self, parser: ArgumentParser) -> None:
        verbs = parser.add_subparsers(dest="verb", required=True)
        create = verbs.add_parser("create", help="Issue a key and print it.")
        create.add_argument("--site", required=True, help="Slug of the site.")
        create.add_argument("--name", required=True, help="What the key is for.")
        create.add_argument(
            "--scope",
            action="append",
            choices=IngestKey.Scope.values,
            help=f"May be given twice; default: {IngestKey.Scope.WRITE.value}.",
        )
        create.add_argument("--days", type=_days, help="Expires after so many; default: never.")
        create.add_argument("--rate", type=positive, help="Calls a second; default: the setting.")
        create.add_argument("--burst", type=count, help="Calls at once; default: the setting.")
        create.add_argument(
            "--line-template",
            default=DEFAULT_TEMPLATE,
            help="What sensors that come by line protocol are called, from {measurement}, {field}, "
            "{tag:NAME}, {tags} (the tags not named otherwise) and {bucket}; default: %(default)s",
        )
        show = verbs.add_parser("list", help="Print the keys, without their secrets.")
        show.add_argument("--site", help="Slug of the site; default: all sites.")
        revoke = verbs.add_parser("revoke", help="Refuse a key from now on.")
        revoke.add_argument("prefix", help="What stands before the dot.")

    def handle(self, *args: Any, **options: Any) -> None:
        {"create": self.create, "list": self.show, "revoke": self.revoke}[options["verb"]](options)

    def create(self, options: dict[str, Any]) -> None:
        site = _site(options["site"])
        days = options["days"]
        try:
            key, text = keys.issue(
                site=site,
                name=options["name"],
                scopes=options["scope"] or [IngestKey.Scope.WRITE],
                rate_per_second=options["rate"],
                burst=options["burst"],
                expires_at=timezone.now() + timedelta(days=days) if days else None,
                line_template=options["line_template"],
            )
        except ValueError as error:
            raise CommandError(f"No key was issued: {error}.") from error
        self.stderr.write(f"Key {key.name!r} of {site}. This is the only time it is shown:")
        self.stdout.write(text)

    def show(self, options: dict[str, Any]) -> None:
        found = IngestKey.objects.select_related("site")
        if options["site"]:
            found = found.filter(site=_site(options["site"]))
        for key in found:
            scopes = ",".join(key.scopes)
            self.stdout.write(f"{key.prefix}  {key.site.slug}  {key.name}  {scopes}  {_state(key)}")

    def revoke(self, options: dict[str, Any]) -> None:
        key = IngestKey.objects.filter(prefix=options["prefix"]).first()
        if key is None:
            raise CommandError(f"There is no key {options['prefix']!r}; see `ingest_key list`.")
        keys.revoke(key, now=timezone.now())
        self.stdout.write(f"Key {key.prefix} ({key.name}) is revoked.")


def _days(text: str) -> float:
    days = positive(text)
    if days > MOST_DAYS:
        raise ArgumentTypeError(f"{text} days are more than {MOST_DAYS}")
    return days


def _site(slug: str) -> Site:
    site = Site.objects.filter(slug=slug).first()
    if site is None:
        known = ", ".join(Site.objects.values_list("slug", flat=True)) or "none"
        raise CommandError(f"There is no site {slug!r}. Sites: {known}.")
    return site


def _state(key: IngestKey) -> str:
    if key.revoked_at:
        return f"revoked {key.revoked_at:%Y-%m-%d %H:%M}"
    if key.expires_at:
        return f"expires {key.expires_at:%Y-%m-%d %H:%M}"
    return "usable"
