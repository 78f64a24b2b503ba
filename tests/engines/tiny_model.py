"""Makes a random Llama of some 13 million parameters, with a tokenizer of its own, in a folder: tiny_model.py FOLDER

With a number of experts, tiny_model.py FOLDER 4: a Mixtral, whose layers have that many, of which a token takes two.
"""

import json
import pathlib
import sys

import numpy as np

CONFIG = {
    "architectures": ["LlamaForCausalLM"], "model_type": "llama", "torch_dtype": "float32", "hidden_act": "silu",
    "vocab_size": 512, "hidden_size": 384, "intermediate_size": 1024, "num_hidden_layers": 8, "num_attention_heads": 6,
    "num_key_value_heads": 2, "head_dim": 64, "max_position_embeddings": 2048, "rms_norm_eps": 1e-5, "rope_theta": 1e4,
    "bos_token_id": 0, "eos_token_id": 1, "tie_word_embeddings": False, "attention_bias": False, "mlp_bias": False,
}
TEXT = "the ranks of a group meet in one arena and each reads what the others have written there . "


def _config(experts):
    return CONFIG if not experts else {**CONFIG, "architectures": ["MixtralForCausalLM"], "model_type": "mixtral",
                                       "num_local_experts": experts, "num_experts_per_tok": 2, "sliding_window": None}


def _shapes_of_mlp(experts):
    hidden, inner = CONFIG["hidden_size"], CONFIG["intermediate_size"]
    if not experts:
        return {"mlp.gate_proj": (inner, hidden), "mlp.up_proj": (inner, hidden), "mlp.down_proj": (hidden, inner)}
    shapes = {"block_sparse_moe.gate": (experts, hidden)}
    for expert in range(experts):
        name = f"block_sparse_moe.experts.{expert}"
        shapes |= {f"{name}.w1": (inner, hidden), f"{name}.w3": (inner, hidden), f"{name}.w2": (hidden, inner)}
    return shapes


def _weights(experts):
    """By the names of transformers; of a spread at which different prompts go on differently."""
    random = np.random.default_rng(0)
    hidden, head = CONFIG["hidden_size"], CONFIG["head_dim"]
    queries, keys = head * CONFIG["num_attention_heads"], head * CONFIG["num_key_value_heads"]

    def matrix(rows, columns):
        return (random.standard_normal((rows, columns)) * 0.08).astype(np.float32)

    weights = {"model.embed_tokens.weight": matrix(CONFIG["vocab_size"], hidden),
               "lm_head.weight": matrix(CONFIG["vocab_size"], hidden), "model.norm.weight": np.ones(hidden, np.float32)}
    for layer in range(CONFIG["num_hidden_layers"]):
        shapes = {"self_attn.q_proj": (queries, hidden), "self_attn.k_proj": (keys, hidden),
                  "self_attn.v_proj": (keys, hidden), "self_attn.o_proj": (hidden, queries), **_shapes_of_mlp(experts)}
        for name, shape in shapes.items():
            weights[f"model.layers.{layer}.{name}.weight"] = matrix(*shape)
        for name in ("input_layernorm", "post_attention_layernorm"):
            weights[f"model.layers.{layer}.{name}.weight"] = np.ones(hidden, np.float32)
    return weights


def _make_tokenizer(folder):
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(vocab_size=CONFIG["vocab_size"], special_tokens=["<s>", "</s>"], show_progress=False,
                                  initial_alphabet=pre_tokenizers.ByteLevel.alphabet())
    tokenizer.train_from_iterator([TEXT] * 4, trainer)
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, bos_token="<s>", eos_token="</s>")
    fast.chat_template = "{% for message in messages %}{{ message['content'] }} {% endfor %}"
    fast.save_pretrained(folder)


def make(folder, experts=0):
    from safetensors.numpy import save_file

    pathlib.Path(folder).mkdir()
    pathlib.Path(folder, "config.json").write_text(json.dumps(_config(experts)))
    save_file(_weights(experts), f"{folder}/model.safetensors", {"format": "pt"})
    _make_tokenizer(folder)


if __name__ == "__main__":
    make(sys.argv[1], *map(int, sys.argv[2:]))
