# Video-ChatGPT's layout: CLIP-L/14 at 224 pixels, one mean a frame and one a place, a linear projector.
_base_ = "elva_7b.py"
model = dict(
    tokenizer=dict(
        _delete_=True,
        type="MeanPooledFrames",
        path="openai/clip-vit-large-patch14",
        config=dict(  # the shape, for dry runs without the weights
            model_type="clip_vision_model",
            hidden_size=1024,
            intermediate_size=4096,
            num_hidden_layers=24,
            num_attention_heads=16,
            image_size=224,
            patch_size=14,
        ),
    ),
    merger=None,
)
