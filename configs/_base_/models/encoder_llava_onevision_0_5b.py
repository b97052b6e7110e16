# LLaVA-OneVision-0.5B: the same encoder and layout on Qwen2-0.5B.
_base_ = "encoder_llava_onevision_7b.py"
llm_path = "llava-hf/llava-onevision-qwen2-0.5b-ov-hf"
model = dict(
    tokenizer=dict(path=llm_path, projector_path=llm_path),
    llm=dict(
        path=llm_path,
        config=dict(
            hidden_size=896,
            num_hidden_layers=24,
            num_attention_heads=14,
            num_key_value_heads=2,
            intermediate_size=4864,
            vocab_size=152000,
            tie_word_embeddings=True,
        ),
    ),
)
