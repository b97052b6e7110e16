import pytest
import torch
from torch import nn

from elva.engine.optimizers import MixedPrecisionOptimWrapper
from elva.engine.optimizers.mixed_precision import autocast_dtype
from tests.test_engine.toy import toy_config, train


def wrapper(model: nn.Module, **options) -> MixedPrecisionOptimWrapper:
    return MixedPrecisionOptimWrapper(optimizer=torch.optim.SGD(model.parameters(), lr=1.0), **options)


def test_forward_is_in_bfloat16_weights_and_gradients_are_not():
    model = nn.Linear(4, 1, bias=False)
    optim = wrapper(model)
    with optim.optim_context(model):
        out = model(torch.ones(2, 4))
    assert out.dtype is torch.bfloat16
    out.float().sum().backward()
    assert model.weight.grad.dtype is torch.float32
    assert model(torch.ones(2, 4)).dtype is torch.float32


def test_step_is_that_of_plain_training():
    model = nn.Linear(4, 1, bias=False)
    start = model.weight.detach().clone()
    wrapper(model).update_params((model.weight * 2).sum())
    assert torch.equal(model.weight.detach(), start - 2)


def test_gradients_are_clipped():
    model = nn.Linear(4, 1, bias=False)
    start = model.weight.detach().clone()
    wrapper(model, clip_grad=dict(max_norm=1.0)).update_params((model.weight * 100).sum())
    assert (model.weight.detach() - start).norm().item() == pytest.approx(1.0, abs=1e-4)


def test_gradients_are_accumulated():
    model = nn.Linear(4, 1, bias=False)
    start = model.weight.detach().clone()
    optim = wrapper(model, accumulative_counts=2)
    optim.update_params((model.weight * 2).sum())
    assert torch.equal(model.weight.detach(), start)
    optim.update_params((model.weight * 4).sum())
    assert torch.allclose(model.weight.detach(), start - 3)


def test_state_survives_a_checkpoint_and_fits_plain_training():
    model = nn.Linear(4, 1)
    optim = MixedPrecisionOptimWrapper(optimizer=torch.optim.AdamW(model.parameters()))
    optim.update_params(model(torch.ones(1, 4)).sum())
    state = optim.state_dict()
    assert state["loss_scaler"] == {}
    other = MixedPrecisionOptimWrapper(optimizer=torch.optim.AdamW(model.parameters()))
    other.load_state_dict(state)
    assert other.optimizer.state[model.weight]["step"] == 1
    del state
    other.load_state_dict(torch.optim.AdamW(model.parameters()).state_dict())  # of a run without mixed precision


@pytest.mark.parametrize(
    ("name", "message"), [("float8", "must be one of bfloat16, float16"), ("float16", "needs a GPU and not a cpu")]
)
def test_dtype_that_cannot_be_is_refused(name, message):
    with pytest.raises(ValueError, match=message):
        autocast_dtype(name, "cpu")


def test_training_and_evaluation_are_in_the_same_precision(tmp_path):
    half = toy_config(tmp_path / "half", optim_wrapper__type="MixedPrecisionOptimWrapper", train_cfg__val_interval=12)
    assert train(half).model.dtypes == {("loss", torch.bfloat16), ("predict", torch.bfloat16)}
    full = toy_config(tmp_path / "full", train_cfg__val_interval=12)
    assert train(full).model.dtypes == {("loss", torch.float32), ("predict", torch.float32)}
