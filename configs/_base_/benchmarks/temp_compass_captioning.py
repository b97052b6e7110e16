# TempCompass (arXiv:2403.00476), captions. They are written to predictions.jsonl; only a judge can score them.
benchmark = dict(type="TempCompass", task="captioning", data_root="data/benchmarks/tempcompass/")
evaluator = dict(type="ExactMatch")
