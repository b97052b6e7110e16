# TempCompass (arXiv:2403.00476), captions, asked with the published prompt. They are kept in predictions.jsonl and not
# scored: that takes a judge (LLMJudge; the published script has one answer the multiple-choice question from the caption).
benchmark = dict(type="TempCompass", task="captioning", data_root="data/benchmarks/tempcompass/")
evaluator = dict(type="Unscored")
