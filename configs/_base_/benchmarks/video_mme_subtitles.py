# Video-MME with what is said at the frames that were chosen: 744 of the 900 videos have subtitles, of the others the
# prompt says that there are none. Prompt and rule: those of lmms-eval's task videomme_w_subtitle.
benchmark = dict(type="VideoMME", data_root="data/benchmarks/videomme/", subtitles="frames")
evaluator = dict(type="MultipleChoice")
