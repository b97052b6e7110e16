# Stage 1: 4 M recaptioned images, each a video of one frame.
_base_ = "native_frames.py"
images = dict(
    type="VideoTextDataset",
    ann_file="data/elva/image_4m_recaptioned.jsonl",
    data_root=_base_.data_root,
    pipeline=[
        _base_.load_image,
        dict(type="TokenizeConversation", path=_base_.text_path, template="plain", max_length=1024),
        dict(type="PackSample"),
    ],
)
train_dataloader = dict(
    batch_size=64,
    num_workers=8,
    persistent_workers=True,
    sampler=dict(type="InfiniteSampler", shuffle=True),
    collate_fn=dict(type="collate_samples"),
    dataset=images,
)
