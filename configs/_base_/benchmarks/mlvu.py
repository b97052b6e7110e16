# MLVU (dev): the seven tasks of multiple choice, with four options. Prompt: the published evaluation code's
# (github.com/JUNJIE99/MLVU). M-Avg is the mean over the tasks.
benchmark = dict(type="MLVU", data_root="data/benchmarks/mlvu/")
evaluator = dict(type="MultipleChoice")
