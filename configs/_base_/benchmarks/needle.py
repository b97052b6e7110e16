# Needle in a video haystack (after V-NIAH, arXiv:2406.16852): what tools/dataset_tools/make_needle.py wrote. A word
# or a phrase is asked for (multiple_choice=True with evaluator MultipleChoice where the needles have options).
benchmark = dict(type="VideoNeedle", data_root="data/benchmarks/needle/")
evaluator = dict(type="ExactMatch")
