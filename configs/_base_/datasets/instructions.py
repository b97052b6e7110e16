# Stage 3: 665 K image and 178 K video conversations. Tested on questions about videos at hybrid resolution.
_base_ = "native_frames.py"
conversation = dict(type="TokenizeConversation", path=_base_.text_path, template="chat", max_length=2048)
train_dataloader = dict(
    batch_size=16,
    num_workers=8,
    persistent_workers=True,
    sampler=dict(type="InfiniteSampler", shuffle=True),
    collate_fn=dict(type="collate_samples"),
    dataset=dict(
        type="MixtureDataset",
        datasets=[
            dict(
                dataset=dict(
                    type="VideoTextDataset",
                    ann_file="data/elva/image_665k_instructions.jsonl",
                    data_root=_base_.data_root,
                    pipeline=[_base_.load_image, conversation, dict(type="PackSample")],
                )
            ),
            dict(
                dataset=dict(
                    type="VideoTextDataset",
                    ann_file="data/elva/video_178k_instructions.jsonl",
                    data_root=_base_.data_root,
                    pipeline=[_base_.load_video, conversation, dict(type="PackSample")],
                )
            ),
        ],
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
        pipeline=[
            _base_.load_hybrid,
            dict(type="TokenizeConversation", path=_base_.text_path, template="chat", mode="test"),
            dict(type="PackSample"),
        ],
    ),
)
test_evaluator = dict(type="ExactMatch")
test_cfg = dict()
