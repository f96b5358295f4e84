"""Classifiers of torchvision that learn from drawn portraits who is male, in minutes on one core."""

import os

import torch
import torchvision
import torchvision.transforms.v2 as transforms
from PIL import Image

BATCH = 40
EPOCHS = 4
# Portraits to learn from: fewer for networks that take long, in smaller batches.
COUNTS = {
    "mobilenet_v3_small": 3000, "shufflenet_v2_x1_0": 2500, "squeezenet1_1": 2500,
    "resnet18": 1600, "googlenet": 1600, "resnet34": 1000,
    "resnet50": 800, "densenet121": 800, "resnext50_32x4d": 600, "wide_resnet50_2": 400,
    "vgg11_bn": 320,
}
SMALL_BATCHES = ["resnet34", "resnet50", "resnext50_32x4d", "wide_resnet50_2", "densenet121"]


def network(name):
    """The network for two classes.

    torchvision draws the last layers of MnasNet and EfficientNet for a thousand classes: with two,
    their logits begin in the tens, and little is learned in a short time. All begin small here.
    """
    more = {"aux_logits": False, "init_weights": True} if name == "googlenet" else {}
    model = getattr(torchvision.models, name)(weights=None, num_classes=2, **more).train()
    drop_nothing(model)
    heads = [m for m in model.modules() if getattr(m, "out_features", 0) == 2
             or getattr(m, "out_channels", 0) == 2]
    torch.nn.init.normal_(heads[-1].weight, std=0.01)
    torch.nn.init.zeros_(heads[-1].bias)
    return model


def drop_nothing(model):
    """Leaves dropout and stochastic depth out."""
    for module in model.modules():
        if isinstance(module, (torch.nn.Dropout, torchvision.ops.StochasticDepth)):
            module.p = 0


def portraits(folder, size, split, count):
    """Portraits of a split, prepared as --preprocess torchvision does, and who is male."""
    prepare = transforms.Compose([
        transforms.ToImage(), transforms.Resize(round(size * 256 / 224), antialias=True),
        transforms.CenterCrop(size), transforms.ToDtype(torch.float32, scale=True),
        transforms.Normalize([0.485, 0.456, 0.406], [0.229, 0.224, 0.225])])
    with open(os.path.join(folder, "list_eval_partition.txt")) as file:
        names = [name for name, part in map(str.split, file) if part == split][:count]
    with open(os.path.join(folder, "list_attr_celeba.txt")) as file:
        next(file)
        column = next(file).split().index("Male") + 1
        male = {row[0]: row[column] == "1" for row in map(str.split, file)}
    images = [prepare(Image.open(os.path.join(folder, "img_align_celeba", n))) for n in names]
    return torch.stack(images), torch.tensor([int(male[n]) for n in names])


def learn(model, name, images, labels):
    """Trains with AdamW and one cycle of the learning rate; gives every epoch's share of right
    answers."""
    batch_size = BATCH // 2 if name in SMALL_BATCHES else BATCH
    rate = 2e-4 if name.startswith("squeezenet") else 2e-3
    steps = len(images) // batch_size
    model.to(memory_format=torch.channels_last)
    optimizer = torch.optim.AdamW(model.parameters(), lr=rate, fused=True)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, rate, total_steps=EPOCHS * steps)
    for _ in range(EPOCHS):
        right = 0
        for batch in torch.randperm(len(images))[:steps * batch_size].split(batch_size):
            x = images[batch].flip(3) if torch.rand(()) < 0.5 else images[batch]
            logits = model(x.contiguous(memory_format=torch.channels_last))
            loss = torch.nn.functional.cross_entropy(logits, labels[batch])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            right += int((logits.argmax(1) == labels[batch]).sum())
        yield right / (steps * batch_size)
    settle(model, images[:1000])


def learn_last_layers(model, images, labels):
    """Trains VGG's fully connected layers behind convolutions left as they were drawn.

    It takes 7.6 billion multiplications an image, at the one size it can be exported for: too many
    to train in minutes.
    """
    settle(model, images[:2 * BATCH])
    with torch.no_grad():
        seen = torch.cat([model.avgpool(model.features(x)).flatten(1) for x in images.split(BATCH)])
    optimizer = torch.optim.AdamW(model.classifier.parameters(), lr=1e-4, fused=True)
    for _ in range(2 * EPOCHS):
        right = 0
        for batch in torch.randperm(len(images)).split(BATCH):
            logits = model.classifier(seen[batch])
            loss = torch.nn.functional.cross_entropy(logits, labels[batch])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            right += int((logits.argmax(1) == labels[batch]).sum())
        yield right / len(images)


def learned(name, size, folder, kept=None):
    """The network after learning from the portraits in `folder`.

    With `kept`, a folder, what was learned is taken from there, or left there.
    """
    torch.manual_seed(0)
    model = network(name)
    path = os.path.join(kept, f"{name}.pt") if kept else ""
    if os.path.exists(path):
        model.load_state_dict(torch.load(path))
        return model.eval()
    images, labels = portraits(folder, size, "0", COUNTS.get(name, 2000))
    is_vgg = name.startswith("vgg")
    for _ in learn_last_layers(model, images, labels) if is_vgg else learn(
            model, name, images, labels):
        pass
    if path:
        torch.save(model.state_dict(), path)
    return model


def settle(model, images):
    """Batch norms' statistics as plain means over images, and the model ready to run."""
    drop_nothing(model)
    for module in model.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.momentum = None
            module.reset_running_stats()
    with torch.no_grad():
        for part in images.split(BATCH):
            model(part)
    return model.eval()
