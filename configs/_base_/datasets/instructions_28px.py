# Stage 3's conversations for tokens of 28 pixels: native aspect, at most 144 tokens a frame, no hybrid resolution.
_base_ = "instructions.py"
native = dict(type="NativeResolution", patch_size=28, max_patches=144)
load_image = dict(
    type="LoadVideo",
    reader=dict(type="PyAVReader"),
    sampler=dict(type="UniformSampler", num_frames=1),
    resolution=native,
)
load_video = dict(
    type="LoadVideo",
    reader=dict(type="DecordReader"),
    sampler=dict(type="UniformSampler", num_frames=16),
    resolution=native,
)
train_dataloader = dict(
    dataset=dict(
        datasets=[
            dict(
                dataset=dict(
                    type="VideoTextDataset",
                    ann_file="data/elva/image_665k_instructions.jsonl",
                    data_root=_base_.data_root,
                    pipeline=[load_image, _base_.conversation, dict(type="PackSample")],
                )
            ),
            dict(
                dataset=dict(
                    type="VideoTextDataset",
                    ann_file="data/elva/video_178k_instructions.jsonl",
                    data_root=_base_.data_root,
                    pipeline=[load_video, _base_.conversation, dict(type="PackSample")],
                )
            ),
        ],
    ),
)
test_dataloader = dict(
    dataset=dict(
        pipeline=[
            load_video,
            dict(type="TokenizeConversation", path=_base_.text_path, template="chat", mode="test"),
            dict(type="PackSample"),
        ],
    ),
)
