# Perception Test (arXiv:2305.13786), validation: 19,140 questions, multiple choice of three, asked as in lmms-eval.
benchmark = dict(type="PerceptionTest", data_root="data/benchmarks/perception_test/")
evaluator = dict(type="MultipleChoice")
