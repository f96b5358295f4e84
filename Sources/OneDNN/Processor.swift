import COneDNN

/// What oneDNN found and will use on this machine.
public struct Processor: Hashable, Sendable {
  /// oneDNN's version, such as `3.2.0`.
  public let version: String
  /// The file the library was loaded from, or `nil` where the system does not say.
  public let libraryPath: String?
  /// The most capable instruction set that kernels are generated for, with oneDNN's name.
  public let instructionSet: String
  /// Whether bfloat16 products are the processor's own instructions.
  public let hasNativeBFloat16: Bool
  /// Whether oneDNN has bfloat16 kernels for it: native, or emulated with AVX-512.
  public let runsBFloat16: Bool
  /// Whether int8 products are the processor's own instructions (VNNI).
  ///
  /// Elsewhere oneDNN adds pairs of products in 16 bits, which saturate: weights above 64 in
  /// magnitude give wrong sums.
  public let hasNativeInt8: Bool
  /// The number of threads kernels run on.
  public let threadCount: Int

  /// This machine.
  public static var current: Processor {
    let found = dnnl_version().pointee
    let set = dnnl_get_effective_cpu_isa()
    let name = names.first { $0.set == set }?.name ?? "unknown (\(set.rawValue))"
    return Processor(
      version: "\(found.major).\(found.minor).\(found.patch)",
      libraryPath: equant_library_path().map { String(cString: $0) },
      instructionSet: name,
      hasNativeBFloat16: includes(set, dnnl_cpu_isa_avx512_core_bf16),
      runsBFloat16: includes(set, dnnl_cpu_isa_avx512_core),
      hasNativeInt8: includes(set, dnnl_cpu_isa_avx512_core_vnni)
        || includes(set, dnnl_cpu_isa_avx2_vnni),
      threadCount: Parallel.threadCount)
  }

  /// oneDNN numbers its instruction sets so that a set's bits include those of what it extends.
  private static func includes(_ set: dnnl_cpu_isa_t, _ other: dnnl_cpu_isa_t) -> Bool {
    set.rawValue & other.rawValue == other.rawValue
  }

  private static let names: [(set: dnnl_cpu_isa_t, name: String)] = [
    (dnnl_cpu_isa_default, "default"),
    (dnnl_cpu_isa_sse41, "sse41"),
    (dnnl_cpu_isa_avx, "avx"),
    (dnnl_cpu_isa_avx2, "avx2"),
    (dnnl_cpu_isa_avx2_vnni, "avx2_vnni"),
    (dnnl_cpu_isa_avx2_vnni_2, "avx2_vnni_2"),
    (dnnl_cpu_isa_avx512_core, "avx512_core"),
    (dnnl_cpu_isa_avx512_core_vnni, "avx512_core_vnni"),
    (dnnl_cpu_isa_avx512_core_bf16, "avx512_core_bf16"),
    (dnnl_cpu_isa_avx512_core_fp16, "avx512_core_fp16"),
    (dnnl_cpu_isa_avx512_core_amx, "avx512_core_amx"),
    (dnnl_cpu_isa_avx512_core_amx_fp16, "avx512_core_amx_fp16"),
  ]
}
