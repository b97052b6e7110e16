# ELVA-7B, tested with both halves of HoliTom: what stands still is averaged over windows of time and 15 % of the
# patches are kept before the language model; half of the rows that are left are folded into the others before layer
# 18.
# Hardware: 1 x 80 GB. Nothing is trained: HoliTom takes the checkpoint of stage 3 as it is.
# Command: python tools/test.py configs/reduction/elva_7b_holitom.py work_dirs/elva_7b_stage3/iter_6600.pth
# Expected: not measured by us. The paper reports 99.1 % of LLaVA-OneVision-7B's score at 6.9 % of its operations.
_base_ = "../elva_7b_stage3.py"
model = dict(
    reducers=[dict(type="HoliTomOuter", retain=0.15, tau=0.8)],
    merger=dict(_delete_=True, type="HoliTomInner", layer=18, ratio=0.5),
)
