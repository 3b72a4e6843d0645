"""The hot paths, each as a ratio to a limit measured in the same run.

    make bench                              # ARGS="--fast", ARGS="--only ingest --json FILE"

Works on a database of its own on the server of DATABASE_URL and leaves nothing behind. Prints a
line a step, a table, and as the last line one JSON object.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SECTIONS = ("ingest", "files", "agent", "detect", "query", "chart")
# Minutes each: asked for by name only.
LONG_SECTIONS = ("growth", "overload")


def main() -> None:
    options = _options()
    sys.path.insert(0, str(ROOT))  # a script finds its own directory only
    from bench.place import empty, own_place
    from bench.report import Report

    report = Report()
    with own_place() as plain:
        # These import models, so they come after Django is set up.
        from bench import agent, chart, detect, files, growth, ingest, overload, query
        from sensors import store

        report.facts = {"hypertable": store.is_hypertable(), "fast": options.fast}
        sections = {
            "ingest": lambda: ingest.run(report, plain, fast=options.fast),
            "files": lambda: files.run(report, plain, fast=options.fast),
            "agent": lambda: agent.run(report, plain, fast=options.fast),
            "detect": lambda: detect.run(report, fast=options.fast),
            "query": lambda: query.run(report, plain, fast=options.fast),
            "chart": lambda: chart.run(report, fast=options.fast),
            "growth": lambda: growth.run(report, plain, fast=options.fast),
            "overload": lambda: overload.run(report, fast=options.fast),
        }
        for name in options.only or SECTIONS:
            report.step(name)
            empty()
            sections[name]()
    report.print()
    if options.json:
        options.json.write_text(report.as_json() + "\n")
    print(report.as_json())


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--only", choices=SECTIONS + LONG_SECTIONS, action="append", help="May be given again."
    )
    parser.add_argument("--fast", action="store_true", help="Fewer rounds and rows.")
    parser.add_argument("--json", type=Path, metavar="FILE", help="Write the last line there too.")
    return parser.parse_args()


if __name__ == "__main__":
    main()
