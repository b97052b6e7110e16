import pytest
import torch

from elva.models.mergers import RandomDrop, Site
from elva.models.mergers.random_drop import noise
from elva.testing import make_prompt, tiny_decoder
from elva.testing.case import SAMPLES, run

SITE = Site(2, "pre_attn")


def test_it_drops_its_share_at_each_of_its_layers(bare_prompt):
    merger = RandomDrop((1, 3), ratio=0.3)
    _, trace = run(tiny_decoder(), bare_prompt((5, 5)), merger)
    rows = [int(s.visual.sum()) for s in trace.states]
    assert rows == merger.schedule(25, 4) == [25, 18, 18, 13]


def test_the_seed_decides_in_evaluation_and_each_call_in_training():
    state = make_prompt(tiny_decoder(), SAMPLES).state
    merger = RandomDrop().eval()
    kept = merger(state, SITE).pos
    assert torch.equal(merger(state, SITE).pos, kept)
    assert not torch.equal(RandomDrop(seed=1).eval()(state, SITE).pos, kept)
    assert not torch.equal(RandomDrop((3,)).eval()(state, Site(3, "pre_attn")).pos, kept)
    torch.manual_seed(0)
    merger.train()
    assert not torch.equal(merger(state, SITE).pos, merger(state, SITE).pos)


def test_every_row_is_as_likely_to_go_as_the_next(bare_prompt):
    """Counted over seeds, a row's stays are binomial: 400 halves have a standard deviation of 10."""
    state = bare_prompt((5, 5), (5, 5))
    stays = torch.zeros(55)
    for seed in range(400):
        kept = RandomDrop(seed=seed).eval()(state, SITE)
        stays[kept.pos[0]] += 1
    assert (stays[[0, 1, 2, 53, 54]] == 400).all(), "text stays"
    assert (stays[3:53] - 200).abs().max() < 45
    assert 7 < (stays[3:53] - 200).std() < 13


def test_noise_is_even_and_the_same_for_a_number_wherever_it_stands():
    numbers = torch.arange(20000)
    x = noise(numbers, seed=3)
    assert x.dtype == torch.float32
    assert 0 <= float(x.min()) < float(x.max()) <= 1
    assert torch.histc(x, 10, 0, 1).sub(2000).abs().max() < 200
    assert abs(float(torch.corrcoef(torch.stack((x[1:], x[:-1])))[0, 1])) < 0.03
    assert abs(float(torch.corrcoef(torch.stack((x, noise(numbers, seed=4))))[0, 1])) < 0.03
    assert torch.equal(noise(numbers.view(4, -1).flip(1), 3).flip(1).flatten(), x)
    assert noise(numbers, seed=2**31 * 1009).isfinite().all()


def test_settings_out_of_range_are_refused():
    with pytest.raises(ValueError, match="RandomDrop: ratio=1.0 .*give 0 to 0.99"):
        RandomDrop(ratio=1.0)
    with pytest.raises(ValueError, match=r"RandomDrop: acts at the layers \[2\], but the language model has only 2"):
        RandomDrop().sites(2)
