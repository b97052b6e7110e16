"""Evaluate a checkpoint: ``python tools/test.py CONFIG CHECKPOINT [--out FILE] [--budget AMOUNT] ...``."""

import argparse
import sys

from mmengine.dist import is_main_process

from elva.apis.budget import apply_budget, realised
from elva.utils import launch
from elva.utils.results import check_out, write_results


def parse_args() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description="Test a video language model.")
    launch.add_common_arguments(parser)
    parser.add_argument("checkpoint", help="checkpoint file")
    parser.add_argument("--budget", metavar="AMOUNT", help="of an answer's prefill: 6TFLOPs, 500ms or 2048tokens")
    parser.add_argument(
        "--calibration", metavar="FILE", help="measured times for --budget ...ms (default: in the user's cache)"
    )
    parser.add_argument("--out", metavar="FILE", help="write results to FILE: .json, or .jsonl (predictions alone)")
    return parser.parse_args()


def main() -> None:
    """Read the config, test, and write what was found."""
    args = parse_args()
    if args.out:
        check_out(args.out)
    launch.local_rank(args)
    cfg = launch.load_config(args)
    if cfg.get("test_dataloader") is None:
        raise ValueError(f"{args.config} has no test_dataloader, test_cfg and test_evaluator: nothing to test.")
    plan = apply_budget(cfg, args.budget, args.calibration) if args.budget else None
    cfg.resume, cfg.load_from = False, args.checkpoint
    cfg.strategy = None  # generating takes each process its own number of steps: each has the whole model
    launch.set_resume(cfg, None)
    runner = launch.build_runner(cfg)
    if plan is not None and is_main_process():
        print(plan.words())
    metrics = runner.test()
    records = launch.records(runner)
    if plan is not None and is_main_process():
        spent = realised(plan, records)
        metrics |= spent
        print(*(f"{name}: {plan.budget.words(value)}" for name, value in spent.items()), sep="\n")
    if args.out and is_main_process():
        write_results(args.out, metrics, records)


if __name__ == "__main__":
    sys.exit(launch.run(main))
