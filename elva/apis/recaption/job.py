"""What a run is told."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .outcome import Spent
from .pace import Limits
from .protocol import Protocol


@dataclass(frozen=True)
class Prices:
    """What tokens cost, in dollars a million. Default: 0, not known.

    Attributes:
        tokens_in: Of prompts.
        tokens_out: Of replies.
    """

    tokens_in: float = 0.0
    tokens_out: float = 0.0

    def cost(self, spent: Spent) -> float:
        """Dollars."""
        return (spent.tokens_in * self.tokens_in + spent.tokens_out * self.tokens_out) / 1e6


@dataclass(frozen=True)
class RayOptions:
    """How the work is spread over a Ray cluster.

    Attributes:
        address: Of the cluster. Default: one is started on this machine.
        actors: Processes that ask; limits and concurrency are shared out among them. Default: 4.
        cpus: That Ray reckons for each. Default: 1.
        block: Samples that an actor takes at once. Default: 256.
    """

    address: str | None = None
    actors: int = 4
    cpus: float = 1.0
    block: int = 256

    def __post_init__(self) -> None:
        if self.actors < 1 or self.block < 1 or self.cpus < 0:
            raise ValueError(f"Ray needs at least one actor, and blocks of at least one sample, got {self}")


@dataclass(frozen=True)
class Job:
    """What to caption, how, and where to.

    Attributes:
        annotation: The annotation file.
        out: The JSONL file to write; what belongs to it stands beside it: ``<out>.journal/``, ``<out>.failed.jsonl``,
            ``<out>.protocol.json``.
        protocol: What is asked and accepted.
        data_root: What paths in the annotation are relative to.
        format: Config of the rows' format. Default: found by their keys.
        base_url: The endpoint. Default: the variable ``OPENAI_BASE_URL``, or else OpenAI's.
        limits: How hard it is asked.
        prices: Of tokens.
        decoders: Threads that read videos, in each process. Default: 4.
        grace: Seconds that requests in flight get when the run is stopped. Default: 5.
        retry_failed: Ask again for samples that failed in an earlier run.
        mix_protocols: Accept captions made with other settings in the same file.
        write_only: Ask nothing; write what the journal has.
        ray: Spread over a Ray cluster. Default: no.
    """

    annotation: Path
    out: Path
    protocol: Protocol
    data_root: str = ""
    format: dict[str, Any] | None = None
    base_url: str | None = None
    limits: Limits = field(default_factory=Limits)
    prices: Prices = field(default_factory=Prices)
    decoders: int = 4
    grace: float = 5.0
    retry_failed: bool = False
    mix_protocols: bool = False
    write_only: bool = False
    ray: RayOptions | None = None

    def __post_init__(self) -> None:
        if self.decoders < 1:
            raise ValueError(f"decoders must be at least 1, got {self.decoders}")
        if self.out.suffix != ".jsonl":
            raise ValueError(f"out must be named .jsonl, which it is written in, got {self.out}")
        if self.out.resolve() == self.annotation.resolve():
            raise ValueError(f"{self.out} is the annotation itself: name another file to write to")
        if self.base_url is not None and not self.base_url.startswith(("http://", "https://")):
            raise ValueError(f"the endpoint's address must begin with http:// or https://, got '{self.base_url}'")

    def beside(self, what: str) -> Path:
        """The path of what belongs to ``out``: ``'journal'``, ``'failed.jsonl'``, ``'protocol.json'``."""
        return self.out.with_name(f"{self.out.name}.{what}")
