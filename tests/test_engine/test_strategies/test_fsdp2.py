import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from mmengine.runner import Runner
from torch import distributed, nn
from torch.distributed.tensor import DTensor

from elva.utils.launch import build_runner, end_processes
from tests.test_engine.toy import ToyModel, toy_config, train

ROOT = Path(__file__).parents[3]
CLIP = dict(max_norm=0.5)


def config(work_dir: Path, **changes):
    """The toy under FSDP2, in float32 so that it can be compared."""
    strategy = dict(type="FSDP2Strategy", units=["fc"], param_dtype="float32")
    cfg = toy_config(work_dir, val_cfg=None, val_dataloader=None, val_evaluator=None)
    cfg.merge_from_dict(dict(strategy=strategy, launcher="pytorch", default_hooks=dict(checkpoint=dict(interval=5))))
    cfg.optim_wrapper.clip_grad = dict(CLIP)
    cfg.merge_from_dict({key.replace("__", "."): value for key, value in changes.items()})
    return cfg


def run_in_two_processes(folder: Path) -> None:
    """What each of two processes does: 12 iterations in one go; 5 and the other 7 after a resume."""
    half = dict(train_dataloader__batch_size=1)
    build_runner(config(folder / "whole", **half)).train()
    first = config(folder / "parts", **half)
    first.train_cfg.max_iters = 5
    build_runner(first).train()
    build_runner(config(folder / "parts", resume=True, **half)).train()
    end_processes()


def load(path: Path) -> dict:
    return torch.load(path, weights_only=True)


def test_two_processes_train_resume_and_save_what_one_would(tmp_path):
    code = (
        f"import tests.test_engine.test_strategies.test_fsdp2 as t; t.run_in_two_processes(t.Path({str(tmp_path)!r}))"
    )
    (tmp_path / "script.py").write_text(code)
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node=2", "script.py"]
    env = {**os.environ, "PYTHONPATH": f"{ROOT}:{os.environ.get('PYTHONPATH', '')}", "OMP_NUM_THREADS": "1"}
    result = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr[-3000:]

    cfg = toy_config(tmp_path / "one")
    cfg.optim_wrapper.clip_grad = dict(CLIP)
    one = train(cfg)
    whole, parts = load(tmp_path / "whole/iter_12.pth"), load(tmp_path / "parts/iter_12.pth")
    for name, weight in one.model.state_dict().items():
        assert torch.allclose(whole["state_dict"][name], weight, atol=1e-6)
        assert torch.equal(parts["state_dict"][name], whole["state_dict"][name])
    norms = whole["message_hub"]["log_scalars"]["train/grad_norm"]["values"]
    assert torch.allclose(norms, torch.from_numpy(one.message_hub.get_scalar("train/grad_norm").data[0]), atol=1e-5)
    moment = one.optim_wrapper.optimizer.state[one.model.fc.weight]["exp_avg"]
    assert torch.allclose(whole["optimizer"]["state"]["fc.weight"]["exp_avg"], moment, atol=1e-6)

    tested = toy_config(tmp_path / "test", load_from=str(tmp_path / "whole/iter_12.pth"))
    Runner.from_cfg(tested).test()  # the guard lets it through: names and shapes are those of the undivided model


@pytest.fixture
def alone():
    """A process group of one: every code path, without a second process."""
    distributed.init_process_group("gloo", store=distributed.HashStore(), rank=0, world_size=1)
    yield
    distributed.destroy_process_group()


def test_weights_are_divided_and_computed_in_bfloat16(tmp_path, alone):
    cfg = config(tmp_path, optim_wrapper__type="MixedPrecisionOptimWrapper", strategy__param_dtype="bfloat16")
    runner = build_runner(cfg)
    runner.train()
    assert isinstance(runner.model.fc.weight, DTensor)
    assert runner.model.fc.weight.dtype is torch.float32
    assert runner.model.dtypes == {("loss", torch.bfloat16)}
    assert load(tmp_path / "iter_12.pth")["state_dict"]["fc.weight"].dtype is torch.float32


def test_frozen_weights_stay_and_are_saved(tmp_path, alone, monkeypatch):
    init = ToyModel.__init__

    def frozen(self, *args, **kwargs) -> None:
        init(self, *args, **kwargs)
        self.frozen = nn.Linear(3, 3).requires_grad_(False)

    monkeypatch.setattr(ToyModel, "__init__", frozen)
    build_runner(config(tmp_path)).train()
    build_runner(config(tmp_path, resume=True, train_cfg__max_iters=14)).train()
    first, last = load(tmp_path / "iter_12.pth")["state_dict"], load(tmp_path / "iter_14.pth")["state_dict"]
    assert torch.equal(first["frozen.weight"], last["frozen.weight"])
    assert not torch.equal(first["fc.weight"], last["fc.weight"])


def test_groups_with_learning_rates_of_their_own_resume(tmp_path, alone):
    rates = dict(optim_wrapper__paramwise_cfg=dict(bias_lr_mult=0.5))
    build_runner(config(tmp_path, **rates)).train()
    resumed = build_runner(config(tmp_path, resume=True, train_cfg__max_iters=14, **rates))
    resumed.train()
    assert [group["lr"] for group in resumed.optim_wrapper.optimizer.param_groups] == pytest.approx([0.01, 0.005])


def test_checkpoint_of_another_strategy_gives_weights_but_no_optimizer(tmp_path, alone):
    plain = toy_config(tmp_path)
    plain.train_cfg.max_iters = 5
    train(plain)
    runner = build_runner(config(tmp_path / "new", load_from=str(tmp_path / "iter_5.pth")))
    runner.train()
    with pytest.raises(ValueError, match="saved without FSDP2Strategy, and its optimizer cannot be divided"):
        build_runner(config(tmp_path, resume=True)).train()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (dict(strategy__units=["llm.*"]), r"strategy\.units: no module of ToyModel is called 'llm\.\*'"),
        (dict(strategy__param_dtype="float16"), "param_dtype is 'float16'; it must be 'bfloat16' or 'float32'"),
        (dict(strategy__param_dtype="bfloat16"), "param_dtype is 'bfloat16' but optim_wrapper computes in float32"),
    ],
)
def test_settings_that_do_not_go_together_are_refused(tmp_path, alone, changes, message):
    with pytest.raises(ValueError, match=message):
        build_runner(config(tmp_path, **changes)).train()


def test_scalar_parameter_is_named(tmp_path, alone, monkeypatch):
    init = ToyModel.__init__

    def scaled(self, *args, **kwargs) -> None:
        init(self, *args, **kwargs)
        self.scale = nn.Parameter(torch.tensor(1.0))

    monkeypatch.setattr(ToyModel, "__init__", scaled)
    with pytest.raises(ValueError, match=r"cannot divide scale: make it a tensor of shape \(1,\)"):
        build_runner(config(tmp_path)).train()


def test_it_does_not_test(tmp_path, alone):
    with pytest.raises(ValueError, match="only trains; test or evaluate with --cfg-options strategy=None"):
        build_runner(config(tmp_path)).test()


def test_without_a_launcher_it_says_so(tmp_path):
    with pytest.raises(ValueError, match="start with --launcher pytorch or slurm"):
        build_runner(config(tmp_path, launcher="none"))
