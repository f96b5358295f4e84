"""Runs an ONNX model in another runtime; `equant verify` starts it and reads what it prints.

python verify.py RUNTIME MODEL INPUTS OUTPUTS SHAPE OUTPUT-NAME
INPUTS holds float32 images of SHAPE, a JSON list, one after another; OUTPUTS gets float32 rows.
Prints one line of JSON; exits with 3 when the runtime's package is missing.
"""

import json
import sys


def fail(message, status):
    sys.stderr.write(message.replace("\n", " ")[:400] + "\n")
    sys.exit(status)


def main(runtime, path, inputs, outputs, shape, name):
    try:
        import numpy as np

        module = __import__(runtime)
    except ImportError as error:
        fail(f"{error}", 3)
    shape = json.loads(shape)
    images = np.memmap(inputs, dtype=np.float32, mode="r").reshape([-1] + shape)
    if runtime == "onnxruntime":
        session = module.InferenceSession(path, providers=["CPUExecutionProvider"])
        first = session.get_inputs()[0]
        fixed = first.shape[0] if isinstance(first.shape[0], int) else None
        run = lambda batch: session.run([name], {first.name: batch})[0]
    else:
        core = module.Core()
        model = core.read_model(path)
        extent = model.input(0).partial_shape[0]
        fixed = extent.get_length() if extent.is_static else None
        hints = {"INFERENCE_PRECISION_HINT": "f32", "PERFORMANCE_HINT": "LATENCY"}
        # By itself it quantizes what layers of 8-bit weights read, which the file does not say.
        hints["DYNAMIC_QUANTIZATION_GROUP_SIZE"] = "0"
        compiled = core.compile_model(model, "CPU", hints)
        request, port = compiled.create_infer_request(), compiled.output(name)
        run = lambda batch: request.infer([batch])[port]
    size = fixed or 32
    columns = 0
    with open(outputs, "wb") as file:
        for start in range(0, len(images), size):
            batch = np.ascontiguousarray(images[start : start + size])
            count = len(batch)
            if fixed and count < fixed:
                batch = np.concatenate([batch, np.repeat(batch[-1:], fixed - count, 0)])
            rows = np.asarray(run(batch), dtype=np.float32).reshape(len(batch), -1)[:count]
            columns = rows.shape[1]
            file.write(np.ascontiguousarray(rows).tobytes())
    print(json.dumps({"version": module.__version__, "columns": columns}))


try:
    main(*sys.argv[1:])
except Exception as error:
    fail(f"{type(error).__name__}: {error}", 4)
