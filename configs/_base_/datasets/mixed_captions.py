# Stage 2: 3 M recaptioned videos, and the images of stage 1, in equal parts.
_base_ = "image_captions.py"
videos = dict(
    type="VideoTextDataset",
    ann_file="data/elva/video_3m_recaptioned.jsonl",
    data_root=_base_.data_root,
    pipeline=[
        _base_.load_video,
        dict(type="TokenizeConversation", path=_base_.text_path, template="plain", max_length=1024),
        dict(type="PackSample"),
    ],
)
train_dataloader = dict(
    batch_size=16,  # 32 do not fit beside the teacher: the schedule accumulates two
    dataset=dict(
        _delete_=True,
        type="MixtureDataset",
        datasets=dict(images=dict(dataset=_base_.images, weight=1.0), videos=dict(dataset=videos, weight=1.0)),
    ),
)
