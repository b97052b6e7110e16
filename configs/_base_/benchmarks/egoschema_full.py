# EgoSchema, all 5,031 questions: those without a published answer are scored by the benchmark's server, which takes the
# submission.json of the run.
benchmark = dict(type="EgoSchema", data_root="data/benchmarks/egoschema/", subset=False)
evaluator = dict(type="MultipleChoice")
