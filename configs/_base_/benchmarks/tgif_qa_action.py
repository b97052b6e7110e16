# TGIF-QA (arXiv:1704.04497), Action of the test split, in the repository's layout: 2,274 questions, multiple choice of
# five, asked with lmms-eval's wording.
benchmark = dict(type="TGIFQA", task="action", layout="original", data_root="data/benchmarks/tgif_qa/")
evaluator = dict(type="MultipleChoice")
