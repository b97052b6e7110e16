import pytest
import torch

from elva.models.tokenizers.projector import build_projector, random_pixels, rescale


@pytest.mark.parametrize("kind", ["linear", "mlp2x_gelu"])
def test_rescaled_output_has_the_rms_asked_for(kind):
    projector, x = build_projector(kind, 8, 12), torch.randn(50, 8)
    rescale(projector[-1], lambda: projector(x), 0.3)
    assert projector(x).shape == (50, 12)
    assert projector(x).square().mean().sqrt().item() == pytest.approx(0.3, rel=1e-4)


def test_nothing_is_measured_on_meta():
    with torch.device("meta"):
        projector = build_projector("linear", 8, 12)
    rescale(projector[-1], lambda: pytest.fail("measured"), 0.3)
    assert all(parameter.is_meta for parameter in projector.parameters())


def test_random_pixels_leave_the_global_generator_alone():
    state = torch.get_rng_state()
    assert torch.equal(random_pixels(2, 4), random_pixels(2, 4))
    assert random_pixels(2, 4).shape == (8, 2, 3, 16, 16)
    assert torch.equal(torch.get_rng_state(), state)
