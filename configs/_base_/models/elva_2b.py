# ELVA on Qwen2-1.5B, the 2B class of the paper; the shape of Qwen2-1.5B-Instruct.
_base_ = "elva_7b.py"
llm_path = "Qwen/Qwen2-1.5B-Instruct"
model = dict(
    llm=dict(
        path=llm_path,
        config=dict(
            hidden_size=1536,
            num_attention_heads=12,
            num_key_value_heads=2,
            intermediate_size=8960,
            vocab_size=151936,
            tie_word_embeddings=True,
        ),
    ),
)
