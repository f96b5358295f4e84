"""How fast do the same ONNX files run in Equant, ONNX Runtime, OpenVINO and PyTorch?

    python Benchmarks/inference.py [MODEL ...] [--binary .build/release/equant] [--threads 2]
        [--rounds 8]
        [--cases f32:64x64,int8:64x64,...] [--float model.onnx --int8 model-int8.onnx] [--json FILE]

Every engine is a process of its own that runs bursts on request; the engines take turns, so that
whatever else the machine does hits all of them alike. Times are the shortest batch of all bursts
(the spread between bursts is printed), memory is the process's peak. Without --float and --int8 it
makes a two-class ResNet-18 and quantizes it with ONNX Runtime (QDQ, per channel; "int8reduced" with
its reduce_range, weights from -64 to 64, which processors without VNNI multiply exactly in one pass).
PyTorch runs the same network: f32 and bf16 from the same weights in eager mode (best of NCHW and channels-last),
int8 by its x86 engine with fused modules.

MODEL is one of torchvision's, by default resnet18; the others are run at 224 x 224, in f32 and int8,
and in PyTorch in f32 only.

Prints one table and, with --json, writes the same numbers.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time


def make_models(folder, network="resnet18"):
    """A two-class network with lively statistics, as float and as int8 ONNX files, by name."""
    import numpy as np
    import torch
    import torchvision
    from onnxruntime.quantization import (
        CalibrationDataReader, QuantFormat, QuantType, quantize_static)

    torch.manual_seed(0)
    model = getattr(torchvision.models, network)(num_classes=2).train()
    with torch.no_grad():
        for _ in range(6):
            model(torch.randn(16, 3, 64, 64))
    model.eval()
    models = {name: os.path.join(folder, name + ".onnx") for name in ("f32", "int8", "int8reduced")}
    plain = models["f32"]
    axes = {"input": {0: "n", 2: "h", 3: "w"}, "logits": {0: "n"}}
    torch.onnx.export(
        model, (torch.randn(2, 3, 64, 64),), plain, input_names=["input"],
        output_names=["logits"], dynamic_axes=axes, opset_version=17, dynamo=False)

    class Calibration(CalibrationDataReader):
        def __init__(self):
            random = np.random.default_rng(0)
            self.batches = iter(
                {"input": random.standard_normal((8, 3, 64, 64)).astype("f")} for _ in range(4))

        def get_next(self):
            return next(self.batches, None)

    for name in ("int8", "int8reduced"):
        quantize_static(
            plain, models[name], Calibration(), quant_format=QuantFormat.QDQ, per_channel=True,
            activation_type=QuantType.QUInt8, weight_type=QuantType.QInt8,
            reduce_range=name == "int8reduced")
    return models


def onnxruntime_engine(path, x, precision, threads):
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    return lambda: session.run(None, {name: x})


def openvino_engine(path, x, precision, threads):
    import openvino

    model = openvino.Core().read_model(path)
    model.reshape(list(x.shape))  # Known shapes are what OpenVINO is fastest with.
    compiled = openvino.Core().compile_model(model, "CPU", {
        "INFERENCE_NUM_THREADS": threads, "PERFORMANCE_HINT": "LATENCY",
        "INFERENCE_PRECISION_HINT": "bf16" if precision == "bf16" else "f32"})
    request = compiled.create_infer_request()
    return lambda: request.infer([x])


def torch_engine(path, x, precision, threads):
    import torch
    import torchvision

    network = os.path.basename(os.path.dirname(path))
    if not hasattr(torchvision.models, network):
        network = "resnet18"
    if network != "resnet18" and precision != "f32":
        raise ValueError("only ResNet-18 is quantized by PyTorch here")
    torch.set_num_threads(threads)
    torch.manual_seed(0)
    images = torch.from_numpy(x)
    if precision == "int8":
        from torchvision.models.quantization import resnet18

        torch.backends.quantized.engine = "x86"
        model = resnet18(num_classes=2, quantize=False).eval()
        model.fuse_model()
        model.qconfig = torch.ao.quantization.get_default_qconfig("x86")
        torch.ao.quantization.prepare(model, inplace=True)
        model(images)
        torch.ao.quantization.convert(model, inplace=True)
        run = [lambda: model(images)]
    else:
        make = getattr(torchvision.models, network)
        model = make(num_classes=2).eval()
        last = make(num_classes=2).eval().to(memory_format=torch.channels_last)
        images_last = images.contiguous(memory_format=torch.channels_last)
        if precision == "bf16":
            model, last = model.bfloat16(), last.bfloat16()
            run = [lambda: model(images.bfloat16()), lambda: last(images_last.bfloat16())]
        else:
            run = [lambda: model(images), lambda: last(images_last)]

    def timed(f):
        best = float("inf")
        for _ in range(4):
            start = time.perf_counter()
            f()
            best = min(best, time.perf_counter() - start)
        return best

    with torch.inference_mode():
        best = min(run, key=timed)

    def infer():
        with torch.inference_mode():
            best()

    return infer


ENGINES = {
    "PyTorch": torch_engine, "ONNX Runtime": onnxruntime_engine, "OpenVINO": openvino_engine}


def work(arguments):
    """The process of one peer: a burst for every line on standard input."""
    import warnings

    import numpy as np

    warnings.filterwarnings("ignore")
    engine, path, precision, batch, size, threads, seconds, clock = arguments
    now = time.process_time if clock == "cpu" else time.perf_counter
    x = np.random.default_rng(1).uniform(-1, 1, (int(batch), 3, int(size), int(size))).astype("f")
    run = ENGINES[engine](path, x, precision, int(threads))
    run()
    print("ready", flush=True)
    for _ in sys.stdin:
        end, best = time.perf_counter() + float(seconds), float("inf")
        while best == float("inf") or time.perf_counter() < end:
            start = now()
            run()
            best = min(best, now() - start)
        print(best, flush=True)
    with open("/proc/self/status") as status:
        peak = next(int(line.split()[1]) for line in status if line.startswith("VmHWM:"))
    print(json.dumps({"peakResidentBytes": peak * 1024}), flush=True)


class Engine:
    """A process that answers lines with the seconds of its shortest batch."""

    def __init__(self, name, command, environment):
        self.name, self.times = name, []
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
            text=True, env=environment)
        self.works = False
        for line in self.process.stdout:
            if line.strip() == "ready":
                self.works = True
                break

    def burst(self):
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        self.times.append(float(self.process.stdout.readline()))

    def finish(self):
        self.process.stdin.close()
        last = self.process.stdout.read().strip().splitlines()
        self.process.wait()
        return json.loads(last[-1])["peakResidentBytes"] if last else 0


def measure(case, models, options):
    """One row of the table: images per second and peak memory of every engine."""
    precision, shape = case.split(":")
    size, batch = (int(part) for part in shape.split("x"))
    path = models.get(precision, models["f32"])
    precision = precision.removesuffix("reduced")
    environment = dict(os.environ, OMP_NUM_THREADS=str(options.threads))
    command = [
        options.binary, "bench-inference", path, "--batch", str(batch), "--size", str(size),
        "--seconds", str(options.seconds), "--interactive"]
    if options.cpu_time:
        command.append("--cpu-time")
    if precision == "bf16":
        command += ["--precision", "bf16"]
    engines = [Engine("Equant", command, environment)]
    for name in ENGINES:
        if precision == "bf16" and name == "ONNX Runtime":
            continue  # It has no bf16 convolutions on CPUs.
        engines.append(Engine(name, [
            sys.executable, __file__, "--worker", name, path, precision, str(batch), str(size),
            str(options.threads), str(options.seconds), "cpu" if options.cpu_time else "wall"],
            environment))
    engines = [engine for engine in engines if engine.works]
    for _ in range(options.rounds):
        for engine in engines:
            engine.burst()
    row = {"case": case, "engines": {}}
    for engine in engines:
        peak = engine.finish()
        ordered = sorted(engine.times)
        row["engines"][engine.name] = {
            "imagesPerSecond": batch / ordered[0],
            "median": batch / ordered[len(ordered) // 2],
            "slowest": batch / ordered[-1],
            "peakResidentBytes": peak}
    ours = row["engines"].get("Equant")
    peers = {n: e["imagesPerSecond"] for n, e in row["engines"].items() if n != "Equant"}
    if ours and peers:
        row["best"] = max(peers, key=peers.get)
        row["ratio"] = ours["imagesPerSecond"] / peers[row["best"]]
        medians = {n: row["engines"][n]["median"] for n in peers}
        row["medianRatio"] = ours["median"] / max(medians.values())
    return row


def main():
    if sys.argv[1:2] == ["--worker"]:
        return work(sys.argv[2:])
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    root = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    parser.add_argument("networks", nargs="*", default=["resnet18"], metavar="MODEL")
    parser.add_argument("--binary", default=os.environ.get(
        "EQUANT", os.path.join(root, ".build/release/equant")))
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--rounds", type=int, default=8)
    parser.add_argument("--seconds", type=float, default=0.25, help="length of a burst")
    parser.add_argument(
        "--cases",
        help="precision:sidexbatch, with commas between; by default for ResNet-18 "
        "f32:64x64,bf16:64x64,int8:64x64,int8reduced:64x64,f32:64x1,int8:64x1,"
        "int8reduced:64x1,f32:224x16,bf16:224x16,int8:224x16,int8reduced:224x16,f32:224x1,"
        "int8:224x1,int8reduced:224x1, for others "
        "f32:224x16,int8:224x16,f32:224x1,int8:224x1")
    parser.add_argument("--float", help="a float ONNX file")
    parser.add_argument("--int8", help="the same model as a QDQ file")
    parser.add_argument(
        "--cpu-time", action="store_true",
        help="count processor seconds: with --threads 1, ratios hold on a busy machine too")
    parser.add_argument("--json", help="where to write the numbers")
    options = parser.parse_args()
    standard = ("f32:64x64,bf16:64x64,int8:64x64,int8reduced:64x64,f32:64x1,int8:64x1,"
                "int8reduced:64x1,f32:224x16,bf16:224x16,int8:224x16,int8reduced:224x16,"
                "f32:224x1,int8:224x1,int8reduced:224x1")
    rows = []
    for network in options.networks:
        with tempfile.TemporaryDirectory() as scratch:
            folder = os.path.join(scratch, network)
            os.mkdir(folder)
            if options.float and options.int8:
                models = {"f32": options.float, "int8": options.int8}
            else:
                print("making the models", file=sys.stderr)
                models = make_models(folder, network)
            print(f"{network}, images/s (peak MB), {options.threads} threads, best of "
                  f"{options.rounds} bursts in turn", flush=True)
            cases = options.cases or (
                standard if network == "resnet18" else "f32:224x16,int8:224x16,f32:224x1,int8:224x1")
            for case in cases.split(","):
                row = dict(measure(case, models, options), model=network)
                rows.append(row)
                cells = [
                    f"{name} {e['imagesPerSecond']:.0f} ({e['peakResidentBytes'] / 1e6:.0f})"
                    for name, e in row["engines"].items()]
                ratio = (f"{row['ratio']:.2f} x {row['best']} (medians {row['medianRatio']:.2f})"
                         if "ratio" in row else "no peer ran")
                print(f"{case:12} {ratio:42} " + "  ".join(cells), flush=True)
    if options.json:
        with open(options.json, "w") as file:
            json.dump({"threads": options.threads, "rows": rows}, file, indent=2)


if __name__ == "__main__":
    main()
