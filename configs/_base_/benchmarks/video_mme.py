# Video-MME: 2,700 questions with four options about 900 videos, without subtitles. Prompt: the benchmark's own
# (github.com/BradyFU/Video-MME), as in lmms-eval's task videomme but for its words "and the subtitles".
benchmark = dict(type="VideoMME", data_root="data/benchmarks/videomme/")
evaluator = dict(type="MultipleChoice")
