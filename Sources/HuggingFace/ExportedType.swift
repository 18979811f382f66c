// ExportedType - the number format of exported weights.

/// The number format of the weights that an export writes.
public enum ExportedType: String, CaseIterable, Sendable {
    case fp32, bf16, fp16

    /// The format's name in safetensors.
    var stored: SafetensorsType {
        switch self {
        case .fp32: .float32
        case .bf16: .bfloat16
        case .fp16: .float16
        }
    }

    /// The name of the dtype in PyTorch, for `torch_dtype`.
    var torchName: String {
        switch self {
        case .fp32: "float32"
        case .bf16: "bfloat16"
        case .fp16: "float16"
        }
    }
}
