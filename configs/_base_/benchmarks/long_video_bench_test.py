# LongVideoBench, the test split: 5,341 questions without published answers; the run writes a submission.json.
benchmark = dict(
    type="LongVideoBench", data_root="data/benchmarks/longvideobench/", split="test", subtitles="interleaved"
)
evaluator = dict(type="MultipleChoice")
