# LLaVA-Video's layout on Qwen2-7B: SigLIP-so400m up to its last layer but one, 14 x 14 tokens a frame, a newline a row.
_base_ = ["elva_7b.py", "siglip_teacher.py"]
siglip = _base_.teacher
model = dict(
    tokenizer=dict(
        _delete_=True,
        type="FrameEncoder",
        path=siglip.path,
        config=siglip.config,
        layer=-2,
        newline="row",
    ),
    merger=None,
)
