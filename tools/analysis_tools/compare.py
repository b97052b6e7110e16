"""Two evaluations of the same questions: difference, 95 % interval, McNemar's p, and the samples that changed.

``python tools/analysis_tools/compare.py A/predictions.jsonl B/predictions.jsonl [--group KEY] [--json FILE]
[--changed FILE.jsonl]``

The difference is B minus A. Questions are paired by id; the interval is clustered by video. What the protocols beside
the two files say differently is listed.
"""

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from elva.evaluation.comparison import (
    Comparison,
    changed,
    check_same_kind,
    compare_groups,
    pair_records,
    protocol_differences,
    read_evaluation,
)
from elva.utils import launch
from elva.utils.json_file import add_json, write_json
from elva.utils.report_text import table, with_notes, wrapped


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    parser.add_argument("before", metavar="A", help="predictions.jsonl")
    parser.add_argument("after", metavar="B", help="another, of the same questions")
    parser.add_argument("--group", metavar="KEY", help="only this division of the questions (default: all there are)")
    parser.add_argument("--other-prompts", action="store_true", help="the questions may be worded otherwise")
    parser.add_argument("--changed", type=Path, metavar="FILE", help="write the samples whose score changed, as JSONL")
    add_json(parser)
    return parser.parse_args(argv)


def row(name: str, found: Comparison) -> list[str]:
    """A line of the table."""
    difference = found.difference
    return [
        name,
        str(difference.n),
        f"{found.before:.3f}",
        f"{found.after:.3f}",
        f"{difference.mean:+.3f}",
        f"{difference.low:+.3f} to {difference.high:+.3f}",
        str(found.gained),
        str(found.lost),
        "" if found.p is None else f"{found.p:.2g}",
    ]


def words(overall: Comparison, left_out: int) -> list[str]:
    """Sentences below the table."""
    found = overall.difference
    notes = [f"The interval is clustered: {found.n} questions about {found.clusters} videos."]
    if found.low <= 0 <= found.high:
        notes.append("The interval holds 0: these answers do not show that one is better than the other.")
    if overall.p is None:
        notes.append("Not all scores are 0 or 1: McNemar's test does not apply.")
    if left_out:
        notes.append(f"{left_out} records are left out: one side has no score of their question.")
    return notes


def protocol_words(differences: dict[str, tuple[Any, Any]] | None) -> str:
    """What the protocols say differently."""
    if differences is None:
        return wrapped("There is no protocol.json beside both files: how the two were made is not known.")
    if not differences:
        return wrapped("The protocols are the same.")
    rows = [[key, *(_short(value) for value in values)] for key, values in differences.items()]
    return table([["protocol", "A", "B"], *rows], align="<<<")


def _short(value: Any, width: int = 40) -> str:
    text = "-" if value is None else value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= width else f"{text[: width - 3]}..."


def main(argv: list[str] | None = None) -> None:
    """Compare, print, write."""
    args = parse_args(argv)
    (before, said), (after, said_after) = read_evaluation(args.before), read_evaluation(args.after)
    differences = None
    if said is not None and said_after is not None:
        check_same_kind(said, said_after)
        differences = protocol_differences(said, said_after)
    pairs = pair_records(before, after, args.other_prompts)
    if not pairs:
        raise ValueError("No question has a score in both files: there is nothing to compare.")
    left_out = len(before) - sum(a.get("asked", 1) for a, _ in pairs)
    groups = compare_groups(pairs, args.group)
    overall = Comparison.of(pairs)
    header = ["", "n", "A", "B", "B - A", "95 % interval", "gained", "lost", "p"]
    rows = [row(f"{division}: {group}", found) for (division, group), found in groups.items()]
    print(with_notes([header, *rows, row("overall", overall)], words(overall, left_out)))
    print(f"\n{protocol_words(differences)}")
    content = {"overall": overall.numbers(), "left_out": left_out, "protocol": differences}
    write_json(args.json, content | {"groups": {"/".join(key): found.numbers() for key, found in groups.items()}})
    if args.changed is not None:
        args.changed.parent.mkdir(parents=True, exist_ok=True)
        lines = [json.dumps(sample, ensure_ascii=False) + "\n" for sample in changed(pairs)]
        args.changed.write_text("".join(lines), encoding="utf-8")


if __name__ == "__main__":
    sys.exit(launch.run(main))
