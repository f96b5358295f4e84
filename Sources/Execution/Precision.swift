public import OneDNN

/// What real numbers are computed in; quantized parts of a graph are int8 whatever is chosen.
public enum Precision: String, Hashable, Codable, Sendable, CaseIterable {
  /// Single precision throughout.
  case float32 = "f32"
  /// Activations and weights in bfloat16, sums and the last layers in single precision.
  case bfloat16 = "bf16"

  /// bfloat16 where the processor multiplies it natively, single precision elsewhere.
  public static var automatic: Precision { automatic(on: .current) }

  /// Whether oneDNN has the kernels for it on `processor`.
  public func runs(on processor: Processor = .current) -> Bool {
    self == .float32 || processor.runsBFloat16
  }

  /// Refuses what this processor cannot do, before a kernel is asked for.
  ///
  /// - Throws: ``ExecutionError`` that says what to do instead.
  public func check(on processor: Processor = .current) throws(ExecutionError) {
    if runs(on: processor) { return }
    throw ExecutionError(
      "precision \(rawValue)",
      "needs a processor with AVX-512, and this one has \(processor.instructionSet); "
        + "take f32, or auto where there is that choice")
  }

  /// What suits `processor`.
  public static func automatic(on processor: Processor) -> Precision {
    processor.hasNativeBFloat16 ? .bfloat16 : .float32
  }
}
