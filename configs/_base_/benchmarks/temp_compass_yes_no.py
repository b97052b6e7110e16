# TempCompass (arXiv:2403.00476), yes or no, asked with the published prompt; scored as a choice between the two words.
benchmark = dict(type="TempCompass", task="yes_no", data_root="data/benchmarks/tempcompass/")
evaluator = dict(type="MultipleChoice")
