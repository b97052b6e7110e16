# LongVideoBench: 1,337 questions with up to five options (validation split), with the subtitles between the frames, as
# the publication asks them (github.com/longvideobench/LongVideoBench; lmms-eval's task longvideobench_val_i).
benchmark = dict(type="LongVideoBench", data_root="data/benchmarks/longvideobench/", subtitles="interleaved")
evaluator = dict(type="MultipleChoice")
