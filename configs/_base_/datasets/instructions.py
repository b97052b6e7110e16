# Stage 3: 665 K image and 178 K video conversations. Tested on questions about videos at hybrid resolution.
_base_ = "video_questions.py"
conversation = dict(type="TokenizeConversation", path=_base_.text_path, template="chat", max_length=2048)
question = dict(type="TokenizeConversation", path=_base_.text_path, template="chat", mode="test")
images = dict(
    type="VideoTextDataset",
    ann_file="data/elva/image_665k_instructions.jsonl",
    data_root=_base_.data_root,
    pipeline=[_base_.load_image, conversation, dict(type="PackSample")],
)
videos = dict(pipeline=[_base_.load_video, conversation, dict(type="PackSample")], **_base_.train_dataloader.dataset)
train_dataloader = dict(
    dataset=dict(
        _delete_=True,
        type="MixtureDataset",
        datasets=dict(images=dict(dataset=images), videos=dict(dataset=videos)),
    )
)
test_dataloader = dict(dataset=dict(pipeline=[_base_.load_hybrid, question, dict(type="PackSample")]))
