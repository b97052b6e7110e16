"""The whole journey of a video, from pixels to losses or to text: read it from top to bottom.

Legend: B samples, V videos, T text ids or frames, L rows, C channels.
"""

from collections.abc import Sequence
from functools import cached_property
from typing import Any

import torch
from mmengine.dist import get_world_size
from mmengine.model import BaseModel
from torch import Tensor, nn
from torch.nn import functional as F

from elva.models.llms import Assembly, Choices, Sampling, Trace, assemble, generate
from elva.models.mergers import Merger
from elva.models.reducers import ReduceContext, TokenReducer, check_chain, signals
from elva.models.teachers import FeatureCache, cached_features, teacher_frames
from elva.registry import LLMS, MERGERS, MODELS, REDUCERS, SUPERVISORS, TEACHERS, TOKENIZERS
from elva.structures import Clip, SequenceState, VideoQASample, VideoTokens
from elva.utils.text_tokenizer import VIDEO_PAD, load_text_tokenizer, stop_ids

from .data_preprocessor import IGNORE

Config = dict[str, Any]


@MODELS.register_module()
class VideoLLM(BaseModel):
    """A video language model of exchangeable parts.

    Args:
        tokenizer: Config of the video tokenizer (``TOKENIZERS``); its ``out_channels`` is set to the model's width.
        llm: Config of the language model (``LLMS``).
        merger: Config of the merger inside it (``MERGERS``). Default: none.
        reducers: Configs of the reducers before it (``REDUCERS``), applied in order. Default: none.
        teacher: Config of the frozen teacher (``TEACHERS``). Default: none.
        teacher_cache: Keys of :class:`FeatureCache`: keep the teacher's features on disk. Not for pipelines that change
            pixels at random. Default: none are kept.
        supervisors: Configs of the losses against the teacher (``SUPERVISORS``). Default: none.
        text_tokenizer: Directory of the text tokenizer. Default: ``llm.path``.
        generation: Keys of :class:`Sampling`. Default: greedy, at most 32 tokens.
        trainable: Prefixes of the parameters that are trained (``('tokenizer', 'supervisors')`` for a warm-up of the
            new parts alone). Default: all that their parts do not freeze themselves.
        data_preprocessor: Config of the data preprocessor (``MODELS``).
    """

    optional_prefixes = ("supervisors.", "teacher.")
    """Parts that a checkpoint may have or lack: they guide the training and are not in the trained product."""

    new_prefixes = ("merger.", "reducers.")
    """Parts that the checkpoint a training starts from may lack: another merger may have weights of its own."""

    def __init__(
        self,
        tokenizer: Config,
        llm: Config,
        merger: Config | None = None,
        reducers: Sequence[Config] = (),
        teacher: Config | None = None,
        teacher_cache: Config | None = None,
        supervisors: Sequence[Config] = (),
        text_tokenizer: str | None = None,
        generation: Config | None = None,
        trainable: Sequence[str] | None = None,
        data_preprocessor: Config | None = None,
    ) -> None:
        super().__init__(data_preprocessor=MODELS.build(data_preprocessor or {"type": "VideoDataPreprocessor"}))
        if supervisors and teacher is None:
            raise ValueError("model.supervisors compare with a teacher: give model.teacher, or no supervisors")
        self.llm = LLMS.build(llm)
        width = self.llm.hidden_size
        self.tokenizer = TOKENIZERS.build({**tokenizer, "out_channels": width})
        self.exchange(merger, reducers)
        self.teacher = TEACHERS.build(teacher) if teacher else None
        self.teacher_cache = FeatureCache(**teacher_cache) if teacher_cache else None
        sizes = {"in_channels": width, "teacher_channels": self.teacher.channels} if self.teacher else {}
        self.supervisors = nn.ModuleList(SUPERVISORS.build({**s, **sizes}) for s in supervisors)
        self.text_tokenizer_path = text_tokenizer or llm.get("path")
        self.sampling = Sampling(**(generation or {}))
        if trainable is not None:
            for name, parameter in self.named_parameters():
                parameter.requires_grad_(parameter.requires_grad and name.startswith(tuple(trainable)))
        if torch.get_default_device().type != "meta":
            self.llm.fit_vocabulary(len(self.text_tokenizer) if self.text_tokenizer_path else 0)
            self.tokenizer.match_scale(self.llm.embedding_rms())

    def exchange(self, merger: Config | None = None, reducers: Sequence[Config] = ()) -> None:
        """Put another merger and other reducers in place of those that are there.

        Raises:
            ValueError: If they do not fit together, the tokenizer does not give what a reducer needs, or ``reducers``
                is no list.
        """
        if not isinstance(reducers, Sequence):
            raise ValueError(f"model.reducers={reducers}: give a list, also of a single one: [dict(type=...)]")
        offered = {"in_channels": self.llm.hidden_size}
        parts: list[TokenReducer] = [REDUCERS.build_with(reducer, **offered) for reducer in reducers]
        self.merger: Merger | None = MERGERS.build_with(merger, **offered) if merger else None
        check_chain(self.tokenizer, parts, self.merger)
        self.reducers, self.signals = nn.ModuleList(parts), signals(parts)

    @cached_property
    def text_tokenizer(self) -> Any:
        """The Hugging Face text tokenizer."""
        if self.text_tokenizer_path is None:
            raise ValueError("The model has no text tokenizer: give model.text_tokenizer, or model.llm.path")
        return load_text_tokenizer(self.text_tokenizer_path)

    def forward(
        self, inputs: dict[str, Any], data_samples: list[VideoQASample] | None = None, mode: str = "tensor"
    ) -> dict[str, Tensor] | list[VideoQASample] | SequenceState:
        """Run a batch of the data preprocessor.

        Args:
            inputs: ``clips``, ``ids``, ``valid`` and ``labels``, see :class:`VideoDataPreprocessor`.
            data_samples: The samples; predictions are written into them.
            mode: ``'loss'`` gives named losses (and numbers for the log), ``'predict'`` the samples with their
                predictions, ``'tensor'`` the last state of the sequence.
        """
        if mode == "loss":
            return self.loss(inputs)
        if mode == "predict":
            return self.predict(inputs, data_samples or [])
        return self.llm(self.assemble(inputs)[0].state, self.merger)

    def assemble(self, inputs: dict[str, Any]) -> tuple[Assembly, VideoTokens | None]:
        """Pixels and text become one sequence; also the visual tokens that went into it."""
        return self.assemble_ids(inputs, self.text_tokenizer.convert_tokens_to_ids(VIDEO_PAD))

    def assemble_ids(self, inputs: dict[str, Any], video_id: int) -> tuple[Assembly, VideoTokens | None]:
        """``assemble``, with ``video_id`` as the placeholder of a video; no text tokenizer is needed."""
        ids, valid = inputs["ids"], inputs["valid"]
        tokens = self.tokenizer(inputs["clips"], self.signals) if inputs["clips"] else None
        if tokens is not None:
            tokens = self._reduce(tokens, inputs, video_id)
        return assemble(self.llm.embed, ids, valid, tokens, video_id, self.llm.frame_mask), tokens

    def loss(self, inputs: dict[str, Any]) -> dict[str, Tensor]:
        """Named losses of a batch, and numbers for the log.

        Raises:
            ValueError: If the batch has no labels; or if it has no video while other processes wait for the
                supervisors' part of it.
        """
        if inputs["labels"] is None:
            raise ValueError("mode='loss' needs labels: give TokenizeConversation mode='train' in the pipeline")
        assembly, tokens = self.assemble(inputs)
        trace = Trace()
        state = self.llm(assembly.asking(inputs["labels"]), self.merger, trace=trace)
        targets = state.src.gather(assembly.targets(inputs["labels"]), state.h.shape[1], IGNORE)
        some = targets != IGNORE
        total = F.cross_entropy(self.llm.logits(state.h[some]).float(), targets[some], reduction="sum")
        losses = {"loss_gen": total / some.sum().clamp(min=1)}  # 0, not NaN, where every answer was cut off
        if self.supervisors and tokens is None and get_world_size() > 1:
            raise ValueError(
                "A batch without any video or image came to model.supervisors, whose losses are gathered over all "
                "processes. Train on text alone without supervisors (stage 3), or mix less text into a batch."
            )
        if self.supervisors and tokens is not None:
            assert assembly.placement is not None
            losses |= self.supervise(assembly.placement.recover(state, tokens), inputs["clips"])
        return losses | trace.log_vars()

    def supervise(self, student: VideoTokens, clips: Sequence[Clip]) -> dict[str, Tensor]:
        """Losses of the hidden states of the visual tokens against the teacher's features."""
        assert self.teacher is not None
        frames_VTCHW, unit_VT = teacher_frames(
            clips, self.teacher.image_size, self.data_preprocessor.denormalise, self.tokenizer.tubelet
        )
        if self.teacher_cache is None:
            features = self.teacher(frames_VTCHW)
        else:
            features = cached_features(self.teacher_cache, self.teacher, clips, frames_VTCHW)
        losses: dict[str, Tensor] = {}
        for supervisor in self.supervisors:
            losses |= supervisor(student, features, unit_VT)
        return losses

    @torch.no_grad()
    def predict(self, inputs: dict[str, Any], data_samples: list[VideoQASample]) -> list[VideoQASample]:
        """Write an answer into each sample: generated text, or, where it has ``choices``, the likeliest of them."""
        choices = Choices(self.text_tokenizer, data_samples)
        assembly, _ = self.assemble(inputs)
        trace = Trace()
        stops = stop_ids(self.text_tokenizer)
        answers = generate(self.llm, assembly.state, stops, self.sampling, self.merger, trace=trace, choices=choices)
        texts = self.text_tokenizer.batch_decode(answers, skip_special_tokens=True)
        rows = torch.stack(trace.rows, dim=1).tolist()
        for sample, text, tokens_per_layer in zip(data_samples, texts, rows, strict=True):
            sample.prediction = text.strip()
            sample.stats["tokens_per_layer"] = tokens_per_layer
        choices.write()
        return data_samples

    def _reduce(self, tokens: VideoTokens, inputs: dict[str, Any], video_id: int) -> VideoTokens:
        if not len(self.reducers):
            return tokens
        place_BT = inputs["ids"] == video_id
        sample_V = place_BT.nonzero()[:, 0]
        context = ReduceContext(
            text_VTC=self.llm.embed(inputs["ids"].masked_fill(place_BT, 0))[sample_V],
            text_valid_VT=(inputs["valid"] & ~place_BT)[sample_V],
            clips=inputs["clips"],
            denormalise=self.data_preprocessor.denormalise,
        )
        for reducer in self.reducers:
            tokens = reducer(tokens, context)
        return tokens
