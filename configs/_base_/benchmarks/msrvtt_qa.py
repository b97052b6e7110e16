# MSRVTT-QA (Xu et al., ACM Multimedia 2017), test: open questions with one-word answers, in Video-LLaVA's zero-shot
# layout (layout="original" for the paper's own files). Scored by equality (Video-LLaVA asks a judge: LLMJudge).
benchmark = dict(type="MSRVTTQA", data_root="data/benchmarks/MSRVTT_Zero_Shot_QA/")
evaluator = dict(type="ExactMatch")
