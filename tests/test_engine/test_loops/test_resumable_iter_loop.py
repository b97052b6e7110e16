from itertools import islice

import pytest
from mmengine.runner import Runner
from torch.utils.data import BatchSampler, DataLoader

from elva.engine.loops import ResumableIterLoop
from tests.test_engine.toy import ToyData, toy_config, train


@pytest.mark.parametrize("workers", [0, 1])
def test_resumed_run_equals_an_uninterrupted_one(tmp_path, workers):
    options = dict(train_dataloader__num_workers=workers, default_hooks__checkpoint__interval=7)
    whole = train(toy_config(tmp_path / "whole", **options)).model.losses
    first = toy_config(tmp_path / "parts", **options)
    first.train_cfg.max_iters = 7
    train(first)
    second = train(toy_config(tmp_path / "parts", resume=True, **options)).model.losses
    assert len(whole) == 12
    assert second == whole[7:]


def test_resuming_decodes_nothing_that_was_trained_on(tmp_path):
    first = toy_config(tmp_path)
    first.train_cfg.max_iters = 7
    seen = train(first).train_dataloader.dataset.seen
    after = train(toy_config(tmp_path, resume=True)).train_dataloader.dataset.seen
    assert len(seen) == 14
    assert len(after) == 10
    uninterrupted = train(toy_config(tmp_path / "whole")).train_dataloader.dataset.seen
    assert seen + after == uninterrupted


def test_validates_at_the_interval_and_at_the_end(tmp_path):
    runner = train(toy_config(tmp_path, train_cfg__val_interval=5, train_cfg__val_begin=6))
    modes = [mode for mode, _ in runner.model.ratios]
    assert [i for i in range(1, len(modes)) if modes[i] == "predict" and modes[i - 1] == "loss"] == [10, 15]
    assert modes.count("predict") == 6


def test_early_stopping_ends_it(tmp_path):
    runner = Runner.from_cfg(toy_config(tmp_path))
    runner.train_loop.stop_training = True
    runner.train()
    assert runner.iter == 0


@pytest.mark.parametrize("options", [dict(batch_size=2), dict(batch_sampler=BatchSampler([0], 2, drop_last=True))])
def test_loader_that_ends_or_has_no_fixed_batch_is_refused(tmp_path, options):
    runner = Runner.from_cfg(toy_config(tmp_path))
    with pytest.raises(ValueError, match=r"training by iterations needs a fixed batch_size and .*InfiniteSampler"):
        ResumableIterLoop(runner, DataLoader(ToyData(), **options), max_iters=1)


def test_loop_is_found_by_its_name(tmp_path):
    assert isinstance(Runner.from_cfg(toy_config(tmp_path)).train_loop, ResumableIterLoop)


def test_of_several_ranks_each_passes_over_its_share(tmp_path, monkeypatch):
    runner = Runner.from_cfg(toy_config(tmp_path))
    runner.message_hub.update_info("samples_seen", 24)
    loop = runner.train_loop
    loop._iter = 6
    monkeypatch.setattr("elva.engine.loops.resumable_iter_loop.get_world_size", lambda: 2)
    expected = list(islice(Runner.from_cfg(toy_config(tmp_path / "whole")).train_loop.dataloader.sampler.indices, 13))
    loop._batches()
    assert next(loop.dataloader.sampler.indices) == expected[12]


def test_another_batch_size_goes_on_at_the_next_sample(tmp_path):
    whole = train(toy_config(tmp_path / "whole")).train_dataloader.dataset.seen
    first = toy_config(tmp_path / "parts", default_hooks__checkpoint__interval=6)
    first.train_cfg.max_iters = 6
    train(first)
    after = train(toy_config(tmp_path / "parts", resume=True, max_iters=9, train_dataloader__batch_size=4))
    assert after.train_dataloader.dataset.seen == whole[12:24]
    assert after.message_hub.get_info("samples_seen") == 24
