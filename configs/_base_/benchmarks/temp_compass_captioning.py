# TempCompass (arXiv:2403.00476), captions, asked with the published prompt. They are kept in predictions.jsonl, not
# scored: that takes a judge (LLMJudge; the published script has one answer multiple-choice questions from it).
benchmark = dict(type="TempCompass", task="captioning", data_root="data/benchmarks/tempcompass/")
evaluator = dict(type="Unscored")
