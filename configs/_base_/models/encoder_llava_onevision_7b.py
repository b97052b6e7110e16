# LLaVA-OneVision-7B: SigLIP-so400m (its last layer cut off, as published), 14 x 14 tokens a frame, one newline a video.
# Encoder, projector and language model all come from one published checkpoint; every frame is 384 x 384 pixels.
_base_ = "elva_7b.py"
llm_path = "llava-hf/llava-onevision-qwen2-7b-ov-hf"
model = dict(
    tokenizer=dict(
        _delete_=True,
        type="FrameEncoder",
        path=llm_path,
        projector_path=llm_path,
        layer=-1,
        config=dict(  # the shape, for dry runs without the weights
            model_type="siglip_vision_model",
            hidden_size=1152,
            intermediate_size=4304,
            num_hidden_layers=26,
            num_attention_heads=16,
            image_size=384,
            patch_size=14,
        ),
    ),
    llm=dict(path=llm_path, config=dict(vocab_size=152128)),  # two tokens more than Qwen2, padded to 64
    text_tokenizer="Qwen/Qwen2-7B-Instruct",
    merger=None,
)
