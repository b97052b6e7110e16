# TempCompass (arXiv:2403.00476), which of two captions fits; asked with the published prompt, the captions with
# letters.
benchmark = dict(type="TempCompass", task="caption_matching", data_root="data/benchmarks/tempcompass/")
evaluator = dict(type="MultipleChoice")
