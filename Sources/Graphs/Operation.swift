/// The operators of ONNX's default set that Equant knows; raw values are ONNX's names.
public enum Operation: String, Hashable, Sendable, CaseIterable {
  case convolution = "Conv"
  case batchNormalization = "BatchNormalization"
  case relu = "Relu"
  case add = "Add"
  case maxPool = "MaxPool"
  case averagePool = "AveragePool"
  case globalAveragePool = "GlobalAveragePool"
  case flatten = "Flatten"
  case gemm = "Gemm"
  case identity = "Identity"
  case softmax = "Softmax"
  case quantizeLinear = "QuantizeLinear"
  case dequantizeLinear = "DequantizeLinear"
}
