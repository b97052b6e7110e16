"""Sweep merger x ratio x frames x resolution over one checkpoint or several: accuracy, FLOPs, time to first token.

``python tools/analysis_tools/sweep.py CONFIG NAME=CHECKPOINT ... [--mergers A B] [--ratios 0 .5] [--frames 4 8]
[--sizes 48x48] [--work-dir DIR] [--json FILE]``

Draws accuracy against speed-up (Figure 3 of the paper) with the Pareto front. One row a run in ``runs.csv``; a sweep
that was stopped, or is widened, only runs what is missing. Ratio 0 is one run without a merger, whatever the merger.
"""

import argparse
import sys
from collections.abc import Iterator, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any, NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # tools/ is no installed package

from mmengine.config import Config

from elva.apis.cost.variants import parse_size, set_frames
from elva.apis.evaluation import Evaluation, Evaluator
from elva.registry import MERGERS
from elva.utils import launch
from elva.utils.json_file import add_json, write_json
from elva.utils.report_text import amount, table
from elva.utils.run_table import RunTable, fingerprint
from elva.visualization.tradeoff_figure import draw_tradeoff, pareto_front
from tools.analysis_tools.variants import merger_config

KEYS = ("checkpoint", "frames", "size", "merger", "ratio")
"""Columns that a person tells runs apart by; the fingerprint ``of`` what was run is another."""


class Setting(NamedTuple):
    """What one run varies; None is the config's own."""

    checkpoint: str
    frames: int | None
    size: str | None
    merger: str
    ratio: float

    @property
    def names(self) -> dict[str, str]:
        """The columns of the table that tell the run from others."""
        values = (self.checkpoint, self.frames or "", self.size or "", self.merger, f"{self.ratio:g}")
        return {key: str(value) for key, value in zip(KEYS, values, strict=True)}


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    parser.add_argument("config")
    parser.add_argument("checkpoints", nargs="+", metavar="[NAME=]CHECKPOINT")
    parser.add_argument("--mergers", nargs="+", metavar="TYPE", help="default: the config's own")
    parser.add_argument("--ratios", nargs="+", type=float, default=[0.0, 0.25, 0.5, 0.75], help="default: 0 .25 .5 .75")
    parser.add_argument("--frames", nargs="+", type=int, help="default: the config's")
    parser.add_argument("--sizes", nargs="+", metavar="HxW", help="of a frame in pixels; default: the config's")
    parser.add_argument("--work-dir", type=Path, default=Path("work_dirs/sweep"))
    add_json(parser)
    parser.add_argument("--title", default="", help="of the figure")
    launch.add_cfg_options(parser)
    return parser.parse_args(argv)


def named(checkpoint: str) -> tuple[str, str]:
    """``'NAME=PATH'`` in two; without a name, the path is one."""
    name, sign, path = checkpoint.partition("=")
    return (name, path) if sign else (checkpoint, checkpoint)


def existing(checkpoint: str) -> Path:
    """The checkpoint's path.

    Raises:
        FileNotFoundError: If there is no such file.
    """
    if not Path(checkpoint).is_file():
        raise FileNotFoundError(f"There is no checkpoint {checkpoint}.")
    return Path(checkpoint)


def settings_of(args: argparse.Namespace, cfg: Config) -> Iterator[Setting]:
    """Every run of the sweep, those that share a model and its data one after another."""
    own = (cfg.model.get("merger") or {}).get("type")
    mergers = args.mergers or [own]
    if mergers == [None]:
        raise ValueError(f"{args.config} has no model.merger: name what to sweep with --mergers.")
    for checkpoint in args.checkpoints:
        for frames in args.frames or [None]:
            for size in args.sizes or [None]:
                if 0 in args.ratios:
                    yield Setting(named(checkpoint)[0], frames, size, "NoMerge", 0.0)
                for merger in mergers:
                    for ratio in args.ratios:
                        if ratio:
                            yield Setting(named(checkpoint)[0], frames, size, merger, ratio)


def row_of(setting: Setting, of: str, found: Evaluation) -> dict[str, Any]:
    """The row of a run."""
    numbers = {name: round(value, 6) for name, value in found.metrics.items() if name.startswith(("accuracy/", "n"))}
    cost = {"flops": round(found.flops), "ttft_ms": round(1000 * found.ttft, 3)}
    rows = " ".join(f"{rows:.1f}" for rows in found.rows)
    return {**setting.names, "of": of, **numbers, **cost, "rows": rows}


def sweep(args: argparse.Namespace) -> list[dict[str, str]]:
    """Run what is missing; returns the rows of the sweep, in its order."""

    def read() -> Config:
        return launch.read_config(args.config, args.cfg_options)

    paths = dict(named(checkpoint) for checkpoint in args.checkpoints)
    settings = list(settings_of(args, read()))
    for setting in settings:  # a mistake in the last one should not cost the runs before it
        if setting.ratio:
            MERGERS.build_with(merger_config(setting.merger, read(), setting.ratio), in_channels=1)
    sizes = {size: parse_size(size) for size in args.sizes or ()}
    runs = RunTable(args.work_dir / "runs.csv", [*KEYS, "of"])
    of = {name: fingerprint(read(), existing(path)) for name, path in paths.items()}

    def find(setting: Setting) -> dict[str, str] | None:
        return runs.find(setting.names | {"of": of[setting.checkpoint]})

    missing = [setting for setting in settings if find(setting) is None]
    for (checkpoint, frames, size), group in groupby(missing, key=lambda s: s[:3]):
        cfg = read()
        set_frames(cfg, frames, sizes.get(size))
        cfg.work_dir = str(args.work_dir / "log")
        evaluator = Evaluator(cfg, paths[checkpoint])
        for setting in group:
            print(f"\n=== {' '.join(filter(None, setting.names.values()))} ===\n", flush=True)
            evaluator.exchange(merger_config(setting.merger, read(), setting.ratio or None))
            runs.add(row_of(setting, of[checkpoint], evaluator.run()))
    return [row for row in map(find, settings) if row is not None]


def summary(rows: Sequence[dict[str, str]]) -> str:
    """A table, a row a run; runs on the Pareto front of accuracy and FLOPs are starred."""
    front = pareto_front([(float(row["flops"]), float(row["accuracy/overall"])) for row in rows])
    header = [*KEYS, "accuracy", "FLOPs", "TTFT ms", ""]
    body = [
        [
            *(row[key] for key in KEYS),
            f"{float(row['accuracy/overall']):.3f}",
            amount(float(row["flops"])),
            f"{float(row['ttft_ms']):.1f}",
            "*" if index in front else "",
        ]
        for index, row in enumerate(rows)
    ]
    return table([header, *body], align="<>><>>>><", indent=0)


def main(argv: list[str] | None = None) -> None:
    """Run, print, draw."""
    args = parse_args(argv)
    rows = sweep(args)
    figure = draw_tradeoff(rows, args.work_dir / "tradeoff.png", args.title)
    write_json(args.json, rows)
    print(f"\n{summary(rows)}\n\n* on the Pareto front. Written: {args.work_dir / 'runs.csv'}, {figure}")


if __name__ == "__main__":
    sys.exit(launch.run(main))
