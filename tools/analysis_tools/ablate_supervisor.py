"""Train with each supervisor alone, with all and with none, and compare.

``python tools/analysis_tools/ablate_supervisor.py [CONFIG ...] [--iters N] [--work-dir DIR]``

The configs are successive stages of one recipe, by default those of the tiny one (its data and language model must be
there: ``make demo`` makes them). Each variant trains all of them, from the same seed and on the same schedule; each
stage starts from the checkpoint of the one before. The last config tests.
"""

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mmengine.config import Config

from elva.utils import launch
from elva.utils.report_text import table
from elva.utils.stage_training import last_checkpoint, place, shorten, train_stage

ROOT = Path(__file__).resolve().parents[2]
TINY = [str(ROOT / "configs" / f"elva_tiny_stage{stage}.py") for stage in (1, 2, 3)]
LAST = 50
"""Iterations at the end of a training over which its loss is averaged."""


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    parser.add_argument("configs", nargs="*", default=TINY, metavar="CONFIG", help="stages, in order")
    parser.add_argument("--iters", type=int, metavar="N", help="at most so many iterations a stage, for a quick look")
    parser.add_argument("--work-dir", type=Path, default=Path("work_dirs/ablate_supervisor"))
    launch.add_cfg_options(parser)
    return parser.parse_args(argv)


def variants(configs: Sequence[Config]) -> dict[str, list[str]]:
    """Types of the supervisors that each variant keeps: none, each one alone, all.

    Raises:
        ValueError: If no config has a supervisor.
    """
    types = list(dict.fromkeys(s.type for cfg in configs for s in cfg.model.get("supervisors") or ()))
    if not types:
        raise ValueError("None of the configs has model.supervisors: there is nothing to leave out.")
    alone = {f"+ {name}": [name] for name in types} if len(types) > 1 else {}
    return {"generative": [], **alone, f"+ {', '.join(types)}": types}


def vary(cfg: Config, keep: Sequence[str], iters: int | None, work_dir: Path, start: str | None) -> Config:
    """``cfg`` with some of its supervisors, perhaps a shorter schedule, and its own folder and starting point.

    Args:
        cfg: Changed in place.
        keep: Types of the supervisors that stay; without any the teacher goes too.
        iters: Most iterations. Default: the config's.
        work_dir: Of this training.
        start: Checkpoint to start from; None leaves ``load_from``.
    """
    kept = [s for s in cfg.model.get("supervisors") or () if s.type in keep]
    cfg.model.supervisors, cfg.model.teacher = kept, cfg.model.get("teacher") if kept else None
    if iters is not None:
        shorten(cfg, iters)
    return place(cfg, work_dir, start)


def train_and_test(configs: Sequence[Config]) -> dict[str, float]:
    """Train the stages one after another and test the last one.

    Returns:
        ``loss_gen`` of each stage's end, and what the test says.
    """
    numbers: dict[str, float] = {}
    for stage, cfg in enumerate(configs, start=1):
        runner = train_stage(cfg)
        numbers[f"loss_gen/stage{stage}"] = float(runner.message_hub.get_scalar("train/loss_gen").mean(LAST))
    numbers |= {name: float(value) for name, value in runner.test().items()}
    return numbers


def summary(results: Mapping[str, Mapping[str, float]], markdown: bool) -> str:
    """A table, a row a variant: the losses, then accuracy overall and by skill."""
    first = next(iter(results.values()))
    names = [name for name in first if name.startswith(("loss_gen/", "accuracy/"))]
    header = ["variant", *(name.replace("accuracy/", "") for name in names)]
    rows = [header, *([variant, *(f"{n[name]:.3f}" for name in names)] for variant, n in results.items())]
    if not markdown:
        return table(rows, indent=0)
    rule = ["---", *("---:" for _ in names)]
    return "\n".join("| " + " | ".join(row) + " |" for row in (rows[0], rule, *rows[1:]))


def main(argv: list[str] | None = None) -> None:
    """Train and test every variant; write ``ablation.json`` and ``ablation.md`` after each."""
    args = parse_args(argv)
    options: dict[str, Any] = args.cfg_options or {}

    def read() -> list[Config]:
        return [launch.read_config(path, options) for path in args.configs]

    if read()[-1].get("test_dataloader") is None:
        raise ValueError(f"{args.configs[-1]} has no test_dataloader: the last config must be one that tests.")
    results: dict[str, dict[str, float]] = {}
    for number, (name, keep) in enumerate(variants(read()).items()):
        start, stages = None, []
        for stage, cfg in enumerate(read(), start=1):
            folder = args.work_dir / f"variant{number}" / f"stage{stage}"
            stages.append(vary(cfg, keep, args.iters, folder, start))
            start = str(last_checkpoint(cfg))
        print(f"\n=== {name} ===\n", flush=True)
        results[name] = train_and_test(stages)
        (args.work_dir / "ablation.json").write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
        (args.work_dir / "ablation.md").write_text(summary(results, markdown=True) + "\n", encoding="utf-8")
    print(f"\n{summary(results, markdown=False)}\n\nWritten: {args.work_dir}/ablation.json, ablation.md")


if __name__ == "__main__":
    sys.exit(launch.run(main))
