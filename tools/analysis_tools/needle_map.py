"""Scores of a needle-in-a-haystack test by length and depth: a table, and a picture.

``python tools/analysis_tools/needle_map.py PREDICTIONS [--needles FILE] [--out PICTURE]``

PREDICTIONS is the ``predictions.jsonl`` of a test on ``VideoNeedle``. With ``--needles`` (the benchmark's
``needles.json``) it also says how many of the needles were among the frames that the model was given.
"""

import argparse
import sys
from pathlib import Path

from elva.datasets.benchmarks.rows import json_rows
from elva.evaluation.predictions import read_predictions
from elva.utils import launch
from elva.utils.report_text import table
from elva.visualization.needle_map import draw_needle_map, needle_map, needle_table, seen_share


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    parser.add_argument("predictions", type=Path, metavar="PREDICTIONS", help="predictions.jsonl of the test")
    parser.add_argument("--needles", type=Path, metavar="FILE", help="needles.json of the benchmark")
    parser.add_argument("--out", type=Path, metavar="PICTURE", help="a file that Matplotlib can write")
    parser.add_argument("--title", default="", help="of the picture (default: none)")
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> None:
    """Print the table, and draw."""
    args = parse_args(argv)
    records = read_predictions(args.predictions)
    found = needle_map(records)
    print(table(needle_table(found)))
    if args.needles:
        share = seen_share(records, json_rows(args.needles))
        print(f"{share:.1%} of the needles were among the frames that the model was given")
    if args.out:
        draw_needle_map(found, args.title).savefig(args.out, dpi=150)
        print(f"picture: {args.out}")


if __name__ == "__main__":
    sys.exit(launch.run(main))
