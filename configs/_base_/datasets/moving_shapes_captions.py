# Stage 2: clips with captions that name every attribute.
_base_ = "moving_shapes.py"
train_dataloader = dict(
    dataset=dict(
        type="VideoTextDataset",
        ann_file="work_dirs/demo/data/train_caption.json",
        data_root=_base_.data_root,
        pipeline=[
            _base_.load_video,
            dict(type="TokenizeConversation", path=_base_.text_path, template="plain"),
            dict(type="PackSample"),
        ],
    )
)
