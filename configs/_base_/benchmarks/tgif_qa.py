# TGIF-QA (arXiv:1704.04497), FrameQA of the test split: open questions with one-word answers, in Video-LLaVA's
# zero-shot layout. Scored by equality (Video-LLaVA asks a judge instead: LLMJudge).
benchmark = dict(type="TGIFQA", data_root="data/benchmarks/TGIF_Zero_Shot_QA/")
evaluator = dict(type="ExactMatch")
