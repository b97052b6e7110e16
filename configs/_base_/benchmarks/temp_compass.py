# TempCompass (arXiv:2403.00476), multiple choice of up to four, asked with the published prompt. Replies are read by
# fixed rules alone (the published script asks a judge about what its own rules cannot read).
benchmark = dict(type="TempCompass", task="multi-choice", data_root="data/benchmarks/tempcompass/")
evaluator = dict(type="MultipleChoice")
