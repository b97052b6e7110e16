"""Train a model: ``python tools/train.py CONFIG [--work-dir DIR] [--resume [PATH]] [--amp] [--dry-run] ...``."""

import argparse
import sys

from elva.utils import launch


def parse_args() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description="Train a video language model.")
    launch.add_common_arguments(parser)
    parser.add_argument(
        "--resume",
        nargs="?",
        const="auto",
        metavar="PATH",
        help="continue from a checkpoint (default: the newest one in the work dir)",
    )
    parser.add_argument("--no-validate", action="store_true", help="do not evaluate during training")
    parser.add_argument(
        "--dry-run", action="store_true", help="build nothing but shapes; print parameters, tokens, FLOPs and memory"
    )
    return parser.parse_args()


def main() -> None:
    """Read the config, and train or estimate."""
    args = parse_args()
    launch.local_rank(args)
    cfg = launch.load_config(args)
    if cfg.get("train_dataloader") is None:
        raise ValueError(f"{args.config} has no train_dataloader: it is a config for testing alone.")
    if args.no_validate:
        cfg.val_cfg = cfg.val_dataloader = cfg.val_evaluator = None
    if args.dry_run:
        from elva.apis.dry_run import dry_run

        print(dry_run(cfg))
        return
    launch.set_resume(cfg, args.resume)
    launch.build_runner(cfg).train()


if __name__ == "__main__":
    sys.exit(launch.run(main))
