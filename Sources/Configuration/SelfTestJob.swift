// SelfTestJob - the job of `mile-dist` without a configuration: a synthetic language, no file needed.

extension RunConfiguration {
    /// The configuration of the self-test job: its text, and its name, which gives the run directory `runs/embedded`.
    public static let selfTestJob: (text: String, name: String) = (
        """
        # The embedded job: learns a language that the program generates and whose best possible loss it knows.
        model:
          hidden_size: 128
          intermediate_size: 384
          num_hidden_layers: 3
          num_attention_heads: 4
          vocab_size: 257
          max_position_embeddings: 128
          initializer_range: 0.02
        data:
          tokenizer: bytes
          train:
            - {name: synthetic, path: "synthetic:train"}
          validation:
            - {name: synthetic, path: "synthetic:validation"}
          sequence_length: 128
        loss: {kind: mile, gamma: 1.0}
        optimizer: {learning_rate: 2.0e-3, beta1: 0.9, beta2: 0.95, weight_decay: 0.1, gradient_clip: 1.0}
        schedule: {kind: cosine, warmup_steps: 50, total_steps: 900, minimum_ratio: 0.0}
        training: {global_batch_size: 16, micro_batch_size: 8}
        evaluation: {every: 150, sequences: 0}
        checkpoint: {every: 300, keep: 2}
        logging: {every: 10}

        """, "embedded"
    )
}
