"""What golden files need of ONNX Runtime: calibration on made-up images, and plain execution."""

import onnxruntime as ort
from onnxruntime.quantization import CalibrationDataReader

from formula import images


class Calibration(CalibrationDataReader):
    """Four batches of images of `shape`."""

    def __init__(self, shape):
        self.batches = iter([{"input": images(shape, f"calibration{i}")} for i in range(4)])

    def get_next(self):
        return next(self.batches, None)


def run(path, shape):
    """The logits of images of `shape`, without graph optimisation."""
    options = ort.SessionOptions()
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = ort.InferenceSession(str(path), options)
    return session.run(None, {"input": images(shape)})[0].flatten().astype(float).tolist()
