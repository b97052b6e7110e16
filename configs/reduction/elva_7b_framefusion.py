# ELVA-7B, tested with FrameFusion instead of its own merger: alike frames are merged layer by layer, then the question
# prunes once, so that a layer has 30 % of the visual rows on average.
# Hardware: 1 x 80 GB. Nothing is trained: FrameFusion takes the checkpoint of stage 3 as it is.
# Command: python tools/test.py configs/reduction/elva_7b_framefusion.py work_dirs/elva_7b_stage3/iter_6600.pth
# Expected: not measured by us. The paper reports 70 % fewer tokens and a language model 3.4 to 4.4 times as fast.
_base_ = "../elva_7b_stage3.py"
model = dict(merger=dict(_delete_=True, type="FrameFusion", cost=0.3, tau=0.6))
custom_hooks = []  # there is no merge ratio to draw
