"""How fast does ResNet-18 train in Equant and in PyTorch?

    python Benchmarks/training.py [--binary .build/release/equant] [--threads 2] [--rounds 12]
        [--model resnet18] [--size 64] [--batch 64] [--precisions f32,bf16] [--compile]
        [--cpu] [--json FILE]

A step is forward, mean cross-entropy, backward and SGD with momentum and weight decay, on one
batch in memory. Every engine is a process of its own that makes one step on request; the engines
take turns, so that whatever else the machine does hits all of them alike. PyTorch runs eager in
NCHW and in channels-last, bf16 by autocast; --compile adds torch.compile. Times are the shortest
step (median and spread are printed too), memory is the process's peak. The ratio is an engine's
speed over the best of PyTorch's. With --cpu and --threads 1, times are the processor's own: they
hold on a machine that others keep busy, where threads wait for each other.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time


def torch_worker(model, layout, precision, batch, size, threads):
    """Answers each line on standard input with the seconds of one training step."""
    import torch
    import torchvision

    torch.set_num_threads(threads)
    torch.manual_seed(0)
    network = torchvision.models.get_model(model, weights=None, num_classes=2).train()
    images = torch.randn(batch, 3, size, size)
    labels = torch.arange(batch) % 2
    if "last" in layout:
        network = network.to(memory_format=torch.channels_last)
        images = images.contiguous(memory_format=torch.channels_last)
    optimiser = torch.optim.SGD(network.parameters(), lr=0.01, momentum=0.9, weight_decay=1e-4)
    run = torch.compile(network) if "compiled" in layout else network

    def step():
        optimiser.zero_grad(set_to_none=True)
        with torch.autocast("cpu", torch.bfloat16, enabled=precision == "bf16"):
            loss = torch.nn.functional.cross_entropy(run(images), labels)
        loss.backward()
        optimiser.step()

    step()
    step()
    print("ready", flush=True)
    for _ in sys.stdin:
        start = time.perf_counter()
        step()
        print(time.perf_counter() - start, flush=True)


class Engine:
    """A process that makes one step on request."""

    def __init__(self, name, precision, command, threads, cpu):
        self.name, self.precision, self.times, self.cpu = name, precision, [], cpu
        environment = dict(os.environ, OMP_NUM_THREADS=str(threads))
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment)
        if name != "equant":
            self.read()

    def read(self):
        line = self.process.stdout.readline()
        if not line:
            sys.exit(f"{self.name} {self.precision} ended with {self.process.wait()}")
        return line

    def step(self):
        before = self.processor_seconds()
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        wall = float(self.read())
        return self.processor_seconds() - before if self.cpu else wall

    def processor_seconds(self):
        with open(f"/proc/{self.process.pid}/stat") as stat:
            fields = stat.read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def peak(self):
        with open(f"/proc/{self.process.pid}/status") as status:
            return next(int(line.split()[1]) * 1024 for line in status if "VmHWM" in line)

    def close(self):
        self.process.stdin.close()
        self.process.wait()


def native_precisions(binary):
    """What this processor multiplies by itself, as `equant doctor` finds it."""
    doctor = subprocess.run(
        [binary, "doctor", "--format", "json"], check=True, capture_output=True, text=True)
    return "f32,bf16" if json.loads(doctor.stdout)["nativeBFloat16"] else "f32"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--binary", default=os.environ.get("EQUANT", ".build/release/equant"))
    parser.add_argument(
        "--threads", type=int, default=int(os.environ.get("OMP_NUM_THREADS", os.cpu_count())))
    parser.add_argument("--rounds", type=int, default=12)
    parser.add_argument("--model", default="resnet18")
    parser.add_argument("--size", type=int, default=64)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument(
        "--precisions", help="default: f32, and bf16 where the processor has it")
    parser.add_argument("--compile", action="store_true")
    parser.add_argument("--cpu", action="store_true")
    parser.add_argument("--json")
    parser.add_argument("--worker", nargs=2, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.worker:
        return torch_worker(
            arguments.model, *arguments.worker, arguments.batch, arguments.size, arguments.threads)

    precisions = (arguments.precisions or native_precisions(arguments.binary)).split(",")
    sizes = ["--model", arguments.model, "--batch", str(arguments.batch)]
    sizes += ["--size", str(arguments.size)]
    layouts = ["nchw", "channels-last"] + (["compiled channels-last"] if arguments.compile else [])
    engines = []
    for precision in precisions:
        own = [arguments.binary, "bench-training", "--interactive", "--precision", precision]
        engines.append(Engine("equant", precision, own + sizes, arguments.threads, arguments.cpu))
        for layout in layouts:
            peer = [sys.executable, __file__, "--worker", layout, precision]
            peer += ["--threads", str(arguments.threads)]
            engines.append(Engine(
                f"pytorch {layout}", precision, peer + sizes, arguments.threads, arguments.cpu))
    for engine in engines:
        engine.step()
    for _ in range(arguments.rounds):
        for engine in engines:
            # Two in a row: the first finds its caches cold after another engine's turn.
            engine.step()
            engine.times.append(engine.step())

    title = f"{arguments.model}, {arguments.size} x {arguments.size}, batch {arguments.batch}"
    clock = "processor" if arguments.cpu else "wall clock"
    print(f"training {title}, {arguments.threads} threads, images/s by {clock}")
    heads = f"{'best':>8} {'median':>8} {'worst':>8} {'peak MB':>8} {'ratio':>6} {'memory':>7}"
    print(f"{'engine':32} {heads}")
    rows = []
    for precision in precisions:
        group = [engine for engine in engines if engine.precision == precision]
        peers = [engine for engine in group if engine.name != "equant"]
        best = min(min(engine.times) for engine in peers)
        least = min(engine.peak() for engine in peers)
        for engine in group:
            speeds = [arguments.batch / seconds for seconds in engine.times]
            rows.append({
                "engine": engine.name, "precision": precision, "best": max(speeds),
                "median": statistics.median(speeds), "worst": min(speeds),
                "peakBytes": engine.peak(), "ratio": best / min(engine.times),
                "memoryRatio": engine.peak() / least})
            row = rows[-1]
            print(
                f"{engine.name + ' ' + precision:32} {row['best']:8.1f} {row['median']:8.1f} "
                f"{row['worst']:8.1f} {row['peakBytes'] / 1e6:8.0f} {row['ratio']:6.2f} "
                f"{row['memoryRatio']:7.2f}")
    for engine in engines:
        engine.close()
    if arguments.json:
        with open(arguments.json, "w") as file:
            json.dump(rows, file, indent=2)


main()
