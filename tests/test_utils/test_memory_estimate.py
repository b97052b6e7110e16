import pytest
import torch
from torch import nn

from elva.models.llms import HFDecoder
from elva.structures import Kind, SequenceState, SourceMap
from elva.utils.memory_estimate import activation_bytes, cache_bytes, logit_bytes, state_bytes

ROWS = 512
SHAPE = {
    "model_type": "qwen2",
    "hidden_size": 64,
    "intermediate_size": 160,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "vocab_size": 101,
}


def decoder(depth: int, **options) -> HFDecoder:
    return HFDecoder(config={**SHAPE, "num_hidden_layers": depth}, **options).train()


def bytes_kept(llm: HFDecoder, autocast: bool) -> int:
    """What autograd keeps of a forward pass, weights and their 16-bit copies left out."""
    row = torch.arange(ROWS)[None]
    valid = torch.ones(1, ROWS, dtype=torch.bool)
    h = torch.randn(1, ROWS, 64, requires_grad=True, dtype=llm.model.dtype)
    state = SequenceState(h, row, row, row.float(), row, row, row * 0 + Kind.TEXT, valid, SourceMap.identity(valid))
    weights = {tuple(p.shape) for p in llm.parameters()} | {tuple(p.shape[::-1]) for p in llm.parameters()}
    kept = {}

    def note(tensor: torch.Tensor) -> torch.Tensor:
        if tuple(tensor.shape) not in weights:
            kept[tensor.untyped_storage()._cdata] = tensor.untyped_storage()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(note, lambda t: t), torch.autocast("cpu", enabled=autocast):
        llm(state)
    return sum(storage.nbytes() for storage in kept.values())


@pytest.mark.parametrize(
    ("dtype", "autocast", "residual", "element"),
    [("float32", False, 4, 4), ("float32", True, 4, 2), ("bfloat16", False, 2, 2)],
)
@pytest.mark.parametrize("recomputed", [False, True])
def test_activations_are_those_that_autograd_keeps(dtype, autocast, residual, element, recomputed):
    shallow, deep = (decoder(depth, dtype=dtype, gradient_checkpointing=recomputed) for depth in (2, 6))
    measured = bytes_kept(deep, autocast) - bytes_kept(shallow, autocast)
    estimated = activation_bytes(deep, [ROWS] * 6, recomputed, residual, element) - activation_bytes(
        shallow, [ROWS] * 2, recomputed, residual, element
    )
    assert estimated == pytest.approx(measured, rel=0.05)


def test_checkpointing_adds_the_layer_that_is_computed_again():
    llm = decoder(4)
    full = activation_bytes(llm, [100, 50, 50, 50], recomputed=False)
    kept = activation_bytes(llm, [100, 50, 50, 50], recomputed=True)
    assert kept == 250 * 2 * 64 * 4 + 100 * full / 250


class Toy(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.ModuleList([nn.Linear(10, 10, bias=False), nn.Linear(10, 10, bias=False)])
        self.frozen = nn.Linear(10, 5, bias=False).requires_grad_(False)


def test_state_counts_weights_gradients_and_moments():
    parts = state_bytes(Toy(), moments=2)
    assert parts == {"weights": 1000, "copy to compute in": 0, "gradients": 800, "optimizer": 1600}
    assert state_bytes(Toy(), low_precision=True)["copy to compute in"] == 500


def test_sharding_divides_all_but_two_units_and_what_is_in_none():
    model = Toy()
    parts = state_bytes(model, moments=2, shards=4, low_precision=True, units=list(model.layers))
    assert parts == {"weights": 250, "copy to compute in": 2 * (50 + 2 * 100), "gradients": 200, "optimizer": 400}


def test_weights_of_16_bits_need_no_copy():
    assert state_bytes(Toy().bfloat16(), low_precision=True)["copy to compute in"] == 0


def test_logits_and_cache():
    llm = decoder(2)
    assert logit_bytes(llm, rows=3) == 3 * 101 * (4 + 8)
    assert cache_bytes(llm, [10, 5], element=2) == 15 * 2 * 32 * 2
