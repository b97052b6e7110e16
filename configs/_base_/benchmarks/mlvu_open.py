# MLVU (dev), sub-scene captioning and video summary: long answers, which are written to predictions.jsonl. Only a judge
# can score them: evaluator = dict(type="LLMJudge", model=...). The published G-Avg is GPT-4's, with prompts of its own.
benchmark = dict(type="MLVU", data_root="data/benchmarks/mlvu/", tasks=("sub_scene", "summary"))
evaluator = dict(type="Unscored")
