public import OneDNN

/// What real numbers are computed in; quantized parts of a graph are int8 whatever is chosen.
public enum Precision: String, Hashable, Codable, Sendable, CaseIterable {
  /// Single precision throughout.
  case float32 = "f32"
  /// Activations and weights in bfloat16, sums and the last layers in single precision.
  case bfloat16 = "bf16"

  /// bfloat16 where the processor multiplies it natively, single precision elsewhere.
  public static var automatic: Precision { automatic(on: .current) }

  /// What suits `processor`.
  public static func automatic(on processor: Processor) -> Precision {
    processor.hasNativeBFloat16 ? .bfloat16 : .float32
  }
}
