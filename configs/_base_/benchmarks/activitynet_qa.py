# ActivityNet-QA (arXiv:1906.02467), test: 8,000 open questions about 800 videos; a word or a phrase is asked for, as in
# lmms-eval. Scored by equality (lmms-eval and others ask a judge instead: LLMJudge).
benchmark = dict(type="ActivityNetQA", data_root="data/benchmarks/activitynet_qa/")
evaluator = dict(type="ExactMatch")
