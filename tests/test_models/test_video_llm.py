import pytest
import torch
from tokenizers import Tokenizer, models, pre_tokenizers
from torch.nn.functional import cross_entropy
from transformers import PreTrainedTokenizerFast

from elva.models.data_preprocessor import IGNORE
from elva.models.llms import HFDecoder
from elva.models.video_llm import VideoLLM
from elva.registry import MODELS
from elva.structures import Clip, FramePlan, VideoQASample
from elva.testing.builders import SHAPES

WORDS = ["what", "colour", "is", "it", "and", "the", "first", "second", "video", "red", "green", "blue", "grey"]
SPECIAL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|vision_start|>", "<|vision_end|>", "<|video_pad|>"]
COLOURS = {"red": (255, 0, 0), "green": (0, 255, 0), "blue": (0, 0, 255), "grey": (128, 128, 128)}
VIDEO = "<|vision_start|> <|video_pad|> <|vision_end|>"


@pytest.fixture(scope="module")
def text_tokenizer(tmp_path_factory):
    """A tokenizer of whole words, in the Hugging Face layout."""
    vocabulary = {token: i for i, token in enumerate([*SPECIAL, "[unknown]", *WORDS])}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="[unknown]"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        eos_token="<|im_end|>",
        pad_token="<|endoftext|>",
        additional_special_tokens=SPECIAL[1:],
    )
    path = tmp_path_factory.mktemp("words")
    fast.save_pretrained(path)
    return str(path)


@pytest.fixture
def make_model(text_tokenizer):
    def make(seed: int = 0, **more) -> VideoLLM:
        torch.manual_seed(seed)
        config = {
            "type": "VideoLLM",
            "tokenizer": {"type": "ElvaPatchEmbed", "patch_size": 8, "embed_channels": 32, "num_heads": 2},
            "llm": {"type": "HFDecoder", "config": {**SHAPES, "model_type": "qwen2", "num_hidden_layers": 4}},
            "merger": {"type": "HierarchicalTemporalMerger", "layers": (1, 2)},
            "text_tokenizer": text_tokenizer,
            "generation": {"max_new_tokens": 4},
            **more,
        }
        return MODELS.build(config)

    return make


def make_clip(colour: str, frames: int = 3, side: int = 16, seed: int = 0) -> Clip:
    plan = FramePlan(tuple(map(float, range(frames))), ((side, side),) * frames)
    noise = torch.randint(0, 20, (frames, 3, side, side), generator=torch.Generator().manual_seed(seed))
    pixels = (torch.tensor(COLOURS[colour]).view(1, 3, 1, 1) - noise).clamp(min=0).to(torch.uint8)
    return Clip(plan, (pixels,), f"{colour}.mp4")


def make_sample(model, clips, question, answer=None):
    """What the pipeline packs: ids, and labels on the answer."""
    encode = lambda text: torch.tensor(model.text_tokenizer(text)["input_ids"])  # noqa: E731
    ids, labels = encode(question), None
    if answer is not None:
        reply = encode(f"{answer} <|im_end|>")
        labels = torch.cat((torch.full_like(ids, IGNORE), reply))
        ids = torch.cat((ids, reply))
    return clips, ids, labels


def batch_of(model, samples, training=False):
    clips, ids, labels = map(list, zip(*samples, strict=True))
    labels = None if any(x is None for x in labels) else labels
    data = {
        "inputs": {"clips": clips, "input_ids": ids, "labels": labels},
        "data_samples": [VideoQASample(str(i)) for i in range(len(ids))],
    }
    return model.data_preprocessor(data, training)


def mixed_batch(model, training=True):
    """Two videos, one video, text alone."""
    answer = lambda text: text if training else None  # noqa: E731
    return batch_of(
        model,
        [
            make_sample(
                model,
                [make_clip("red", 4), make_clip("blue", 2)],
                f"the first {VIDEO} the second {VIDEO} is",
                answer("red and blue"),
            ),
            make_sample(model, [make_clip("green", 3)], f"{VIDEO} what colour is it", answer("green")),
            make_sample(model, [], "what colour is grey", answer("grey")),
        ],
        training,
    )


def test_losses_are_named_and_finite(make_model):
    model = make_model()
    out = model(**mixed_batch(model), mode="loss")
    assert [name for name in out if "loss" in name] == ["loss_gen"]
    assert out["loss_gen"].isfinite()
    assert {"rows/layer00", "merge/share_layer01", "merge/share_layer02"} <= set(out)
    total, log = model.parse_losses(out)
    assert torch.equal(total, out["loss_gen"])
    assert float(log["rows/layer00"]) > float(log["rows/layer01"])


@pytest.mark.parametrize(
    "merger", [None, {"type": "HierarchicalTemporalMerger", "layers": (1, 2)}, {"type": "ToMe", "layers": (0, 1)}]
)
def test_the_loss_is_the_mean_over_the_answers_tokens(make_model, merger):
    """Each sample's answer is scored alone, token by token, behind its own merged prompt."""
    model = make_model(merger=merger).eval()
    batch = mixed_batch(model)
    got = model(**batch, mode="loss")["loss_gen"].item()
    assembly, _ = model.assemble(batch["inputs"])
    state = model.llm(assembly.state, model.merger)
    losses = []
    for b, t in (batch["inputs"]["labels"] != IGNORE).nonzero().tolist():
        before = int(assembly.text_row[b, t]) - 1
        row = int((state.pos[b] == before).nonzero())
        losses.append(cross_entropy(model.llm.logits(state.h[b, row]), batch["inputs"]["labels"][b, t]))
    assert len(losses) == 4 + 2 + 2
    assert got == pytest.approx(torch.stack(losses).mean().item(), abs=1e-5)


@pytest.mark.parametrize("merger", [{"type": "FastV"}, {"type": "PyramidDrop", "layers": (1, 2)}])
def test_training_keeps_the_rows_that_a_prefill_keeps_whatever_the_answer_is(make_model, merger):
    model = make_model(merger=merger).eval()
    kept = []
    model.merger.register_forward_hook(lambda module, args, state: kept.append(state.pos[state.visual].tolist()))
    question = f"{VIDEO} what colour is it"
    for answer in ("green", "red and blue", None):
        training = answer is not None
        batch = batch_of(model, [make_sample(model, [make_clip("green", 3)], question, answer)], training)
        model(**batch, mode="loss" if training else "predict")
    last = len(kept) // 3
    assert kept[:last] == kept[last : 2 * last] == kept[2 * last :]


def test_logits_are_computed_only_where_there_is_a_label(make_model, monkeypatch):
    shapes = []
    logits = HFDecoder.logits
    monkeypatch.setattr(HFDecoder, "logits", lambda self, h: shapes.append(tuple(h.shape)) or logits(self, h))
    model = make_model()
    model(**mixed_batch(model), mode="loss")
    assert shapes == [(8, 32)]
    shapes.clear()
    model.eval()(**mixed_batch(model, training=False), mode="predict")
    assert {shape[0] for shape in shapes} == {3}


def test_a_batch_whose_answers_were_all_cut_off_costs_nothing_and_breaks_nothing(make_model):
    model = make_model()
    batch = mixed_batch(model)
    batch["inputs"]["labels"].fill_(IGNORE)
    loss = model(**batch, mode="loss")["loss_gen"]
    assert loss.item() == 0.0
    loss.backward()
    assert all(p.grad is None or p.grad.isfinite().all() for p in model.parameters())


def test_a_batch_without_labels_says_so(make_model):
    model = make_model()
    with pytest.raises(ValueError, match="mode='loss' needs labels"):
        model(**mixed_batch(model, training=False), mode="loss")


def test_every_part_gets_a_gradient(make_model):
    model = make_model()
    model(**mixed_batch(model), mode="loss")["loss_gen"].backward()
    silent = [name for name, p in model.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0]
    assert silent == []


def test_it_learns_a_batch_by_heart_and_then_says_it(make_model):
    model = make_model(generation={"max_new_tokens": 3})
    colours = ["red", "green", "blue", "grey"]
    question = f"{VIDEO} what colour is it"
    train = batch_of(
        model, [make_sample(model, [make_clip(c, 2 + i)], question, c) for i, c in enumerate(colours)], True
    )
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    losses = []
    for _ in range(60):
        loss = model(**train, mode="loss")["loss_gen"]
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.1 < 2 < losses[0]
    test = batch_of(model, [make_sample(model, [make_clip(c, 2 + i)], question) for i, c in enumerate(colours)])
    answers = model.eval()(**test, mode="predict")
    assert [sample.prediction for sample in answers] == colours


def test_predictions_and_the_rows_of_each_layer_are_written_into_the_samples(make_model):
    model = make_model().eval()
    batch = mixed_batch(model, training=False)
    samples = model(**batch, mode="predict")
    assert samples is batch["data_samples"]
    assert all(isinstance(sample.prediction, str) for sample in samples)
    rows = [sample.stats["tokens_per_layer"] for sample in samples]
    assert [len(r) for r in rows] == [4, 4, 4]
    # 7 tokens a frame of 2 x 2 patches; text with one placeholder a video
    assert [r[0] for r in rows] == [6 * 7 + 9, 3 * 7 + 6, 4]
    assert rows[0][3] < rows[0][0]
    assert rows[2][3] == rows[2][0]


def test_a_batch_predicts_what_each_sample_predicts_alone(make_model):
    model = make_model(generation={"max_new_tokens": 6}).eval()
    samples = [
        make_sample(model, [make_clip("red", 4), make_clip("blue", 2)], f"the first {VIDEO} the second {VIDEO} is"),
        make_sample(model, [make_clip("green", 3)], f"{VIDEO} what colour is it"),
        make_sample(model, [], "what colour is grey"),
    ]
    together = [s.prediction for s in model(**batch_of(model, samples), mode="predict")]
    alone = [model(**batch_of(model, [sample]), mode="predict")[0].prediction for sample in samples]
    assert together == alone


COLOURS_ASKED = ("red", "green", "blue", "grey")


def choosing_batch(model, choosing=(0, 1, 2)):
    batch = mixed_batch(model, training=False)
    for index in choosing:
        batch["data_samples"][index].choices = COLOURS_ASKED
    return batch


@pytest.mark.parametrize("merger", [None, {"type": "HierarchicalTemporalMerger", "layers": (1, 2)}])
def test_option_logits_are_those_of_the_token_behind_the_prompt(make_model, merger):
    """A pass over the whole sequence, without a cache and without padding taken in, gives the same."""
    model = make_model(merger=merger).eval()
    ids = model.text_tokenizer.convert_tokens_to_ids(COLOURS_ASKED)
    batch = choosing_batch(model)
    samples = model(**batch, mode="predict")
    with torch.no_grad():
        state = model.llm(model.assemble(batch["inputs"])[0].state, model.merger)
        for sample, h_LC, valid_L in zip(samples, state.h, state.valid, strict=True):
            expected = model.llm.logits(h_LC[valid_L])[-1][ids]
            assert list(sample.stats["option_logits"]) == list(COLOURS_ASKED)
            assert list(sample.stats["option_logits"].values()) == pytest.approx(expected.tolist(), abs=1e-5)
            assert sample.prediction == COLOURS_ASKED[int(expected.argmax())]
            assert len(sample.stats["tokens_per_layer"]) == 4


def test_samples_with_and_without_choices_share_a_batch(make_model):
    model = make_model(generation={"max_new_tokens": 6}).eval()
    chosen = model(**choosing_batch(model), mode="predict")
    free = model(**mixed_batch(model, training=False), mode="predict")
    mixed = model(**choosing_batch(model, choosing=(1,)), mode="predict")
    assert [s.prediction for s in mixed] == [free[0].prediction, chosen[1].prediction, free[2].prediction]
    assert ["option_logits" in s.stats for s in mixed] == [False, True, False]


def test_choosing_takes_no_step_of_decoding(make_model, monkeypatch):
    model = make_model().eval()
    calls = []
    forward = HFDecoder.forward
    monkeypatch.setattr(HFDecoder, "forward", lambda self, *a, **k: calls.append(1) or forward(self, *a, **k))
    model(**choosing_batch(model), mode="predict")
    assert len(calls) == 1


def test_choices_that_are_no_tokens_are_refused(make_model):
    model = make_model().eval()
    batch = mixed_batch(model, training=False)
    batch["data_samples"][0].choices = ("red", "red green")
    with pytest.raises(ValueError, match="option 'red green' is no token of its own"):
        model(**batch, mode="predict")
    batch["data_samples"][0].choices = ("A", "B")  # both are [unknown] to this tokenizer
    with pytest.raises(ValueError, match="does not tell"):
        model(**batch, mode="predict")


def test_blank_video_changes_the_state_behind_it(make_model):
    model = make_model().eval()

    def last(colour):
        batch = batch_of(model, [make_sample(model, [make_clip(colour)], f"{VIDEO} what colour is it")])
        with torch.no_grad():
            state = model(**batch, mode="tensor")
        return state.h[0, -1]

    assert last("grey").isfinite().all()
    assert (last("grey") - last("red")).abs().max() > 1e-3


def test_autocast_on_a_cpu(make_model):
    model = make_model()
    batch = mixed_batch(model)
    exact = model(**batch, mode="loss")["loss_gen"].item()
    with torch.autocast("cpu", torch.bfloat16):
        loss = model(**batch, mode="loss")["loss_gen"]
    loss.backward()
    assert loss.dtype == torch.float32
    assert loss.item() == pytest.approx(exact, rel=0.05)
    assert all(p.grad.isfinite().all() for p in model.parameters())
    with torch.autocast("cpu", torch.bfloat16):
        model.eval()(**mixed_batch(model, training=False), mode="predict")


def test_bfloat16_language_model(make_model):
    llm = {
        "type": "HFDecoder",
        "config": {**SHAPES, "model_type": "qwen2", "num_hidden_layers": 4},
        "dtype": "bfloat16",
    }
    model = make_model(llm=llm)
    loss = model(**mixed_batch(model), mode="loss")["loss_gen"]
    loss.backward()
    assert loss.isfinite()
    assert model.tokenizer.patch.weight.grad.abs().sum() > 0


def test_supervisors_add_their_losses_and_the_teacher_learns_nothing(make_model):
    model = make_model(
        teacher={"type": "HOGTeacher"}, supervisors=[{"type": "TubeAlignment"}, {"type": "FrameContrast"}]
    )
    losses = model(**mixed_batch(model), mode="loss")
    names = [name for name in losses if name.startswith("loss")]
    assert names[0] == "loss_gen"
    assert len(names) == 3
    total, _ = model.parse_losses(losses)
    total.backward()
    assert total.isfinite()
    assert not any(p.requires_grad for p in model.teacher.parameters())
    text = batch_of(model, [make_sample(model, [], "what colour is", "red")], True)
    assert [name for name in model(**text, mode="loss") if name.startswith("loss")] == ["loss_gen"]


SUPERVISED = {
    "teacher": {"type": "HOGTeacher", "image_size": 16, "cell": 8},
    "supervisors": [{"type": "TubeAlignment"}, {"type": "FrameContrast"}],
}


def test_the_teacher_is_asked_once_about_a_clip_if_its_features_are_kept(make_model, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "red.mp4").touch()  # a clip is known by its file
    model = make_model(**SUPERVISED, teacher_cache={"directory": "features"})
    batch = batch_of(model, [make_sample(model, [make_clip("red")], f"what {VIDEO}", "red")], training=True)
    first = model(**batch, mode="loss")
    monkeypatch.setattr(model.teacher, "forward", lambda *_: pytest.fail("asked again"))
    again = model(**batch, mode="loss")
    assert torch.equal(first["loss_tube"], again["loss_tube"])


def test_a_batch_of_text_among_processes_with_supervisors_is_refused_and_not_waited_for(make_model, monkeypatch):
    model = make_model(**SUPERVISED)
    batch = batch_of(model, [make_sample(model, [], "what colour", "red")], training=True)
    assert set(model(**batch, mode="loss")) >= {"loss_gen"}, "alone it is fine"
    monkeypatch.setattr("elva.models.video_llm.get_world_size", lambda: 2)
    with pytest.raises(ValueError, match="without any video or image came to model.supervisors"):
        model(**batch, mode="loss")


def test_supervisors_need_a_teacher(make_model):
    with pytest.raises(ValueError, match="give model.teacher"):
        make_model(supervisors=[{"type": "TubeAlignment"}])


def test_a_single_reducer_comes_in_a_list_too(make_model):
    with pytest.raises(ValueError, match="give a list"):
        make_model(reducers=dict(type="SpatialPool"))


def test_only_the_parts_named_are_trained(make_model):
    model = make_model(trainable=("tokenizer",))
    trained = {name.split(".")[0] for name, p in model.named_parameters() if p.requires_grad}
    assert trained == {"tokenizer"}
    model(**mixed_batch(model), mode="loss")["loss_gen"].backward()
    assert model.tokenizer.patch.weight.grad.abs().sum() > 0
    assert model.llm.model.lm_head.weight.grad is None


def test_new_tokens_find_room_and_visual_tokens_start_at_the_scale_of_text(make_model):
    shape = {**SHAPES, "model_type": "qwen2", "num_hidden_layers": 4, "vocab_size": 5, "pad_token_id": None}
    model = make_model(llm={"type": "HFDecoder", "config": shape})
    assert model.llm.model.config.vocab_size == len(model.text_tokenizer)
    tokens = model.tokenizer(mixed_batch(model)["inputs"]["clips"])
    rms = tokens.x[tokens.valid].detach().pow(2).mean().sqrt()
    assert 0.2 < float(rms) / model.llm.embedding_rms() < 5


def test_on_the_meta_device_it_builds_without_files(make_model):
    with torch.device("meta"):
        model = make_model(text_tokenizer="nowhere")
    assert {p.device.type for p in model.parameters()} == {"meta"}


def test_a_model_without_text_tokenizer_says_what_is_missing(make_model):
    with torch.device("meta"):
        model = make_model(text_tokenizer=None)
    with pytest.raises(ValueError, match="give model.text_tokenizer"):
        _ = model.text_tokenizer


def test_a_wrong_count_of_videos_is_named(make_model):
    model = make_model()
    batch = batch_of(model, [make_sample(model, [make_clip("red")], "what colour is it", "red")], True)
    with pytest.raises(ValueError, match="0 video placeholders, but 1 videos came"):
        model(**batch, mode="loss")


def test_hidden_states_come_back_for_every_visual_token(make_model):
    model = make_model().eval()
    batch = mixed_batch(model)
    with torch.no_grad():
        assembly, tokens = model.assemble(batch["inputs"])
        state = model(**batch, mode="tensor")
        student = assembly.placement.recover(state, tokens)
    assert student.x.shape == tokens.x.shape
    assert torch.equal(student.valid, tokens.valid)
    assert state.lengths[0] < assembly.state.lengths[0]
