"""The numbers and the models of transformers that several make_golden.py share. `uniform` stands in Swift as well."""

import numpy
from transformers import AutoConfig, AutoModelForCausalLM


def uniform(count, stream):
    """`count` numbers in [-1, 1), multiples of 2^-23: the finaliser "lowbias32" of (index, stream)."""
    x = (numpy.arange(count, dtype=numpy.uint64) * 0x9E3779B9 + (stream * 0x85EBCA6B + 0x1234567)) & 0xFFFFFFFF
    x ^= x >> 16
    x = (x * 0x7FEB352D) & 0xFFFFFFFF
    x ^= x >> 15
    x = (x * 0x846CA68B) & 0xFFFFFFFF
    x ^= x >> 16
    return (x >> 8).astype(numpy.float64) / 2**23 - 1


def integers(count, stream, bound):
    return ((uniform(count, stream) + 1) / 2 * bound).astype(numpy.int64)


def table_order(name):
    """Sorts Hugging Face's names into the order of the tensor table."""
    parts = ["embed_tokens", "layers", "model.norm", "lm_head"]
    inside = ["input_layernorm", "q_proj.weight", "k_proj.weight", "v_proj.weight", "q_proj.bias", "k_proj.bias",
              "v_proj.bias", "q_norm", "k_norm", "o_proj.weight", "o_proj.bias", "post_attention_layernorm",
              "gate_proj.weight", "up_proj.weight", "gate_proj.bias", "up_proj.bias", "down_proj.bias",
              "down_proj.weight"]
    where = next(i for i, part in enumerate(parts) if part in name)
    if where != 1:
        return (where, 0, 0)
    return (where, int(name.split(".")[2]), next(i for i, part in enumerate(inside) if part in name))


def network(sizes):
    """transformers' model of a checkpoint's record."""
    names = {"hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads", "num_key_value_heads",
             "vocab_size", "max_position_embeddings", "rms_norm_eps", "initializer_range", "tie_word_embeddings",
             "head_dim", "attention_bias", "mlp_bias", "sliding_window", "no_rope_layer_interval"}
    rope = {"rope_type": "default", "rope_theta": sizes["rope_theta"]}
    if "rope_scaling" in sizes:
        rope["rope_type"] = sizes["rope_scaling"]
        rope["factor"] = sizes["rope_factor"]
    if rope["rope_type"] == "llama3":
        rope["low_freq_factor"] = sizes["rope_low_freq_factor"]
        rope["high_freq_factor"] = sizes["rope_high_freq_factor"]
        rope["original_max_position_embeddings"] = sizes["rope_original_max_position_embeddings"]
    config = AutoConfig.for_model(
        sizes.get("architecture", "llama"), **{key: value for key, value in sizes.items() if key in names},
        rope_parameters=rope, pad_token_id=None, bos_token_id=None, eos_token_id=None, attn_implementation="sdpa")
    return AutoModelForCausalLM.from_config(config).double().train()
