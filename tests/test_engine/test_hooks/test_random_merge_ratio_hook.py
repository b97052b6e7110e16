from collections import Counter

import pytest

from elva.engine.hooks import RandomMergeRatioHook
from elva.models.mergers import FrameFusion
from tests.test_engine.toy import toy_config, train

HOOK = dict(type="RandomMergeRatioHook", choices=(0.0, 0.25), seed=3)


def drawn(runner) -> list[float]:
    return [ratio for mode, ratio in runner.model.ratios if mode == "loss"]


def test_draws_for_training_and_restores_for_validation(tmp_path):
    runner = train(toy_config(tmp_path, max_iters=40, default_hooks__merge_ratio=HOOK, train_cfg__val_interval=10))
    assert set(Counter(drawn(runner))) == {0.0, 0.25}
    assert {ratio for mode, ratio in runner.model.ratios if mode == "predict"} == {0.5}
    assert runner.model.merger.ratio == 0.5
    assert runner.message_hub.get_scalar("train/merge/ratio").data[0].tolist() == drawn(runner)


def test_draws_the_same_after_a_resume(tmp_path):
    whole = drawn(train(toy_config(tmp_path / "whole", default_hooks__merge_ratio=HOOK)))
    first = toy_config(tmp_path / "parts", default_hooks__merge_ratio=HOOK)
    first.train_cfg.max_iters = 5
    second = toy_config(tmp_path / "parts", resume=True, default_hooks__merge_ratio=HOOK)
    assert drawn(train(first)) + drawn(train(second)) == whole


def test_seeds_differ(tmp_path):
    one, other = (
        drawn(train(toy_config(tmp_path / str(seed), default_hooks__merge_ratio=HOOK | dict(seed=seed))))
        for seed in (1, 2)
    )
    assert one != other


def test_without_choices_it_is_refused():
    with pytest.raises(ValueError, match="at least one ratio in 'choices'"):
        RandomMergeRatioHook(choices=())


def test_merger_without_a_ratio_is_refused(tmp_path):
    for merger, message in ((None, "there is no merger"), (FrameFusion(), "the merger is a FrameFusion, without one")):
        runner = type("Runner", (), {"model": type("Model", (), {"merger": merger})()})()
        with pytest.raises(ValueError, match=message):
            RandomMergeRatioHook().before_train(runner)
