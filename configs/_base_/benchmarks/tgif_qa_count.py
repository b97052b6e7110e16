# TGIF-QA (arXiv:1704.04497), Count of the test split, in the repository's layout: 3,554 questions, a whole number is
# asked for. Scored by accuracy and by the paper's mean squared error.
benchmark = dict(type="TGIFQA", task="count", layout="original", data_root="data/benchmarks/tgif_qa/")
evaluator = dict(type="CountError")
