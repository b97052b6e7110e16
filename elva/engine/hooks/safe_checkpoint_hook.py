"""Saves the new checkpoint before it deletes the old one."""

from typing import Any

from mmengine.dist import is_main_process
from mmengine.hooks import CheckpointHook

from elva.registry import HOOKS
from elva.utils.checkpoint import require_space


@HOOKS.register_module()
class SafeCheckpointHook(CheckpointHook):
    """MMEngine's ``CheckpointHook``, which never leaves you without a checkpoint.

    It makes sure before training that one checkpoint fits on the disk, and deletes the oldest of ``max_keep_ckpts``
    after the newest is written (MMEngine: before, so that a full disk costs both).

    Args:
        **kwargs: ``interval``, ``by_epoch``, ``max_keep_ckpts``, ``save_best``, ... of ``CheckpointHook``.
    """

    max_keep_ckpts: int

    def before_train(self, runner: Any) -> None:
        """Find the place for the checkpoints.

        Raises:
            OSError: (``ENOSPC``) if it has no room for one.
        """
        super().before_train(runner)
        if is_main_process():
            trained = [p for p in runner.model.parameters() if p.requires_grad]
            # Adam, the usual optimizer, keeps two moments of each trained weight
            needed = sum(w.nbytes for w in runner.model.state_dict().values()) + 2 * sum(p.nbytes for p in trained)
            require_space(runner.work_dir, needed, "a checkpoint (weights and optimizer)")

    def _save_checkpoint_with_step(self, runner: Any, step: int, meta: dict[str, Any]) -> None:
        if self.max_keep_ckpts <= 0:
            super()._save_checkpoint_with_step(runner, step, meta)
            return
        kept = [s for s in self.keep_ckpt_ids if s != step] + [step]
        self.keep_ckpt_ids.extend([] if step in self.keep_ckpt_ids else [step])  # a deque of that length
        runner.message_hub.update_info("keep_ckpt_ids", list(self.keep_ckpt_ids))
        limit, self.max_keep_ckpts = self.max_keep_ckpts, -1
        try:
            super()._save_checkpoint_with_step(runner, step, meta)
        finally:
            self.max_keep_ckpts = limit
        for outdated in kept[:-limit] if is_main_process() else []:
            path = self.file_backend.join_path(self.out_dir, self.filename_tmpl.format(outdated))
            if self.file_backend.isfile(path):
                self.file_backend.remove(path)
