"""Caption an annotation file anew with a model behind an OpenAI-compatible endpoint.

``python tools/dataset_tools/recaption.py data/train.json --out data/recaptioned.jsonl --model NAME --base-url URL``

The key is read from the environment variable OPENAI_API_KEY. After Ctrl-C or a kill, the same command goes on where it
was; samples that failed are listed in OUT.failed.jsonl, and asked for again with --retry-failed. See docs/recaption.md.
"""

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from elva.apis.recaption import Job, Limits, Prices, Protocol, RayOptions, Report, Rules, recaption
from elva.apis.recaption.language import LANGUAGES
from elva.utils import launch


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    parser.add_argument("annotation", type=Path, help="any annotation file that training reads")
    parser.add_argument("--out", type=Path, required=True, metavar="FILE.jsonl", help="captions, in LLaVA's form")
    parser.add_argument("--data-root", default="", metavar="DIR", help="what paths in the annotation are relative to")
    parser.add_argument("--format", metavar="TYPE", help="of the rows; default: found by their keys")
    parser.add_argument("--retry-failed", action="store_true", help="ask again for samples that failed before")
    parser.add_argument("--write-only", action="store_true", help="ask nothing; write what the journal has")
    parser.add_argument("--mix-protocols", action="store_true", help="accept captions of other settings in the file")
    _add_asking(parser.add_argument_group("what is asked (recorded in OUT.protocol.json)"))
    _add_rules(parser.add_argument_group("which replies are kept"))
    _add_limits(parser.add_argument_group("how hard the endpoint is asked"))
    _add_ray(parser.add_argument_group("where it runs"))
    return parser.parse_args(argv)


def _add_asking(group: Any) -> None:
    group.add_argument("--model", required=True, help="the endpoint's name of it")
    group.add_argument("--base-url", metavar="URL", help="default: OPENAI_BASE_URL, or else OpenAI's")
    group.add_argument("--prompt", help="text, with {frames}, {seconds} and {raw_caption} filled in")
    group.add_argument("--prompt-file", type=Path, metavar="FILE", help="the same from a file")
    group.add_argument("--system", default="", metavar="TEXT", help="the system's text; default: none")
    group.add_argument("--frames", type=int, default=8, metavar="N", help="of each video, evenly spread; default: 8")
    group.add_argument("--max-side", type=int, default=512, metavar="PX", help="of a frame; default: 512")
    group.add_argument("--quality", type=int, default=90, help="of the JPEG images; default: 90")
    group.add_argument("--reader", default="DecordReader", metavar="TYPE", help="default: DecordReader")
    group.add_argument("--max-tokens", type=int, default=512, metavar="N", help="of a reply; default: 512")
    group.add_argument("--temperature", type=float, default=0.2, help="default: 0.2")
    group.add_argument("--extra-body", default="{}", metavar="JSON", help="more fields of the body; null removes one")


def _add_rules(group: Any) -> None:
    group.add_argument("--min-words", type=int, default=5, metavar="N", help="default: 5")
    group.add_argument("--max-words", type=int, default=400, metavar="N", help="default: 400")
    group.add_argument("--language", default="en", help=f"{', '.join(LANGUAGES)}, any; default: en")
    group.add_argument("--max-repetition", type=float, default=0.4, metavar="SHARE", help="default: 0.4")


def _add_limits(group: Any) -> None:
    group.add_argument("--concurrency", type=int, default=16, metavar="N", help="requests in flight; default: 16")
    group.add_argument("--rpm", type=float, default=0, metavar="N", help="requests a minute; default: no limit")
    group.add_argument("--tpm", type=float, default=0, metavar="N", help="tokens a minute; default: no limit")
    group.add_argument("--timeout", type=float, default=120, metavar="S", help="of a request; default: 120")
    group.add_argument("--attempts", type=int, default=6, metavar="N", help="while the endpoint fails; default: 6")
    group.add_argument("--rejections", type=int, default=2, metavar="N", help="replies rejected; default: 2")
    group.add_argument("--backoff", type=float, default=1, metavar="S", help="first wait, then doubled; default: 1")
    group.add_argument("--max-wait", type=float, default=300, metavar="S", help="of any wait; default: 300")
    group.add_argument(
        "--give-up", type=int, default=32, metavar="N", help="stop when it fails so many samples in a row; default: 32"
    )
    group.add_argument("--grace", type=float, default=5, metavar="S", help="of requests when stopped; default: 5")
    group.add_argument("--price-in", type=float, default=0, metavar="$", help="of a million tokens of prompts")
    group.add_argument("--price-out", type=float, default=0, metavar="$", help="of a million tokens of replies")


def _add_ray(group: Any) -> None:
    group.add_argument("--engine", choices=["local", "ray"], default="local", help="default: local, this process")
    group.add_argument("--decoders", type=int, default=4, metavar="N", help="threads that read videos; default: 4")
    group.add_argument("--ray-address", metavar="ADDRESS", help="of a cluster, such as auto; default: start one here")
    group.add_argument("--ray-actors", type=int, default=4, metavar="N", help="processes that ask; default: 4")
    group.add_argument("--ray-cpus", type=float, default=1, metavar="N", help="for each of them; default: 1")
    group.add_argument("--ray-block", type=int, default=256, metavar="N", help="samples taken at once; default: 256")


def job_of(args: argparse.Namespace) -> Job:
    """What the command line says.

    Raises:
        FileNotFoundError: If there is no such prompt file.
        ValueError: If values do not fit.
    """
    ray = RayOptions(args.ray_address, args.ray_actors, args.ray_cpus, args.ray_block)
    return Job(
        annotation=args.annotation,
        out=args.out,
        protocol=_protocol(args),
        data_root=args.data_root,
        format={"type": args.format} if args.format else None,
        base_url=args.base_url,
        limits=Limits(
            concurrency=args.concurrency,
            requests_per_minute=args.rpm,
            tokens_per_minute=args.tpm,
            timeout=args.timeout,
            attempts=args.attempts,
            rejections=args.rejections,
            backoff=args.backoff,
            max_wait=args.max_wait,
            give_up=args.give_up,
        ),
        prices=Prices(args.price_in, args.price_out),
        decoders=args.decoders,
        grace=args.grace,
        retry_failed=args.retry_failed,
        mix_protocols=args.mix_protocols,
        write_only=args.write_only,
        ray=ray if args.engine == "ray" else None,
    )


def _protocol(args: argparse.Namespace) -> Protocol:
    if args.prompt and args.prompt_file:
        raise ValueError("--prompt and --prompt-file both name the prompt: give one of them.")
    prompt = args.prompt_file.read_text(encoding="utf-8") if args.prompt_file else args.prompt
    try:
        extra_body = json.loads(args.extra_body)
    except json.JSONDecodeError as error:
        raise ValueError(f"--extra-body is not JSON: {error}") from error
    if not isinstance(extra_body, dict):
        raise ValueError(f"--extra-body must be an object, such as '{{\"top_p\": 0.9}}', got {args.extra_body}")
    return Protocol(
        model=args.model,
        **({"prompt": prompt} if prompt is not None else {}),
        system=args.system,
        frames=args.frames,
        max_side=args.max_side,
        quality=args.quality,
        reader=args.reader,
        max_tokens=args.max_tokens,
        temperature=args.temperature,
        extra_body=extra_body,
        rules=Rules(args.min_words, args.max_words, args.language, args.max_repetition),
    )


def summary(job: Job, report: Report) -> str:
    """What is told at the end."""
    cost = f", ${job.prices.cost(report.spent):.2f}" if job.prices.cost(report.spent) else ""
    spent = f"{report.spent.requests} requests, {report.spent.tokens_in} tokens in, {report.spent.tokens_out} out{cost}"
    lines = [f"{report.done} of {report.total} samples have captions ({spent} in all runs)."]
    if report.failed:
        reasons = ", ".join(f"{count} {reason}" for reason, count in report.tally.failed.most_common())
        now = f" (now: {reasons})" if reasons else ""
        lines.append(f"{report.failed} failed{now}: {job.beside('failed.jsonl')}. Ask again with --retry-failed.")
    if not report.signum:
        lines.append(f"Written: {job.out}")
    return "\n".join(lines)


def main(argv: list[str] | None = None) -> None:
    """Caption, and say how it went."""
    job = job_of(parse_args(argv))
    report = recaption(job)
    print(summary(job, report))
    if report.signum:
        print(f"\nInterrupted with {report.left} samples left; the same command goes on from here.", file=sys.stderr)
        sys.exit(128 + report.signum)


if __name__ == "__main__":
    sys.exit(launch.run(main))
