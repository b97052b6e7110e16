"""Accuracy against the share of the data in each stage of pre-training (Figure 4 of the paper).

``python tools/analysis_tools/data_scaling.py [CONFIG ...] [--shares 0.1 0.3 1] [--json FILE] [--work-dir DIR]``

The configs are successive stages of one recipe, by default those of the tiny one (its data and language model must be
there: ``make demo`` makes them). The last config is trained on all of its data and tested; each stage before it is
trained on a share of its data, the other stages on everything. A training takes as many steps whatever the share, so
that what is compared is the data, not the computing; every training starts from the same seed.

A stage that is trained as its config says is taken from the config's own work_dir if its checkpoint is there. A run
that was stopped goes on where it was: trainings whose last checkpoint is there, and tests in ``runs.csv``, are not
repeated. Each experiment (configs, options, iterations) has a folder of its own in the work dir.
"""

import argparse
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # tools/ is no installed package

from mmengine.config import Config

from elva.utils import launch
from elva.utils.json_file import add_json, write_json
from elva.utils.report_text import table
from elva.utils.run_table import RunTable, fingerprint
from elva.utils.stage_training import last_checkpoint, place, shorten, train_stage
from elva.visualization.scaling_figure import draw_scaling
from tools.analysis_tools.ablate_supervisor import TINY


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    parser.add_argument("configs", nargs="*", default=TINY, metavar="CONFIG", help="stages, in order")
    parser.add_argument("--shares", nargs="+", type=float, default=[0.1, 0.3, 1.0], help="default: 0.1 0.3 1")
    parser.add_argument("--iters", type=int, metavar="N", help="at most so many iterations a stage, for a quick look")
    parser.add_argument("--work-dir", type=Path, default=Path("work_dirs/data_scaling"))
    add_json(parser)
    launch.add_cfg_options(parser)
    return parser.parse_args(argv)


def identity(args: argparse.Namespace) -> str:
    """The folder of what is trained: another one for other configs, options or checkpoints to start from."""
    configs = [launch.read_config(path, args.cfg_options) for path in args.configs]
    trained = [last_checkpoint(cfg) for cfg in configs if cfg.get("work_dir")]
    return fingerprint(*configs, args.iters, *(path for path in trained if path.is_file()))


def set_share(node: Any, share: float) -> None:
    """Let every data set of annotation files under ``node``, a part of a config, use a share of its samples."""
    if isinstance(node, dict):
        if node.get("type") == "MixtureFile":
            raise ValueError(f"data_scaling cannot take shares of {node['file']}: write the mixture in the config")
        if "ann_file" in node:
            node["take"] = f"random:{share * 100:g}%"
        for value in node.values():
            set_share(value, share)
    elif isinstance(node, list | tuple):
        for value in node:
            set_share(value, share)


def stage_configs(args: argparse.Namespace, stage: int | None, share: float) -> Iterator[Config]:
    """The stages in order, stage number ``stage`` (from 0) on a share of its data; None: all on everything."""
    start = None
    changed = False
    for number, path in enumerate(args.configs):
        cfg = launch.read_config(path, args.cfg_options)
        own = last_checkpoint(cfg) if cfg.get("work_dir") else None
        if args.iters is not None:
            shorten(cfg, args.iters)
        if number == stage:
            set_share(cfg.train_dataloader.dataset, share)
            changed = True
        name = f"stage{stage + 1}_{share:g}" if changed and stage is not None else "full"
        place(cfg, args.work_dir / name / f"stage{number + 1}", start)
        if not changed and args.iters is None and not args.cfg_options and own is not None and own.is_file():
            cfg.work_dir = str(own.parent)
        start = last_checkpoint(cfg)
        yield cfg


def train_and_test(configs: Sequence[Config]) -> dict[str, float]:
    """Train what is not trained yet, and test the last stage."""
    for cfg in configs:
        if not last_checkpoint(cfg).is_file():
            train_stage(cfg)
    last = configs[-1]
    last.load_from, last.strategy, last.experiment_name = (
        str(last_checkpoint(last)),
        None,
        f"{last.experiment_name}_test",
    )
    return {name: float(value) for name, value in launch.build_runner(last).test().items()}


def run_all(args: argparse.Namespace) -> list[dict[str, str]]:
    """One row a run: ``stage`` (from 1), ``share``, and what the test says."""
    runs = RunTable(args.work_dir / "runs.csv", ("stage", "share"))
    full: dict[str, float] | None = None
    for stage in range(len(args.configs) - 1):
        for share in sorted(set(args.shares), reverse=True):
            key = {"stage": stage + 1, "share": f"{share:g}"}
            if runs.find(key) is not None:
                continue
            print(f"\n=== {share:.0%} of the data of stage {stage + 1} ===\n", flush=True)
            whole = share == 1
            if not whole or full is None:
                metrics = train_and_test(list(stage_configs(args, None if whole else stage, share)))
                full = metrics if whole else full
            else:
                metrics = full
            runs.add({**key, **metrics})
    return sorted(runs.rows, key=lambda row: (row["stage"], float(row["share"])))


def summary(rows: Sequence[dict[str, Any]]) -> str:
    """A table, a row a run: accuracy overall and by skill."""
    names = [name for name in rows[0] if name.startswith("accuracy/")]
    header = ["stage", "share", *(name.removeprefix("accuracy/") for name in names)]
    body = [[row["stage"], f"{float(row['share']):.0%}", *(f"{float(row[n]):.3f}" for n in names)] for row in rows]
    return table([header, *body], indent=0)


def main(argv: list[str] | None = None) -> None:
    """Run what is missing, print the table, draw the figure."""
    args = parse_args(argv)
    if len(args.configs) < 2:
        raise ValueError("data_scaling needs at least two configs: stages of pre-training, and the one that tests.")
    if any(not 0 < share <= 1 for share in args.shares):
        raise ValueError(f"--shares {args.shares}: give shares of the data, above 0 and at most 1.")
    if launch.read_config(args.configs[-1], args.cfg_options).get("test_dataloader") is None:
        raise ValueError(f"{args.configs[-1]} has no test_dataloader: the last config must be one that tests.")
    args.work_dir /= identity(args)
    rows = run_all(args)
    figure = draw_scaling(rows, args.work_dir / "data_scaling.png")
    write_json(args.json, rows)
    print(f"\n{summary(rows)}\n\nWritten: {args.work_dir / 'runs.csv'}, {figure}")


if __name__ == "__main__":
    sys.exit(launch.run(main))
