import pytest
import torch

from elva.models.llms import assemble
from elva.structures import PAD_RANK, Kind
from elva.testing import draw_video, make_prompt, tiny_decoder
from elva.testing.builders import VIDEO_ID, stack_videos

SAMPLES = (
    (2, [(1, 2)] * 2, 1, [(2, 1)], 3),
    (4,),
    ([(1, 1)] * 3, 1),
)
IGNORE = -100


def test_rows_stand_in_the_order_of_the_text_with_videos_in_place():
    prompt = make_prompt(tiny_decoder(), SAMPLES)
    state = prompt.state
    t, f, p, n = Kind.TEXT, Kind.FRAME, Kind.PATCH, Kind.LINE
    expected = [
        [t, t, f, p, p, n, f, p, p, n, t, f, p, n, p, n, t, t, t],
        [t] * 4,
        [f, p, n, f, p, n, f, p, n, t],
    ]
    for b, kinds in enumerate(expected):
        assert state.kind[b, : len(kinds)].tolist() == kinds
        assert (state.kind[b, len(kinds) :] == Kind.PAD).all()
    assert state.lengths.tolist() == [19, 4, 10]
    assert state.padded
    assert state.rising


def test_hidden_states_are_embeddings_and_features():
    llm = tiny_decoder()
    prompt = make_prompt(llm, SAMPLES)
    state, tokens = prompt.state, prompt.tokens
    assert torch.equal(state.h[0, :2], llm.embed(prompt.ids[0, :2]))
    assert torch.equal(state.h[0, 2:10], tokens.x[0, :8])
    assert torch.equal(state.h[0, 11:16], tokens.x[1, :5])
    assert torch.equal(state.h[0, 16:19], llm.embed(prompt.ids[0, -3:]))
    assert torch.equal(state.h[2, :9], tokens.x[2, :9])


def test_positions_ranks_and_padding():
    state = make_prompt(tiny_decoder(), SAMPLES).state
    assert state.pos[0].tolist() == list(range(19))
    assert state.rank[1].tolist() == [0, 1, 2, 3] + [PAD_RANK] * 15
    assert (state.size[1, 4:] == 0).all()
    assert (state.slot[state.kind == Kind.TEXT] == -1).all()
    assert state.src.dst[1].tolist() == [0, 1, 2, 3] + [-1] * 15


def test_two_videos_of_a_sample_share_neither_frames_nor_slots():
    state = make_prompt(tiny_decoder(), SAMPLES).state
    assert state.frame[0].tolist() == [-1, -1, 0, 0, 0, 0, 1, 1, 1, 1, -1, 2, 2, 2, 2, 2, -1, -1, -1]
    first, second = set(state.slot[0, 2:10].tolist()) - {-1}, set(state.slot[0, 11:16].tolist()) - {-1}
    assert first
    assert second
    assert not first & second
    assert state.frame[2, :9].tolist() == [0, 0, 0, 1, 1, 1, 2, 2, 2]
    assert set(state.slot[2, :9].tolist()) == {-1, 0, 1}


def test_two_way_frames_have_the_rank_of_their_last_row():
    state = make_prompt(tiny_decoder(frame_mask="bidirectional"), SAMPLES).state
    assert state.rank[0].tolist() == [0, 1, *[5] * 4, *[9] * 4, 10, *[15] * 5, 16, 17, 18]
    assert state.pos[0].tolist() == list(range(19))
    assert state.rank[1, :4].tolist() == [0, 1, 2, 3]
    assert not state.rising


def test_a_video_without_frame_numbers_stays_causal_in_the_two_way_mask():
    llm = tiny_decoder(frame_mask="bidirectional")
    video = draw_video([(1, 2)] * 2)
    video = video.replace(frame=torch.full_like(video.frame, -1))
    ids = torch.tensor([[1, VIDEO_ID, 2]])
    state = assemble(llm.embed, ids, torch.ones_like(ids).bool(), video, VIDEO_ID, "bidirectional").state
    assert state.rank[0].tolist() == list(range(10))


def test_rows_that_continue_a_cache_start_where_it_ends():
    state = make_prompt(tiny_decoder(), [(3,), (2,)], start_B=torch.tensor([10, 7])).state
    assert state.pos.tolist() == [[10, 11, 12], [7, 8, 0]]
    assert state.rank.tolist() == [[10, 11, 12], [7, 8, PAD_RANK]]


def test_what_was_dropped_before_the_language_model_is_not_in_the_sequence():
    llm = tiny_decoder()
    video = draw_video([(1, 2)] * 2)
    valid = torch.tensor([[True, False, True, True, True, True, False, True]])
    ids = torch.tensor([[1, VIDEO_ID, 2]])
    assembly = assemble(llm.embed, ids, torch.ones_like(ids).bool(), video.replace(valid=valid), VIDEO_ID)
    assert assembly.state.lengths.tolist() == [8]
    assert torch.equal(assembly.state.h[0, 1:7], video.x[valid])
    assert assembly.placement.row.tolist() == [[1, -1, 2, 3, 4, 5, -1, 6]]


@pytest.mark.parametrize("videos", [0, 1, 3])
def test_the_number_of_videos_must_be_that_of_the_placeholders(videos):
    llm = tiny_decoder()
    ids = torch.tensor([[1, VIDEO_ID, 2, VIDEO_ID]])
    tokens = stack_videos([draw_video([(1, 1)])] * videos) if videos else None
    with pytest.raises(ValueError, match=f"2 video placeholders, but {videos} videos came"):
        assemble(llm.embed, ids, torch.ones_like(ids).bool(), tokens, VIDEO_ID)


def test_placeholders_in_the_padding_do_not_count():
    llm = tiny_decoder()
    ids = torch.tensor([[1, 2, VIDEO_ID]])
    state = assemble(llm.embed, ids, torch.tensor([[True, True, False]]), None, VIDEO_ID).state
    assert state.h.shape[1] == 2


def test_an_unknown_frame_mask_is_refused():
    ids = torch.tensor([[1]])
    with pytest.raises(ValueError, match="frame_mask='both'"):
        assemble(tiny_decoder().embed, ids, ids > 0, None, VIDEO_ID, "both")


def test_targets_are_the_labels_of_the_text_that_follows():
    prompt = make_prompt(tiny_decoder(), SAMPLES)
    labels = torch.full_like(prompt.ids, IGNORE)
    labels[0, 6:8] = torch.tensor([50, 51])  # the last two of the three ids behind the second video
    labels[1, 3] = 52
    labels[2, 1] = 53  # right behind a video: its last row predicts it
    targets = prompt.assembly.targets(labels)
    assert targets.shape == prompt.state.valid.shape
    found = [(b, row, int(targets[b, row])) for b, row in (targets != IGNORE).nonzero().tolist()]
    assert found == [(0, 16, 50), (0, 17, 51), (1, 2, 52), (2, 8, 53)]


def test_a_label_on_the_first_row_has_nothing_to_predict_it_from():
    """As transformers does: the labels are shifted by one, so the first is never learned."""
    prompt = make_prompt(tiny_decoder(), [(3,)])
    assert prompt.assembly.targets(torch.tensor([[7, 8, 9]])).tolist() == [[8, 9, IGNORE]]


def test_recover_gives_every_token_the_row_that_it_became_part_of():
    prompt = make_prompt(tiny_decoder(), SAMPLES)
    state, placement = prompt.state, prompt.assembly.placement
    again = placement.recover(state, prompt.tokens)
    assert torch.equal(again.x[again.valid], prompt.tokens.x[prompt.tokens.valid])
    assert torch.equal(again.valid, prompt.tokens.valid)

    into = torch.arange(state.h.shape[1]).repeat(3, 1)
    into[0, 7] = 3  # the first patch of the second frame joins that of the first
    merged = state.fold(into).select(torch.tensor([True] * 4 + [False] + [True] * 14)[None, :18].expand(3, -1))
    after = placement.recover(merged, prompt.tokens)
    assert torch.equal(after.x[0, 1], after.x[0, 5])
    torch.testing.assert_close(after.x[0, 1], (prompt.tokens.x[0, 1] + prompt.tokens.x[0, 5]) / 2)
    assert after.valid[0].tolist() == [True, True, False, True, True, True, True, True] + [False] * (
        after.valid.shape[1] - 8
    )


def test_gradients_reach_text_and_video():
    llm = tiny_decoder()
    video = draw_video([(1, 2)] * 2)
    x = video.x.clone().requires_grad_()
    table = torch.randn(97, 32, requires_grad=True)
    ids = torch.tensor([[1, VIDEO_ID, 2]])
    embed = lambda i: torch.nn.functional.embedding(i, table)  # noqa: E731
    assemble(embed, ids, ids > 0, video.replace(x=x), VIDEO_ID).state.h.sum().backward()
    assert (x.grad == 1).all()
    assert table.grad[[1, 2]].eq(1).all()
    assert llm.hidden_size == 32
