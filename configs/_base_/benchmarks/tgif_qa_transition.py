# TGIF-QA (arXiv:1704.04497), Transition of the test split, in the repository's layout: 6,232 questions, multiple choice
# of five, asked with lmms-eval's wording.
benchmark = dict(type="TGIFQA", task="transition", layout="original", data_root="data/benchmarks/tgif_qa/")
evaluator = dict(type="MultipleChoice")
