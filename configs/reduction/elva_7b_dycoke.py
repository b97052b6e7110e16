# ELVA-7B, tested with both halves of DyCoke: three of four frames lose 70 % of their patches before the language
# model, and from layer 3 on decoding reads the 30 % of the visual rows that get most attention.
# Hardware: 1 x 80 GB. Nothing is trained: DyCoke takes the checkpoint of stage 3 as it is.
# Command: python tools/test.py configs/reduction/elva_7b_dycoke.py work_dirs/elva_7b_stage3/iter_6600.pth
# Expected: not measured by us. The first half leaves 47 % of the patches where frames have one size.
_base_ = "../elva_7b_stage3.py"
model = dict(
    reducers=[dict(type="DyCokeTTM", ratio=0.7)],
    merger=dict(_delete_=True, type="DyCokeCache", layer=3, ratio=0.7),
)
custom_hooks = []  # no merge ratio to draw while training
