"""The two classes that lmms-eval asks: for tasks in its chat form, the default, and in its simple form."""

import json
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from tempfile import TemporaryDirectory
from typing import Any

import torch
from accelerate import Accelerator
from lmms_eval.api.instance import GenerationResult, Instance, TokenCounts
from lmms_eval.api.model import lmms
from lmms_eval.utils import simple_parse_args_string
from loguru import logger
from tqdm import tqdm

from elva.apis.inferencer import VideoInferencer
from elva.apis.question_item import Item
from elva.registry import check_arguments
from elva.structures import VideoQASample

from .generation import UNDERSTOOD, cut, sampling_keys, stops
from .items import MediaFolder, chat_item, simple_item

Key = tuple[str, int]
"""Generation kwargs as JSON, and how often the request was met before."""


class Elva(lmms):
    """ELVA for tasks in lmms-eval's simple form (``--force_simple``): a text and a list of visuals.

    Generation kwargs are taken from these, in this order: ``--gen_kwargs``, the task, the arguments here, the config.

    Args:
        pretrained: A work dir of ``tools/train.py``, or a copy of one.
        config: In its place: a config file, and
        checkpoint: its weights.
        frames: Frames of a video. Default: the config's.
        frame_rule: Which ones: ``'lmms-eval'``, ``'vlmevalkit'``, ``'segment-centres'``. Default: the config's.
        max_new_tokens: Default: the config's.
        temperature: Default: the config's, which is usually 0.
        top_p: Default: the config's.
        workers: Processes that read videos ahead. Default: 0.
        max_skip_share: Share of a task's documents whose video may be unreadable (one always may); they are answered
            with the empty text. Default: 0.01.
        cfg_options: Values by dotted key that replace the config's: a dict, or its JSON text. Default: none.
        batch_size: Questions that go through the model together; lmms-eval's ``--batch_size``. Default: 1.
        max_batch_size: For lmms-eval alone; not used.
        device: lmms-eval's ``--device``. Default: the GPU of this process if there is one.

    Raises:
        FileNotFoundError: If a file is not there.
        ValueError: If an argument does not exist, or is out of range.
    """

    is_simple = True

    def __init__(
        self,
        pretrained: str | None = None,
        config: str | None = None,
        checkpoint: str | None = None,
        frames: int | None = None,
        frame_rule: str | None = None,
        max_new_tokens: int | None = None,
        temperature: float | None = None,
        top_p: float | None = None,
        workers: int = 0,
        max_skip_share: float = 0.01,
        cfg_options: Mapping[str, Any] | str | None = None,
        batch_size: int | str | None = 1,
        max_batch_size: int | None = None,
        device: str | None = None,
    ) -> None:
        super().__init__()
        del max_batch_size
        if not str(batch_size or 1).isdigit():
            raise ValueError(f"--batch_size {batch_size}: give a number; ELVA does not look for one by itself")
        self.accelerator = Accelerator()
        self._rank, self._world_size = self.accelerator.process_index, self.accelerator.num_processes
        several = self._world_size > 1
        self.device = self.accelerator.device if several or device is None else torch.device(device)
        generation = {"max_new_tokens": max_new_tokens, "temperature": temperature, "top_p": top_p}
        self.inferencer = VideoInferencer(
            config=config,
            checkpoint=checkpoint,
            pretrained=pretrained,
            device=self.device,
            frames=frames,
            frame_rule=frame_rule,
            batch_size=int(batch_size or 1),
            workers=workers,
            cfg_options=json.loads(cfg_options) if isinstance(cfg_options, str) else cfg_options,
            **{key: value for key, value in generation.items() if value is not None},
        )
        self.max_skip_share = max_skip_share
        self._images = TemporaryDirectory(prefix="elva_lmms_eval_")
        self.media = MediaFolder(self._images.name)

    @classmethod
    def create_from_arg_string(cls, arg_string: str, additional_config: dict[str, Any] | None = None) -> "Elva":
        """Build from ``--model_args``.

        Raises:
            ValueError: If an argument does not exist; the nearest one is named.
        """
        check_arguments(cls, simple_parse_args_string(arg_string))
        return super().create_from_arg_string(arg_string, additional_config)

    def generate_until(self, requests: list[Instance]) -> list[GenerationResult]:
        """Answer ``requests``; the results are in their order."""
        groups: dict[Key, list[int]] = defaultdict(list)
        asked: Counter[int] = Counter()
        for index, request in enumerate(requests):
            if not request.metadata.get("__padding_only__"):  # evens the processes out; nobody looks at the answer
                groups[json.dumps(self._kwargs(request), sort_keys=True), asked[id(request)]].append(index)
                asked[id(request)] += 1
        self._warn_of_unknown(json.loads(kwargs) for kwargs, _ in groups)
        results = [GenerationResult("")] * len(requests)
        skipped: dict[str, str] = {}
        with tqdm(total=len(requests), desc="elva", disable=self.rank != 0) as bar:
            for key, places in groups.items():
                until = stops(json.loads(key[0]))
                answers = self._answers([requests[place] for place in places], key)
                for place, sample in zip(places, answers, strict=True):
                    self._check_skipped(_name(requests[place]), sample, skipped, len(requests))
                    results[place] = _result(sample, until)
                    bar.update()
        return results

    def loglikelihood(self, requests: list[Instance]) -> list[GenerationResult]:
        """Return, for each request, its continuation's loss and whether greedy decoding gives that continuation.

        The pair is inside of a ``GenerationResult``: of a plain one, lmms-eval 0.7.3's evaluator makes a string, and
        then cannot read it (``unwrap_generation_output``).

        lmms-eval's interface speaks of a log-probability, but its models return the mean loss of the continuation's
        tokens (the one that ends it among them), and its ``multiple_choice`` tasks choose the **lowest** value: so
        does this one. The continuations of one question share one prefill.

        Raises:
            ValueError: If a video cannot be read: a value of no meaning would choose an option all the same.
        """
        groups: dict[tuple[Any, ...], list[int]] = defaultdict(list)
        for index, request in enumerate(requests):
            groups[request.args[0], *request.args[3:]].append(index)
        results = [GenerationResult("")] * len(requests)
        for places in tqdm(groups.values(), desc="elva", disable=self.rank != 0):
            item = self._item(requests[places[0]])
            scores = self.inferencer.score(item, [self._continuation(requests[place]) for place in places])
            self.media.discard(item["videos"])
            for place, score in zip(places, scores, strict=True):
                results[place] = GenerationResult((-score.log_probability / score.tokens, score.greedy))
        return results

    def generate_until_multi_round(self, requests: list[Instance]) -> list[str]:
        """Refuse: there is nobody in ELVA's prompts to hold a dialogue with.

        Raises:
            NotImplementedError: Always.
        """
        tasks = ", ".join(sorted({str(request.task_name) for request in requests}))
        raise NotImplementedError(f"ELVA answers one question at a time; it cannot run multi-round tasks ({tasks}).")

    def clean(self) -> None:
        """Give back the model's memory and the images' space; lmms-eval calls it when all is answered."""
        del self.inferencer
        self._images.cleanup()
        super().clean()

    def _answers(self, requests: Sequence[Instance], key: Key) -> Iterator[VideoQASample]:
        """Answers to requests of the same generation kwargs; a request met again gets other random numbers."""
        sampling = sampling_keys(json.loads(key[0]))
        sampling["seed"] = sampling.get("seed", self.inferencer.sampling.seed) + key[1]
        for sample in self.inferencer.answer(_Items(requests, self._item), **sampling):
            self.media.discard(sample.videos)
            yield sample

    def _check_skipped(self, name: str, sample: VideoQASample, skipped: dict[str, str], total: int) -> None:
        """Note a sample that could not be used; too many of them are a mistake of the set-up."""
        if "error" not in sample.stats:
            return
        skipped[name] = sample.stats["error"]
        logger.warning(f"{name} is answered with the empty text: {sample.stats['error']}")
        if len(skipped) > max(1, int(self.max_skip_share * total)):
            listed = "\n".join(f"  {which}: {error}" for which, error in skipped.items())
            raise ValueError(
                f"{len(skipped)} of {total} documents cannot be used, more than max_skip_share={self.max_skip_share} "
                f"allows. Check where the task looks for its videos:\n{listed}"
            )

    def _warn_of_unknown(self, kwargs: Iterable[Mapping[str, Any]]) -> None:
        unknown = {key for given in kwargs for key, value in given.items() if value is not None} - UNDERSTOOD
        if unknown:
            logger.warning(f"Generation kwargs that ELVA does not know are not heeded: {', '.join(sorted(unknown))}")

    def _kwargs(self, request: Instance) -> dict[str, Any]:
        """The generation kwargs of a request for text."""
        kwargs: dict[str, Any] = request.args[1]
        return kwargs

    def _item(self, request: Instance) -> Item:
        """What a request asks, as the pipeline takes it."""
        context, *rest = request.args
        if len(rest) == 1:  # a continuation whose likelihood without any question is asked for
            return simple_item(self.media, _name(request), context, None)
        return simple_item(self.media, _name(request), context, rest[1](self._doc(request)))

    def _continuation(self, request: Instance) -> str:
        """The text that is scored: what stands before a word in running text does not begin a reply."""
        target = request.args[1]
        return str(target(self._doc(request)) if callable(target) else target).strip()

    def _doc(self, request: Instance) -> Any:
        doc_id, task, split = request.args[-3:]
        return self.task_dict[task][split][doc_id]


class ElvaChat(Elva):
    """ELVA for tasks in lmms-eval's chat form: turns in which text, images and videos take turns."""

    is_simple = False

    def _kwargs(self, request: Instance) -> dict[str, Any]:
        kwargs: dict[str, Any] = request.args[2]
        return kwargs

    def _item(self, request: Instance) -> Item:
        return chat_item(self.media, _name(request), request.args[1](self._doc(request)))


class _Items(Sequence[Item]):
    """The items of requests, each made when it is asked for: images in memory are not written long before."""

    def __init__(self, requests: Sequence[Instance], make: Callable[[Instance], Item]) -> None:
        self.requests = requests
        self.make = make

    def __len__(self) -> int:
        return len(self.requests)

    def __getitem__(self, index: Any) -> Any:
        return self.make(self.requests[index])


def _name(request: Instance) -> str:
    return f"{request.task_name}-{request.doc_id}-{request.idx}"


def _result(sample: VideoQASample, until: Sequence[str]) -> GenerationResult:
    """The answer up to the text that ends it, and how many tokens the model was asked with."""
    rows = sample.stats.get("tokens_per_layer")
    counts = TokenCounts(input_tokens=int(rows[0])) if rows else None
    return GenerationResult(cut(sample.prediction or "", until), counts)
