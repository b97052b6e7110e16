# NExT-QA, open-ended: 9,178 questions (test split), scored by WUPS. Prompt: that of lmms-eval's task nextqa_oe_test.
benchmark = dict(type="NExTOE", data_root="data/benchmarks/nextqa/")
evaluator = dict(type="WUPS")
