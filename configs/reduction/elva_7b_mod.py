# ELVA-7B, stage 3 with the mixture of depths of VideoLLM-MoD: in every other layer a fifth of a frame's rows runs.
# The ratio stays the published one throughout, so the hook that draws ratios is taken out.
# Hardware: 8 x 80 GB. Command: bash tools/dist_train.sh configs/reduction/elva_7b_mod.py 8
# Expected: not trained by us; its authors report 42 % less training time and 30 % less memory.
_base_ = "../elva_7b_stage3.py"
model = dict(
    merger=dict(
        _delete_=True,
        type="MixtureOfDepths",
        layers=(1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21, 23, 25, 27),
        ratio=0.8,
    ),
)
custom_hooks = []
