"""Print a config with everything that it inherits: ``python tools/misc/print_config.py CONFIG [--cfg-options ...]``."""

import argparse
import sys

from elva.utils import launch


def main() -> None:
    """Read and print; what is misspelt is printed as well, ``tools/train.py`` finds it."""
    parser = argparse.ArgumentParser(description="Print the whole config.")
    parser.add_argument("config", help="config file")
    launch.add_cfg_options(parser)
    args = parser.parse_args()
    print(launch.read_config(args.config, args.cfg_options).pretty_text)


if __name__ == "__main__":
    sys.exit(launch.run(main))
