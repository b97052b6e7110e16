"""Questions in, answers out: a trained model behind its own test pipeline."""

import copy
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config
from torch.utils.data import DataLoader, Dataset

from elva.datasets.collate import collate_samples
from elva.datasets.sampling.frame_rules import frame_rule as sampler_of
from elva.datasets.transforms import TokenizeConversation
from elva.engine.hooks.evaluation_precision_hook import evaluation_dtype
from elva.models.llms import Sampling
from elva.registry import INFERENCERS, TRANSFORMS, check_arguments
from elva.structures import VideoQASample
from elva.utils import launch

from .cost.sample import leaves, load_video
from .load_model import find_pretrained, load_model
from .question_item import Item, Videos, question_item
from .scoring import ReplyScore, reply_ids, score_replies


@INFERENCERS.register_module()
class VideoInferencer:
    """A trained model that answers questions about videos, as ``tools/test.py`` would have it answer them.

    Frames are chosen, text is tokenized and precision is set as the config has it for its tests.

    Args:
        config: A config file, or a loaded config, with a ``test_dataloader``; not beside ``pretrained``.
        checkpoint: Its weights. Default: those that the parts load themselves, see :func:`load_model`.
        pretrained: In place of both: a work dir of ``tools/train.py``, or a copy of one.
        device: Default: the GPU if there is one.
        frames: Frames of a video. Default: the config's.
        frame_rule: Which ones, a name in ``FRAME_RULES``. Default: the config's sampler; ``'lmms-eval'`` where only
            ``frames`` is given.
        batch_size: Questions that go through the model together. Default: 1: a batch changes the last bits of a
            model's numbers, and so, now and then, an answer.
        workers: Processes that read videos ahead. Default: 0, the videos of a batch are read when it is their turn.
        cfg_options: Values by dotted key that replace the config's, as ``--cfg-options``. Default: none.
        **generation: Keys of :class:`Sampling` that replace the config's ``model.generation``: ``max_new_tokens``,
            ``temperature``, ``top_p``, ``seed``.

    Raises:
        FileNotFoundError: If a file is not there.
        ValueError: If the config cannot test, or something given here does not exist in it.

    Example:
        >>> model = VideoInferencer(pretrained="work_dirs/demo/stage3")
        >>> model.ask("clip.mp4", "Which way does the red circle move?")
        'left'
    """

    def __init__(
        self,
        config: str | Path | Config | None = None,
        checkpoint: str | Path | None = None,
        pretrained: str | Path | None = None,
        device: str | torch.device | None = None,
        frames: int | None = None,
        frame_rule: str | None = None,
        batch_size: int = 1,
        workers: int = 0,
        cfg_options: Mapping[str, Any] | None = None,
        **generation: Any,
    ) -> None:
        if (config is None) == (pretrained is None) or (checkpoint is not None and pretrained is not None):
            raise ValueError("VideoInferencer: give config=... (and checkpoint=...), or pretrained=... alone")
        check_arguments(Sampling, generation)
        if batch_size < 1 or workers < 0:
            raise ValueError(f"VideoInferencer: batch_size={batch_size} (at least 1), workers={workers} (at least 0)")
        if pretrained is not None:
            config, checkpoint = find_pretrained(pretrained)
        cfg = copy.deepcopy(config) if isinstance(config, Config) else launch.read_config(str(config))
        cfg.merge_from_dict(dict(cfg_options or {}))
        self.transforms = [TRANSFORMS.build(step) for step in _test_pipeline(cfg, frames, frame_rule)]
        self.model = load_model(cfg, checkpoint, device)
        self.sampling = replace(self.model.sampling, **generation)
        self.batch_size, self.workers = batch_size, workers
        device_type = next(self.model.parameters()).device.type
        dtype = evaluation_dtype(cfg, device_type)
        self._precision = torch.autocast(device_type, dtype or torch.bfloat16, enabled=dtype is not None)

    def ask(self, videos: Videos, question: str, **generation: Any) -> str:
        """Return the answer to one question; arguments as in :meth:`__call__`."""
        return self([(videos, question)], **generation)[0]

    def __call__(self, questions: Sequence[tuple[Videos, str]], **generation: Any) -> list[str]:
        """Return the answer to each of ``questions``, in their order.

        Args:
            questions: Pairs of videos (a path, or several) and text, see :func:`question_item`.
            **generation: Keys of :class:`Sampling` for these questions alone.

        Raises:
            ValueError: If a video cannot be read, or the text has another number of tags than there are videos.
        """
        items = [question_item(videos, text, str(number)) for number, (videos, text) in enumerate(questions)]
        texts: list[str] = []
        for sample in self.answer(items, **generation):
            if "error" in sample.stats:
                raise ValueError(f"question {sample.id} ('{questions[len(texts)][1]}'): {sample.stats['error']}")
            texts.append(sample.prediction or "")
        return texts

    def answer(self, items: Sequence[Item], **generation: Any) -> Iterator[VideoQASample]:
        """Return the answers to ``items`` one by one, in their order, while they are being made.

        Where an item cannot be used, ``stats['error']`` says why, and there is no ``prediction``; ``id`` is its place.

        Args:
            items: Taken when it is their turn, in a worker process if there is one.
            **generation: Keys of :class:`Sampling` for these questions alone.
        """
        check_arguments(Sampling, generation)
        return self._answer(items, replace(self.sampling, **generation))

    def _answer(self, items: Sequence[Item], sampling: Sampling) -> Iterator[VideoQASample]:
        prepared = _Prepared(items, self.transforms)
        for batch in DataLoader(prepared, self.batch_size, collate_fn=list, num_workers=self.workers):
            usable = [sample for sample in batch if isinstance(sample, dict)]
            self.model.sampling = sampling
            with self._precision:
                answered = iter(self.model.test_step(collate_samples(usable)) if usable else [])
            yield from (next(answered) if isinstance(sample, dict) else sample for sample in batch)

    def score(self, item: Item, replies: Sequence[str]) -> list[ReplyScore]:
        """Return how likely the model finds each of ``replies`` as the answer to ``item``.

        Raises:
            ValueError: If the item cannot be used, or the pipeline has no ``TokenizeConversation``.
        """
        tokenize = next((step for step in self.transforms if isinstance(step, TokenizeConversation)), None)
        if tokenize is None:
            raise ValueError("the test pipeline has no TokenizeConversation: nothing says which ids an answer has")
        batch = collate_samples([_run(self.transforms, item)])
        with self._precision:
            inputs = self.model.data_preprocessor(batch)["inputs"]
            return score_replies(self.model, inputs, [reply_ids(tokenize, reply) for reply in replies])


class _Prepared(Dataset):
    """Items through a pipeline; those that cannot be used as samples with an error."""

    def __init__(self, items: Sequence[Item], transforms: Sequence[Any]) -> None:
        self.items = items
        self.transforms = transforms

    def __len__(self) -> int:
        return len(self.items)

    def __getitem__(self, index: int) -> dict[str, Any] | VideoQASample:
        try:
            return _run(self.transforms, self.items[index])
        except ValueError as error:
            return VideoQASample(str(index), stats={"error": str(error)})


def _run(transforms: Sequence[Any], item: Item) -> dict[str, Any]:
    for transform in transforms:
        item = transform(item)
    return item


def _test_pipeline(cfg: Config, frames: int | None, rule: str | None) -> list[dict[str, Any]]:
    """The configs of a test pipeline's steps, reading so many frames by such a rule."""
    if cfg.get("test_dataloader") is None:
        raise ValueError(
            f"{cfg.filename or 'The config'} has no test_dataloader: nothing says how a question is to be read. "
            "Take the config of a stage that is tested (stage 3)."
        )
    if frames is not None or rule is not None:
        load = load_video(cfg)
        count = load["sampler"].get("num_frames") if frames is None else frames
        if count is None:
            raise ValueError(
                f"frame_rule='{rule}': give frames as well, {load['sampler']['type']} has no number of them"
            )
        load["sampler"] = sampler_of(rule or "lmms-eval", count)
    part, _ = list(leaves(cfg.test_dataloader.dataset))[-1]
    pipeline: list[dict[str, Any]] = part.get("pipeline", [])
    return pipeline
