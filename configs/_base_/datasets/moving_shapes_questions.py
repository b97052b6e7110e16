# Stage 3: every question about a clip in one conversation; tested one question at a time.
_base_ = "moving_shapes.py"
train_dataloader = dict(
    dataset=dict(
        type="VideoTextDataset",
        ann_file="work_dirs/demo/data/train_qa.json",
        data_root=_base_.data_root,
        pipeline=[
            _base_.load_video,
            dict(type="TokenizeConversation", path=_base_.text_path, template="chat"),
            dict(type="PackSample"),
        ],
    )
)
question = dict(type="TokenizeConversation", path=_base_.text_path, template="chat", mode="test")
test_dataloader = dict(
    batch_size=50,
    num_workers=1,
    sampler=dict(type="DefaultSampler", shuffle=False),
    collate_fn=dict(type="collate_samples"),
    dataset=dict(
        type="VideoTextDataset",
        ann_file="work_dirs/demo/data/test_qa.json",
        data_root=_base_.data_root,
        mode="test",
        pipeline=[_base_.load_video, question, dict(type="PackSample")],
    ),
)
test_evaluator = dict(type="ExactMatch", group_by="skill")
test_cfg = dict(type="EvaluationLoop")
