# Stage 1: stills with captions that name every colour and shape.
_base_ = "moving_shapes.py"
train_dataloader = dict(
    batch_size=64,  # a still is a quarter of a clip
    dataset=dict(
        type="VideoTextDataset",
        ann_file="work_dirs/demo/data/train_image_caption.json",
        data_root=_base_.data_root,
        pipeline=[
            _base_.load_image,
            dict(type="TokenizeConversation", path=_base_.text_path, template="plain"),
            dict(type="PackSample"),
        ],
    ),
)
