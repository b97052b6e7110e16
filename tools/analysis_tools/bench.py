"""Measure speed against its targets: ``python tools/analysis_tools/bench.py [--only NAME ...] [--json FILE]``."""

import argparse
import os
import platform
import sys
from dataclasses import asdict
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # tools/ is no installed package

from elva.registry import register_all_modules
from elva.utils.json_file import add_json, write_json
from elva.utils.report_text import table
from tools.analysis_tools.benchmarks import BENCHMARKS, Result


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description="Measure speed against its targets; exit status 1 if one is missed.")
    parser.add_argument("--only", nargs="+", choices=list(BENCHMARKS), default=list(BENCHMARKS), help="default: all")
    add_json(parser)
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> int:
    """Run the benchmarks one after another; returns the exit status."""
    args = parse_args(argv)
    register_all_modules()
    print(f"{platform.processor() or platform.machine()}, {torch.get_num_threads()} threads, torch {torch.__version__}")
    results = []
    for name in args.only:
        print(f"{name} ...", flush=True)
        results += BENCHMARKS[name]()
        for key, value in results[-1].details.items():
            print(f"    {key}: {value:,.3g}")
    print(f"\n{summary(results)}\n\nLoad of the machine at the end: {os.getloadavg()[0]:.1f}")
    write_json(args.json, [asdict(r) | {"met": r.met} for r in results])
    return 0 if all(result.met for result in results) else 1


def summary(results: list[Result]) -> str:
    """A table: what was measured, what it should be, whether it is."""
    rows = [("benchmark", "target", "measured", "")]
    for r in results:
        sign, verdict = ("≥" if r.at_least else "≤"), ("met" if r.met else "MISSED")
        rows.append((r.name, f"{sign} {r.target:g}", f"{r.measured:.3f}", verdict))
    return table(rows, align="<>><")


if __name__ == "__main__":
    sys.exit(main())
