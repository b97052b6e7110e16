# ELVA on Qwen2-7B: patches of 16 pixels, merging before layers 2 and 6 of 28.
llm_path = "Qwen/Qwen2-7B-Instruct"
model = dict(
    type="VideoLLM",
    data_preprocessor=dict(type="VideoDataPreprocessor"),
    tokenizer=dict(type="ElvaPatchEmbed", patch_size=16, embed_channels=1024, num_heads=8),
    llm=dict(
        type="HFDecoder",
        path=llm_path,
        config=dict(  # the shape, for dry runs without the weights
            model_type="qwen2",
            hidden_size=3584,
            num_hidden_layers=28,
            num_attention_heads=28,
            num_key_value_heads=4,
            intermediate_size=18944,
            vocab_size=152064,
            tie_word_embeddings=False,
            rope_parameters=dict(rope_type="default", rope_theta=1000000.0),
        ),
        gradient_checkpointing=True,
    ),
    merger=dict(type="HierarchicalTemporalMerger", layers=(2, 6), tau=0.6, ratio=0.5),
    generation=dict(max_new_tokens=64),
)
