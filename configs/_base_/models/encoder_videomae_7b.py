# VideoMAE-B on Qwen2-7B: 16 frames of 224 x 224 pixels are 8 x 14 x 14 tokens.
_base_ = "elva_7b.py"
model = dict(
    tokenizer=dict(
        _delete_=True,
        type="VideoEncoder",
        path="MCG-NJU/videomae-base",
        config=dict(  # the shape, for dry runs without the weights
            model_type="videomae",
            hidden_size=768,
            intermediate_size=3072,
            num_hidden_layers=12,
            num_attention_heads=12,
            image_size=224,
            patch_size=16,
            num_frames=16,
            tubelet_size=2,
        ),
    ),
    merger=None,
)
