"""Write a tiny random Qwen2-layout language model and its tokenizer.

``python tools/model_tools/make_tiny_llm.py --out checkpoints/tiny_llm --texts data/moving_shapes/train_*.json``
"""

import argparse
from dataclasses import fields

from elva.utils.tiny_llm import TinyLLMSettings, make_tiny_llm


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter, allow_abbrev=False
    )
    parser.add_argument("--out", required=True, help="folder to write into")
    parser.add_argument("--texts", required=True, nargs="+", metavar="ANN", help="annotation files to train on")
    for field in fields(TinyLLMSettings):
        name = "--" + field.name.replace("_", "-")
        if isinstance(field.default, bool):
            parser.add_argument(name, action="store_true", help="see TinyLLMSettings")
        else:
            parser.add_argument(name, type=type(field.default), default=field.default, help="see TinyLLMSettings")
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> None:
    """Write the folder and say how large the model is."""
    args = parse_args(argv)
    settings = TinyLLMSettings(**{field.name: getattr(args, field.name) for field in fields(TinyLLMSettings)})
    parameters = make_tiny_llm(args.out, args.texts, settings)
    print(f"{args.out}: {parameters / 1e6:.2f} M parameters")


if __name__ == "__main__":
    main()
