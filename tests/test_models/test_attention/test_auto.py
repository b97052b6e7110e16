import importlib

import pytest
import torch

from elva.models.attention import auto, eager, sdpa
from elva.models.attention.auto import choose
from tests.test_models.test_attention.masks import MASKS, make_inputs, mask_of

module = importlib.import_module("elva.models.attention.auto")
LONG = torch.arange(2000)[None]


@pytest.fixture
def there(monkeypatch):
    """Says what is installed."""

    def install(triton: bool, xformers: bool) -> None:
        monkeypatch.setattr(module, "has_triton", lambda: triton)
        monkeypatch.setattr(module, "why_not", lambda: None if xformers else "missing")

    return install


@pytest.mark.parametrize(
    ("device", "kind", "dropout", "triton", "xformers", "expected"),
    [
        ("cuda", "causal", False, True, True, "sdpa"),
        ("cuda", "ragged causal, sized", False, True, True, "sdpa"),
        ("cuda", "step", False, True, True, "sdpa"),
        ("cuda", "ragged step", False, True, True, "sdpa"),
        ("cuda", "two-way in a frame", False, True, True, "flex"),
        ("cuda", "more rows, sized", False, True, False, "flex"),
        ("cuda", "window", True, True, True, "xformers"),
        ("cuda", "streaming", False, False, True, "xformers"),
        ("cuda", "streaming", False, False, False, "sdpa"),
        ("mps", "streaming", False, True, True, "sdpa"),
        ("cpu", "streaming", False, True, True, "sdpa"),
    ],
)
def test_the_choice_by_device_mask_and_what_is_there(there, device, kind, dropout, triton, xformers, expected):
    there(triton, xformers)
    assert choose(device, torch.bfloat16, MASKS[kind], False, dropout)[0] == expected


@pytest.mark.parametrize(
    ("dtype", "trains", "mask", "expected"),
    [
        (torch.bfloat16, True, MASKS["causal"], "eager"),
        (torch.bfloat16, False, MASKS["causal"], "sdpa"),
        (torch.float32, True, MASKS["causal"], "sdpa"),
        (torch.bfloat16, True, None, "sdpa"),
    ],
)
def test_on_a_cpu_few_rows_in_16_bits_are_trained_with_attention_written_out(dtype, trains, mask, expected):
    long = module.AttnMask(LONG, LONG, LONG >= 0, causal=True)
    assert choose("cpu", dtype, mask or long, trains)[0] == expected


def test_it_does_what_the_chosen_kernel_does_and_says_so(monkeypatch):
    said = []
    monkeypatch.setattr(module, "say_once", lambda message, warn: said.append((message, warn)))
    mask = mask_of(torch.tensor([[0, 3, 3, 3, 6, 6, 6]]).expand(2, -1))
    inputs = make_inputs()
    assert torch.equal(auto(*inputs, mask, 0.3), sdpa(*inputs, mask, 0.3))
    half = [x.bfloat16().requires_grad_() for x in inputs]
    assert torch.equal(auto(*half, mask, 0.3), eager(*half, mask, 0.3))
    assert [message.split(",")[0] for message, _ in said] == [
        "attention='auto': 'sdpa' on cpu",
        "attention='auto': 'eager' on cpu",
    ]
    assert not any(warn for _, warn in said)
