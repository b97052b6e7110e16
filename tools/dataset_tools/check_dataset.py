"""Check a config's data before training on it: ``python tools/dataset_tools/check_dataset.py CONFIG ...``.

Annotations, tags, files, whether they decode, and token counts, by all cores. Writes skip.jsonl (samples that cannot be
used), summary.json and report.html. It may be stopped at any time: the same command goes on. Exit status 0 if every
sample can be used, 1 if not, 2 for a mistake in the command or the config.
"""

import argparse
import shlex
import sys
from pathlib import Path

from rich.console import Console

from elva.apis import check_dataset as api
from elva.registry import register_all_modules
from elva.utils import launch
from elva.utils.json_file import write_json


def parse_args() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("config", help="config file")
    parser.add_argument("--split", choices=api.SPLITS, default="train", help="whose dataloader (default: train)")
    levels = "none: files exist; probe: headers; frames: what training reads (default); full: every frame"
    parser.add_argument("--decode", choices=api.LEVELS, default="frames", help=levels)
    parser.add_argument("--out", type=Path, metavar="DIR", help="default: work_dirs/<config>/check/<split>")
    parser.add_argument("--workers", type=int, default=0, metavar="N", help="processes (default: one a core)")
    parser.add_argument("--timeout", type=float, default=60.0, metavar="S", help="seconds for a file (default: 60)")
    parser.add_argument("--max-tokens", type=int, metavar="N", help="longer samples are bad (default: no limit)")
    parser.add_argument("--fresh", action="store_true", help="forget what an earlier check found")
    parser.add_argument("--retry", action="store_true", help="look again at files that could not be read")
    launch.add_cfg_options(parser)
    return parser.parse_args()


def main() -> None:
    """Check, write and print; exits with 1 if something is bad."""
    args = parse_args()
    options = api.CheckOptions(
        args.split, args.decode, args.workers, args.timeout, args.max_tokens, args.fresh, args.retry
    )
    cfg = launch.read_config(args.config, args.cfg_options)
    register_all_modules()
    out = args.out or Path("work_dirs") / Path(args.config).stem / "check" / args.split
    check = api.DatasetCheck(cfg, out, options)
    try:
        findings = check.run()
    except KeyboardInterrupt:
        words = shlex.join(["python", *(word for word in sys.argv if word != "--fresh")])
        print(f"\nInterrupted; what was found so far is in {check.journal}. Go on with: {words}", file=sys.stderr)
        raise SystemExit(130) from None
    numbers = {"config": args.config, "split": args.split, "decode": args.decode} | api.summary(findings)
    write_json(out / "summary.json", numbers)
    skipped = api.write_skip_list(out / "skip.jsonl", findings)
    api.write_report(out / "report.html", numbers, findings, f"Data of {args.config}, {args.split}")
    api.print_summary(numbers, findings, Console())
    print(f"{check.words()}\n{skipped:,} samples cannot be used. {out}: summary.json, skip.jsonl, report.html")
    if skipped:
        raise SystemExit(1)


if __name__ == "__main__":
    sys.exit(launch.run(main))
