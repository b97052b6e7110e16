import torch
from torch.nn import functional as F

from elva.models.reducers.segments import same_segment


def starts(together_TT):
    """The first frame of each segment."""
    return [t for t in range(len(together_TT)) if not together_TT[t, :t].any()]


def scenes(*lengths):
    torch.manual_seed(0)
    return torch.cat([torch.randn(1, 64).expand(n, -1) + 0.1 * torch.randn(n, 64) for n in lengths])[None]


def test_planted_scenes_are_found():
    frames = scenes(3, 5, 1, 4)
    stream = torch.zeros(1, 13, dtype=torch.long)
    for least, tau in ((1, 0.9), (4, -1.0), (4, 0.9)):
        together = same_segment(frames, stream, least, tau)[0]
        assert starts(together) == [0, 3, 8, 9]
        assert together.sum(1).tolist() == [3] * 3 + [5] * 5 + [1] + [4] * 4
    assert starts(same_segment(frames, stream, 1, -1.0)[0]) == [0]


def test_the_least_similar_transitions_are_cut_whatever_the_threshold():
    frames = torch.randn(1, 9, 16)
    cosine = F.cosine_similarity(frames[0, 1:], frames[0, :-1], dim=-1)
    expected = sorted([0, *(cosine.argsort()[:3] + 1).tolist()])
    assert starts(same_segment(frames, torch.zeros(1, 9, dtype=torch.long), 4, -1.0)[0]) == expected
    assert len(starts(same_segment(frames, torch.zeros(1, 9, dtype=torch.long), 20, -1.0)[0])) == 9


def test_streams_are_cut_by_themselves_and_frames_without_one_belong_nowhere():
    frames = scenes(2, 2).repeat_interleave(2, 1)
    together = same_segment(frames, torch.tensor([[0, 1, 0, 1, 0, 1, 0, -1]]), 1, 0.9)[0]
    assert together[0].nonzero()[:, 0].tolist() == [0, 2] and together[3].nonzero()[:, 0].tolist() == [1, 3]
    assert together[5].nonzero()[:, 0].tolist() == [5] and not together[7].any()
