"""What flex does beside the numbers, which test_kernels.py compares: blocks, backward pass, what it leaves to sdpa."""

import importlib

import pytest
import torch
from torch.nn.attention import flex_attention as torch_flex

from elva.models.attention import AttnMask, base, flex, sdpa
from elva.models.attention.flex import BLOCK, block_mask
from elva.structures import PAD_RANK
from tests.test_models.test_attention.masks import MASKS, gradients, make_inputs

module = importlib.import_module("elva.models.attention.flex")
LENGTH = 5 * BLOCK + 37


def long_mask(kind: str) -> AttnMask:
    """Two samples of some blocks, the second padded."""
    rows = torch.arange(LENGTH)
    rank = {"causal": rows, "frames": rows // 150 * 150 + 149, "streaming": rows + 200 * (rows % 7 == 0)}[kind]
    rank = torch.stack((rank, torch.where(rows < 3 * BLOCK - 9, rank, PAD_RANK)))
    return AttnMask(rank, rank, rank < PAD_RANK)


def reached(mask):
    """(B, Q, K) what the block mask lets through: whole blocks, and of the others what its rule says."""
    blocks = block_mask(mask)
    b, q, k = torch.meshgrid(*(torch.arange(n) for n in (2, *blocks.seq_lengths)), indexing="ij")
    rule = blocks.mask_mod(b, torch.zeros_like(b), q, k)
    whole, partly = (torch.zeros(2, *(-(-n // BLOCK) for n in blocks.seq_lengths), dtype=torch.bool) for _ in "ab")
    for grid, count, index in (
        (whole, blocks.full_kv_num_blocks, blocks.full_kv_indices),
        (partly, blocks.kv_num_blocks, blocks.kv_indices),
    ):
        listed = torch.arange(index.shape[3]) < count[:, 0, :, None]
        grid.scatter_(2, index[:, 0].long(), listed)
    at = b, q // BLOCK, k // BLOCK
    assert not (whole & partly).any()
    return whole[at] | (partly[at] & rule), whole, partly


@pytest.mark.parametrize("window", [None, 100, 300])
@pytest.mark.parametrize("kind", ["causal", "frames", "streaming"])
def test_blocks_let_through_what_the_mask_shows(kind, window):
    mask = long_mask(kind).windowed(window)
    seen, _, _ = reached(mask)
    real = (mask.q_rank < PAD_RANK)[..., None]
    assert torch.equal(seen & real, mask.dense[:, 0] & real)
    assert seen.any(-1).all()  # a padded query that saw nothing would be NaN


def test_blocks_that_show_nothing_are_skipped_and_whole_ones_are_not_looked_into():
    _, whole, partly = reached(long_mask("causal"))
    assert torch.equal(partly[0], torch.eye(6, dtype=torch.bool))
    assert torch.equal(whole[0], torch.ones(6, 6, dtype=torch.bool).tril(-1))
    _, whole, partly = reached(long_mask("causal").windowed(BLOCK))
    assert torch.equal((whole | partly)[0], torch.ones(6, 6, dtype=torch.bool).tril().triu(-1))
    _, whole, partly = reached(long_mask("frames"))
    assert bool((whole | partly)[0, 0, 1])  # the first frame ends in the second block
    assert not bool((whole | partly)[0, 0, 2])


def test_rows_of_several_blocks():
    random = torch.Generator().manual_seed(0)
    q, k, v = torch.randn(3, 2, 1, LENGTH, 16, generator=random)
    for kind in ("causal", "frames", "streaming"):
        mask = long_mask(kind)
        real = mask.k_valid[:, None, :, None].expand_as(q)
        got, expected = (kernel(q, k, v, mask, 0.3)[real] for kernel in (flex, sdpa))
        torch.testing.assert_close(got, expected, atol=1e-4, rtol=0)


@pytest.mark.parametrize("kind", MASKS)
def test_the_backward_pass_of_the_rule_is_right(kind, monkeypatch):
    """PyTorch refuses one on a CPU when the forward pass begins, but has one for uncompiled runs."""
    monkeypatch.setattr(torch_flex, "_validate_device", lambda *args: None)
    expected = gradients(sdpa, MASKS[kind])
    got = gradients(lambda *args: module.attend(module._uncompiled, *args), MASKS[kind])
    for a, b in zip(got, expected, strict=True):
        torch.testing.assert_close(a, b, atol=1e-4, rtol=0)


@pytest.mark.parametrize(("lacks", "dropout"), [("backward pass on a CPU", 0.0), ("dropout", 0.1)])
def test_what_it_cannot_do_sdpa_does_and_the_log_says_so(lacks, dropout, monkeypatch):
    said = []
    monkeypatch.setattr(module, "say_once", said.append)
    q, k, v = (x.requires_grad_(not dropout) for x in make_inputs())
    torch.manual_seed(0)
    out = flex(q, k, v, MASKS["two-way in a frame"], 0.3, dropout)
    torch.manual_seed(0)
    assert torch.equal(out, sdpa(q, k, v, MASKS["two-way in a frame"], 0.3, dropout))
    assert said == [f"attention='flex': flex_attention has no {lacks}; 'sdpa' is used instead."]


def test_a_message_is_said_once(monkeypatch):
    lines = []

    class Logger:
        warning = info = staticmethod(lines.append)

    monkeypatch.setattr(base.MMLogger, "get_current_instance", lambda: Logger)
    base.say_once.cache_clear()
    for message in ("a", "b", "a"):
        base.say_once(message)
    base.say_once.cache_clear()
    assert lines == ["a", "b"]
