# The frozen teacher of stages 1 and 2, and the two losses against it. Not built in stage 3.
teacher = dict(
    type="HFVisionTeacher",
    path="google/siglip-so400m-patch14-384",
    config=dict(  # the shape, for dry runs without the weights
        model_type="siglip_vision_model",
        hidden_size=1152,
        intermediate_size=4304,
        num_hidden_layers=27,
        num_attention_heads=16,
        image_size=384,
        patch_size=14,
    ),
)
supervisors = [dict(type="TubeAlignment", weight=1.0), dict(type="FrameContrast", weight=1.0)]
