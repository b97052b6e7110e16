# ELVA-7B, stage 3, with DTD before the language model instead of merging inside it: a patch stays only where its pixels
# differ from the same place one frame before. Pixels, not features: without an encoder these are what the model reads.
# Hardware: 8 x 80 GB. Command: bash tools/dist_train.sh configs/reduction/elva_7b_dtd.py 8
# Expected: not trained by us. How much is dropped depends on the video; TimeChat-Online reports up to 82.8 %.
_base_ = "../elva_7b_stage3.py"
model = dict(
    reducers=[dict(type="DTD", mode="pixel", threshold=0.1)],
    merger=dict(_delete_=True, type="NoMerge"),
)
custom_hooks = []  # there is no merge ratio to draw
