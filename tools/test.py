"""Evaluate a checkpoint: ``python tools/test.py CONFIG CHECKPOINT [--benchmark NAME] [--budget AMOUNT] ...``."""

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from mmengine.config import Config
from mmengine.dist import is_main_process

from elva.apis.benchmark import allow_missing, use_benchmark, use_frames
from elva.apis.budget import apply_budget, realised
from elva.engine.loops import EvaluationLoop
from elva.evaluation import AnswerMetric, score_table
from elva.utils import launch
from elva.utils.config_check import check_config
from elva.utils.results import check_out, write_results

_ASKING = ("test_dataloader.dataset.", "test_evaluator.")
"""Options that mean the benchmark's data set and metric, where there is one."""


def parse_args() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description="Test a video language model.")
    launch.add_common_arguments(parser)
    parser.add_argument("checkpoint", help="checkpoint file")
    parser.add_argument(
        "--benchmark", metavar="NAME", help="ask this benchmark's questions: a name, or a config file of your own"
    )
    parser.add_argument("--data-root", metavar="DIR", help="the benchmark's folder (default: the one in its config)")
    parser.add_argument("--frame-rule", metavar="RULE", help="lmms-eval, vlmevalkit or segment-centres")
    parser.add_argument("--frames", type=int, metavar="N", help="frames of a video")
    parser.add_argument(
        "--allow-missing", action="store_true", help="give a score although videos are missing; the table says so"
    )
    parser.add_argument("--budget", metavar="AMOUNT", help="of an answer's prefill: 6TFLOPs, 500ms or 2048tokens")
    parser.add_argument(
        "--calibration", metavar="FILE", help="measured times for --budget ...ms (default: in the user's cache)"
    )
    parser.add_argument("--out", metavar="FILE", help="write results to FILE: .json, or .jsonl (predictions alone)")
    return parser.parse_args()


def load_config(args: argparse.Namespace) -> Config:
    """The config with the options of the command line put into it, checked."""
    options = args.cfg_options or {}
    asking = {key: value for key, value in options.items() if args.benchmark and key.startswith(_ASKING)}
    args.cfg_options = {key: value for key, value in options.items() if key not in asking}
    cfg = launch.load_config(args)
    if cfg.get("test_dataloader") is None:
        raise ValueError(f"{args.config} has no test_dataloader, test_cfg and test_evaluator: nothing to test.")
    if args.data_root and not args.benchmark:
        raise ValueError("--data-root is the folder of a benchmark: name one with --benchmark.")
    if args.benchmark:
        use_benchmark(cfg, args.benchmark, args.data_root)
        cfg.merge_from_dict(asking)
    if args.frame_rule is not None or args.frames is not None:
        use_frames(cfg, args.frame_rule, args.frames)
    if args.allow_missing:
        allow_missing(cfg)
    check_config(cfg)
    return cfg


def main() -> None:
    """Read the config, test, and write what was found."""
    args = parse_args()
    if args.out:
        check_out(args.out)
    launch.local_rank(args)
    cfg = load_config(args)
    plan = apply_budget(cfg, args.budget, args.calibration) if args.budget else None
    cfg.resume, cfg.load_from = False, args.checkpoint
    cfg.strategy = None  # generating takes each process its own number of steps: each has the whole model
    launch.set_resume(cfg, None)
    runner = launch.build_runner(cfg)
    if plan is not None and is_main_process():
        print(plan.words())
    metrics = runner.test()
    if not is_main_process():
        return
    records = launch.records(runner)
    if plan is not None:
        spent = realised(plan, records)
        metrics |= spent
        print(*(f"{name}: {plan.budget.words(value)}" for name, value in spent.items()), sep="\n")
    report(runner, metrics)
    if args.out:
        write_results(args.out, metrics, records)


def report(runner: Any, metrics: dict[str, float]) -> None:
    """Print the scores, and write what is to be handed in, where the benchmark has such a thing."""
    work_dir = Path(runner.work_dir)
    for metric in runner.test_evaluator.metrics:
        if isinstance(metric, AnswerMetric):
            print(f"\n{score_table(metric, metrics)}")
    if isinstance(runner.test_loop, EvaluationLoop):
        print(f"\n  Answers: {work_dir / 'predictions.jsonl'}, protocol: {work_dir / 'protocol.json'}")
    dataset = runner.test_dataloader.dataset
    submission = dataset.submission(launch.records(runner)) if hasattr(dataset, "submission") else None
    path = work_dir / "submission.json"
    path.unlink(missing_ok=True)  # of another benchmark that was asked in this folder before
    if submission is not None:
        path.write_text(json.dumps(submission, ensure_ascii=False) + "\n", encoding="utf-8")
        print(f"  To be handed in: {path}")


if __name__ == "__main__":
    sys.exit(launch.run(main))
