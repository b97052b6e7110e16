# ELVA small enough to train in minutes on two CPU cores: the same parts, the same road.
# The language model comes from tools/model_tools/make_tiny_llm.py, in the Hugging Face layout.
llm_path = "work_dirs/demo/llm"
model = dict(
    type="VideoLLM",
    data_preprocessor=dict(type="VideoDataPreprocessor"),
    tokenizer=dict(
        type="ElvaPatchEmbed",
        patch_size=12,
        tubelet=2,
        embed_channels=128,
        num_heads=4,
        pos_embed=True,
    ),
    llm=dict(
        type="HFDecoder",
        path=llm_path,
        config=dict(  # the shape that tools/demo.py makes, for dry runs without the files
            model_type="qwen2",
            hidden_size=128,
            num_hidden_layers=4,
            num_attention_heads=4,
            num_key_value_heads=4,
            intermediate_size=384,
            vocab_size=451,
            tie_word_embeddings=True,
        ),
        attention="eager",  # on a CPU, at a few hundred rows, three times as fast to train as the fused kernel
    ),
    merger=dict(type="HierarchicalTemporalMerger", layers=(1, 3), tau=0.6, ratio=0.5),
    generation=dict(max_new_tokens=12),
)
