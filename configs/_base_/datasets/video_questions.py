# Conversations about videos, for models that read them in their own way: each gives the two pipelines.
_base_ = "native_frames.py"
train_dataloader = dict(
    batch_size=16,
    num_workers=8,
    persistent_workers=True,
    sampler=dict(type="InfiniteSampler", shuffle=True),
    collate_fn=dict(type="collate_samples"),
    dataset=dict(
        type="VideoTextDataset",
        ann_file="data/elva/video_178k_instructions.jsonl",
        data_root=_base_.data_root,
    ),
)
test_dataloader = dict(
    batch_size=4,
    num_workers=4,
    sampler=dict(type="DefaultSampler", shuffle=False),
    collate_fn=dict(type="collate_samples"),
    dataset=dict(
        type="VideoTextDataset",
        ann_file="data/elva/test_questions.jsonl",
        data_root=_base_.data_root,
        mode="test",
    ),
)
test_evaluator = dict(type="ExactMatch", group_by="skill")
test_cfg = dict(type="EvaluationLoop")
