# NExT-QA, multiple choice: 8,564 questions with five options (test split). Prompt: lmms-eval's options, and its usual
# last line, which its task nextqa_mc_test leaves out.
benchmark = dict(type="NExTQA", data_root="data/benchmarks/nextqa/")
evaluator = dict(type="MultipleChoice")
