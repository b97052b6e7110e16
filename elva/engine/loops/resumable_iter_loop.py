"""Iteration-based training that resumes at the right sample without decoding the ones before it."""

from collections import deque
from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any

from mmengine.dist import get_world_size
from mmengine.logging import print_log
from mmengine.runner import BaseLoop
from torch.utils.data import DataLoader

from elva.registry import LOOPS

_SEEN = "samples_seen"
"""Where the message hub, and so a checkpoint, keeps how many samples were trained on."""


@LOOPS.register_module()
class ResumableIterLoop(BaseLoop):
    """Train for a number of iterations; ``train_cfg=dict(type='ResumableIterLoop', max_iters=..., val_interval=...)``.

    MMEngine's ``IterBasedTrainLoop`` resumes by drawing, and so decoding, every batch that was already trained on:
    hours on video. Here the sampler's indices are drawn instead, a million a second. How many samples were seen is kept
    in the checkpoint, so a resumed run goes on at the right one with any number of workers, and with another batch size
    or number of ranks as well (where the ranks do not divide what was seen, fewer samples than there are ranks come
    twice). The workers start in ``run``, after the hooks' ``before_train``, so that they inherit what the hooks set
    (signal handlers, the skip log).

    Args:
        runner: The runner; given by it.
        dataloader: A dataloader or its config; its sampler is an ``InfiniteSampler`` or ``ShardSampler`` (or has
            ``indices`` like them).
        max_iters: Iterations in all, those before a resume included.
        val_begin: First iteration that may be followed by validation. Default: 1.
        val_interval: Iterations between validations; one more follows the last iteration. Default: 1000.

    Raises:
        ValueError: If the sampler ends, or does not say which sample comes next.
    """

    def __init__(
        self,
        runner: Any,
        dataloader: DataLoader[Any] | dict[str, Any],
        max_iters: int,
        val_begin: int = 1,
        val_interval: int = 1000,
    ) -> None:
        super().__init__(runner, dataloader)
        if not hasattr(self.dataloader.sampler, "indices") or self.dataloader.batch_size is None:
            raise ValueError(
                f"train_dataloader has a {type(self.dataloader.sampler).__name__} and batch size "
                f"{self.dataloader.batch_size}; training by iterations needs a fixed batch_size and "
                "sampler=dict(type='InfiniteSampler', shuffle=True), which never ends and can be resumed."
            )
        self.max_iters, self.val_begin, self.val_interval = max_iters, val_begin, val_interval
        self.max_epochs = 1  # the hooks of MMEngine see one long epoch
        self.stop_training = False  # EarlyStoppingHook sets it
        self._epoch, self._iter = 0, 0  # Runner.resume sets both
        self._samples = 0  # seen so far, by all ranks
        self.runner.visualizer.dataset_meta = getattr(self.dataloader.dataset, "metainfo", None)

    @property
    def epoch(self) -> int:
        """Always 0: the whole training is one epoch."""
        return self._epoch

    @property
    def iter(self) -> int:
        """Iterations done."""
        return self._iter

    def run(self) -> Any:
        """Train to ``max_iters``, validating in between; returns the model."""
        self.runner.call_hook("before_train")
        self.runner.call_hook("before_train_epoch")
        batches = self._batches()
        try:
            while self._iter < self.max_iters and not self.stop_training:
                self.runner.model.train()
                self.run_iter(self._guarded(next, batches))
                if self._validates():
                    self._guarded(self.runner.val_loop.run)
        finally:
            self.runner.call_hook("on_train_exit")  # after an error as well, where MMEngine calls no hook
        del batches  # ends the workers that are not persistent
        self.runner.call_hook("after_train_epoch")
        self.runner.call_hook("after_train")
        return self.runner.model

    def run_iter(self, data_batch: Any) -> None:
        """One training step, with its hooks."""
        self.runner.call_hook("before_train_iter", batch_idx=self._iter, data_batch=data_batch)
        outputs = self.runner.model.train_step(data_batch, optim_wrapper=self.runner.optim_wrapper)
        self._samples += self._step
        self.runner.message_hub.update_info(_SEEN, self._samples)  # the hook that follows may save a checkpoint
        self.runner.call_hook("after_train_iter", batch_idx=self._iter, data_batch=data_batch, outputs=outputs)
        self._iter += 1

    def _guarded(self, step: Callable[..., Any], *arguments: Any) -> Any:
        """Do ``step``, which reads data; a signal that ended the workers too is not an error but a stop."""
        try:
            return step(*arguments)
        except (RuntimeError, OSError, EOFError):  # the last two: a worker ended while it handed over a batch
            self.runner.call_hook("on_lost_workers")
            raise

    def _validates(self) -> bool:
        due = self._iter % self.val_interval == 0 or self._iter == self.max_iters
        return self.runner.val_loop is not None and self._iter >= self.val_begin and due

    @property
    def _step(self) -> int:
        """Samples of an iteration, of all ranks."""
        return self.dataloader.batch_size * get_world_size()

    def _batches(self) -> Iterator[Any]:
        """An iterator over the batches that come after those of the first ``iter`` iterations."""
        if self._iter:
            self._samples = self.runner.message_hub.get_info(_SEEN, self._iter * self._step)
            passed = self._samples // get_world_size()
            print_log(f"Resuming after {self._iter} iterations: {passed} samples passed over undecoded.", "current")
            deque(islice(self.dataloader.sampler.indices, passed), maxlen=0)
        return iter(self.dataloader)
