# MLVU (dev), sub-scene captioning and video summary: long answers, which are written to predictions.jsonl. Only a judge can
# score them (LLMJudge; the published G-Avg is GPT-4's, with prompts of its own): equality with the reference says nothing.
benchmark = dict(type="MLVU", data_root="data/benchmarks/mlvu/", tasks=("sub_scene", "summary"))
evaluator = dict(type="ExactMatch")
