# EgoSchema, the 500 questions whose answers are published, with five options. Prompt: lmms-eval's (egoschema_subset).
benchmark = dict(type="EgoSchema", data_root="data/benchmarks/egoschema/")
evaluator = dict(type="MultipleChoice")
