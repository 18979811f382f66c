#!/usr/bin/env python3
"""Compares `mile-dist eval --tasks` with lm_eval on a continued pretraining of a small Llama 3 that transformers made.

    pip install torch transformers datasets lm_eval accelerate
                                          (written for PyTorch 2.13, transformers 5.24, lm_eval 0.4.13; CPU, no network)
    python3 compare_lm_eval.py --program .build/release/mile-dist --text FILE

The model has every key of a published Llama 3.2 config.json, with smaller sizes and random weights. Its tokenizer.json is
byte-level BPE with Llama 3's pattern, learned from FILE. The template of the tokenizer puts <|begin_of_text|> before a
text, as Llama 3's does. A second model has no template, and its texts begin with nothing, as SmolLM2's do.

Per model:
* the directory is imported, trained on .jsonl.gz for some steps by two ranks, and exported;
* every file beside the weights is that of the directory, byte for byte;
* transformers loads the export without remarks, and its tokenizer gives the ids of `tokenizer encode`;
* lm_eval scores the export, and the program the checkpoint, on three tasks of both forms of multiple choice and of last
  words; a few documents have blanks at the end of a context, an empty context, or special tokens in it;
* log-likelihoods are within 1e-4 nats; acc, acc_norm and acc_bytes of each document are equal;
* acc, acc_norm, acc_bytes are equal, and perplexity is within 1e-4 of its size.

Exits with 1 if anything differs. Ranks are started by mpirun; its variables for root and for many ranks per core apply.
"""

import argparse
import gzip
import json
import math
import os
import random
import re
import sys

sys.path.append(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "references"))
import comparison  # noqa: E402

TOKENS, STEPS, RANKS, DOCUMENTS = 1000, 500, 2, 300
TOLERANCE = 1e-4
BEGIN, END, TURN = "<|begin_of_text|>", "<|end_of_text|>", "<|eot_id|>"
SPECIAL = [BEGIN, END, "<|finetune_right_pad_id|>", "<|start_header_id|>", "<|end_header_id|>", "<|eom_id|>", TURN,
           "<|python_tag|>"]
PATTERN = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+"
           r"|\s+(?!\S)|\s+")
CHAT = ("{{- bos_token }}{%- for message in messages %}{{- '<|start_header_id|>' + message['role'] + "
        "'<|end_header_id|>\n\n' + message['content'] | trim + '<|eot_id|>' }}{%- endfor %}")
METRICS = {"choices": ["acc", "acc_norm", "acc_bytes"], "contexts": ["acc"], "last": ["acc", "perplexity"]}
# The harness's words for the three forms of a task file's document.
TASKS = {
    "choices": {"output_type": "multiple_choice", "doc_to_text": "{{context}}", "doc_to_choice": "choices",
                "doc_to_target": "label"},
    "contexts": {"output_type": "multiple_choice", "doc_to_text": "label", "doc_to_choice": "contexts",
                 "doc_to_target": "completion", "target_delimiter": ""},
    "last": {"output_type": "loglikelihood", "doc_to_text": "{{context}}", "doc_to_target": "{{completion}}"},
}


def paragraphs(text):
    return [part.strip() for part in text.split("\n\n") if part.strip()]


def make_tokenizer(texts, has_template):
    """A tokenizer of Llama 3's kind. Without a template it has one special token at both ends of texts."""
    from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, processors, trainers
    from transformers import PreTrainedTokenizerFast
    tokenizer = Tokenizer(models.BPE(ignore_merges=True))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([
        pre_tokenizers.Split(Regex(PATTERN), "isolated"),
        pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.train_from_iterator(texts, trainers.BpeTrainer(
        vocab_size=TOKENS, show_progress=False, initial_alphabet=pre_tokenizers.ByteLevel.alphabet()))
    tokenizer.add_special_tokens(SPECIAL)
    steps = [processors.ByteLevel(trim_offsets=False)]
    if has_template:
        begin = (BEGIN, tokenizer.token_to_id(BEGIN))
        steps.append(processors.TemplateProcessing(
            single=f"{BEGIN} $A", pair=f"{BEGIN} $A {BEGIN}:1 $B:1", special_tokens=[begin]))
    tokenizer.post_processor = processors.Sequence(steps)
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, bos_token=BEGIN if has_template else END, eos_token=END, chat_template=CHAT,
        clean_up_tokenization_spaces=True, model_input_names=["input_ids", "attention_mask"], model_max_length=131072)


def make_model(tokenizer, folder):
    """A random Llama 3.2 whose files are in `folder`, as transformers writes them."""
    import torch
    from compare_architectures import scaled
    from transformers import AutoConfig, AutoModelForCausalLM, GenerationConfig
    ids = tokenizer.convert_tokens_to_ids
    config = scaled("Llama-3.2-1B")
    config.update(vocab_size=len(tokenizer), bos_token_id=tokenizer.bos_token_id, torch_dtype="float32",
                  eos_token_id=[ids(END), ids("<|eom_id|>"), ids(TURN)])
    torch.manual_seed(1)
    model = AutoModelForCausalLM.from_config(AutoConfig.for_model(**config), dtype=torch.float32)
    model.generation_config = GenerationConfig(
        bos_token_id=config["bos_token_id"], eos_token_id=config["eos_token_id"], do_sample=True, temperature=0.6,
        top_p=0.9)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    with open(os.path.join(folder, "README.md"), "w") as file:
        file.write("---\nlicense: apache-2.0\n---\n# A small model\n")


def make_documents(texts, seed):
    """Documents of each task, from lines of `texts`."""
    generator = random.Random(seed)
    lines = [line for text in texts for line in text.split("\n") if len(line.split()) >= 7]
    words = sorted({word for line in lines for word in line.split() if word.isalpha()})

    def cut():
        parts = generator.choice(lines).split()
        middle = len(parts) // 2
        return " ".join(parts[:middle]), " ".join(parts[middle:])

    choices, contexts, last = [], [], []
    for _ in range(DOCUMENTS):
        (context, right), label = cut(), generator.randrange(4)
        options = [cut()[1] for _ in range(4)]
        options[label] = right
        choices.append({"context": context, "choices": options, "label": label})
        (context, completion), other = cut(), generator.choice(words)
        both = [context, f"{context} {other}"]
        contexts.append({"contexts": both[::1 - 2 * (label % 2)], "completion": " " + completion, "label": label % 2})
        text = generator.choice(texts)
        word = generator.choice(list(re.finditer(r"(?<=\S)\s\S+", text)) or list(re.finditer(r"\S+$", text)))
        last.append({"context": text[:word.start()], "completion": word.group()})
    choices += [
        {"context": "", "choices": ["First Citizen", "zqx", "é"], "label": 0},
        {"context": "The king \n ", "choices": ["is", "are here", "naïve 中文"], "label": 1},
        {"context": f"{BEGIN}The king", "choices": ["is", "are here"], "label": 0},
        {"context": f"The king{END}The", "choices": ["queen", "café au lait"], "label": 0}]
    last += [
        {"context": "The king ", "completion": "is"}, {"context": "", "completion": "First Citizen"},
        {"context": f"{BEGIN}Speak,", "completion": f" speak{TURN}"}]
    contexts.append({"contexts": ["The king ", f"{BEGIN}Speak"], "completion": " speak", "label": 1})
    return {"choices": choices, "contexts": contexts, "last": last}


class Comparison(comparison.Comparison):
    """The checks of one tokenizer and its model."""

    def __init__(self, name, has_template, program, folder, text):
        super().__init__(name, program, folder)
        self.has_template = has_template
        self.texts = paragraphs(text)

    def train(self):
        """Makes, imports, trains and exports the model."""
        self.tokenizer = make_tokenizer(self.texts, self.has_template)
        make_model(self.tokenizer, self.path("made"))
        with gzip.open(self.path("text.jsonl.gz"), "wt", encoding="utf-8") as file:
            for text in self.texts:
                file.write(json.dumps({"text": text}) + "\n")
        printed = self.run("import", "made", "--output", "imported")
        section = printed[printed.index("model: {"):]
        with open(self.path("run.yaml"), "w") as file:
            file.write(f"""{section[:section.index("}" + chr(10)) + 2]}
data:
  tokenizer: made/tokenizer.json
  train: [{{name: text, path: text.jsonl.gz}}]
  sequence_length: 64
optimizer: {{learning_rate: 6.0e-3}}
schedule: {{kind: cosine, warmup_steps: 20, total_steps: {STEPS}}}
training: {{global_batch_size: 16, micro_batch_size: 4, threads: 1}}
checkpoint: {{every: {STEPS}}}
logging: {{directory: run, every: 1}}
""")
        self.run("run.yaml", "--initialize-from", "imported", ranks=RANKS)
        with open(self.path("run/metrics.jsonl")) as file:
            losses = [row["ce"] for row in map(json.loads, file) if "grad_norm" in row]
        self.check(f"CE falls in {STEPS} steps on {RANKS} ranks", len(losses) == STEPS and losses[-1] < losses[0] - 1,
                   f"{losses[0]:.3f} to {losses[-1]:.3f}")
        self.run("export", "run/checkpoints", "--output", "exported")

    def compare_files(self):
        from safetensors.torch import load_file
        from transformers import AutoModelForCausalLM, AutoTokenizer
        made, exported = (sorted(os.listdir(self.path(name))) for name in ("made", "exported"))
        self.check("names of the files", made == exported, " ".join(exported))
        for name in made:
            if name not in exported or name.endswith(".safetensors"):
                continue
            with open(self.path("made", name), "rb") as a, open(self.path("exported", name), "rb") as b:
                a, b = a.read(), b.read()
            self.check(f"bytes of {name}", a == b, f"{len(b)} bytes")
        before, after = (load_file(self.path(name, "model.safetensors")) for name in ("made", "exported"))
        self.check("weights changed, and their names did not",
                   before.keys() == after.keys() and all(not before[key].equal(after[key]) for key in after))
        _, info = AutoModelForCausalLM.from_pretrained(self.path("exported"), output_loading_info=True)
        odd = [key for key in ("missing_keys", "unexpected_keys", "mismatched_keys") if info.get(key)]
        self.check("transformers loads it without remarks", not odd, str(odd) if odd else "")
        tokenizer = AutoTokenizer.from_pretrained(self.path("exported"))
        lines = [line for text in self.texts[:200] for line in text.split("\n")] + ["naïve 中文 🙂", f"a{END}b 1234567"]
        found = self.run("tokenizer", "encode", "--tokenizer", "exported/tokenizer.json",
                         text="".join(line + "\n" for line in lines).encode())
        expected = [tokenizer.encode(line, add_special_tokens=False) for line in lines]
        self.check(f"ids of {len(lines)} lines",
                   [[int(id) for id in line.split()] for line in found.splitlines()] == expected)
        self.check("ids before a text", tokenizer.encode("a")[:-1] == ([tokenizer.bos_token_id] if self.has_template
                                                                       else []), str(tokenizer.encode("a")[:-1]))

    def write_tasks(self, documents):
        os.makedirs(self.path("tasks"))
        for task, rows in documents.items():
            with open(self.path("tasks", f"{task}.jsonl"), "w") as file:
                file.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
            with open(self.path(f"{task}.jsonl"), "w") as file:
                file.writelines(json.dumps({"task": task, **row}, ensure_ascii=False) + "\n" for row in rows)
            metrics = [{"metric": metric, "aggregation": "perplexity" if metric == "perplexity" else "mean",
                        "higher_is_better": metric != "perplexity"} for metric in METRICS[task]]
            with open(self.path("tasks", f"{task}.yaml"), "w") as file:
                # JSON is YAML.
                json.dump({"task": task, "dataset_path": "json", "test_split": "test", "metric_list": metrics,
                           "dataset_kwargs": {"data_files": {"test": self.path("tasks", f"{task}.jsonl")}},
                           **TASKS[task]}, file)

    def harness(self):
        """Means of the metrics, and log-likelihoods and scores of each document, by task."""
        import lm_eval
        from lm_eval.tasks import TaskManager
        found = lm_eval.simple_evaluate(
            model="hf", model_args={"pretrained": self.path("exported"), "dtype": "float32"}, tasks=list(TASKS),
            task_manager=TaskManager(include_path=self.path("tasks"), include_defaults=False), device="cpu",
            batch_size=8, bootstrap_iters=0, log_samples=True)
        results = {}
        for task in TASKS:
            rows = sorted(found["samples"][task], key=lambda row: row["doc_id"])
            means = {metric: found["results"][task][f"{metric},none"] for metric in METRICS[task]}
            results[task] = means, [([answer[0][0] for answer in row["resps"]], row) for row in rows]
        return results

    def compare_tasks(self, documents):
        self.write_tasks(documents)
        expected = self.harness()
        means = json.loads(self.run("eval", "run/checkpoints", "--tasks", *(f"{task}.jsonl" for task in TASKS), "--json",
                                    "--per-document", "documents.jsonl", ranks=RANKS))["tasks"]
        with open(self.path("documents.jsonl")) as file:
            rows = [json.loads(line) for line in file]
        for task, (expected_means, expected_rows) in expected.items():
            found = [row for row in rows if row["task"] == task]
            if [len(row["ll"]) for row in found] != [len(values) for values, _ in expected_rows]:
                self.check(f"{task}: documents", False, f"{len(found)} of {len(expected_rows)}")
                continue
            pairs = [pair for row, (values, _) in zip(found, expected_rows) for pair in zip(row["ll"], values)]
            worst = max(abs(a - b) for a, b in pairs)
            self.check(f"{task}: {len(pairs)} log-likelihoods of {len(found)} documents", worst < TOLERANCE,
                       f"{worst:.1e} of {TOLERANCE:.0e}, mean {math.fsum(b for _, b in pairs) / len(pairs):.3f}")
            for metric in METRICS[task]:
                a, b = means[task][metric], expected_means[metric]
                if metric == "perplexity":
                    self.check(f"{task}: {metric}", abs(a / b - 1) < TOLERANCE, f"{a:.6f}, lm_eval {b:.6f}")
                    continue
                other = sum(row[metric] != value[metric] for row, (_, value) in zip(found, expected_rows))
                self.check(f"{task}: {metric}", other == 0 and abs(a - b) < 1e-12,
                           f"{a:.6f}, lm_eval {b:.6f}, {other} decisions differ")

    def all(self):
        self.train()
        self.compare_files()
        self.compare_tasks(make_documents(self.texts, seed=1))


def main():
    parser = argparse.ArgumentParser(description="Compares eval --tasks with lm_eval on a trained Llama 3.")
    parser.add_argument("--text", help="UTF-8 text with blank lines between documents, some 100 KB or more")
    comparison.add_options(parser)
    arguments = parser.parse_args()
    data = os.environ.get("MILE_SHARED_DATA", "../shared/data")
    with open(arguments.text or os.path.join(data, "tinyshakespeare-train.txt"), encoding="utf-8") as file:
        text = file.read()
    with comparison.working_folder(arguments.folder) as folder:
        # The packages read these variables when they are imported.
        os.environ.update(HF_HUB_OFFLINE="1", HF_DATASETS_OFFLINE="1", TOKENIZERS_PARALLELISM="false",
                          TQDM_DISABLE="1", HF_DATASETS_DISABLE_PROGRESS_BARS="1",
                          HF_HOME=os.path.join(folder, "cache"))
        import torch
        import transformers
        torch.set_num_threads(1)
        transformers.logging.set_verbosity_error()
        transformers.logging.disable_progress_bar()
        return comparison.exit_status(
            Comparison(name, has_template, arguments.program, folder, text)
            for name, has_template in (("template", True), ("plain", False)))


if __name__ == "__main__":
    sys.exit(main())
