# MVBench: 20 tasks of 200 questions with three to five options, each about a clip or a part of one. Prompt: the
# published evaluation code's (github.com/OpenGVLab/Ask-Anything) without its system message.
benchmark = dict(type="MVBench", data_root="data/benchmarks/mvbench/")
evaluator = dict(type="MultipleChoice")
