"""Uses the pages that `equant` writes as a person would, in a real browser.

Every number that is checked is recomputed here from study.json or from the predictions.
"""
import csv
import hashlib
import json
import shutil
import sys
import tempfile
import time
from pathlib import Path

from playwright.sync_api import sync_playwright

import browser as tools
from browser import Tab, check, equant, rows_of
from dashboard import check_dashboard
from many import check_many

HOSTILE = "<script>window.pwned=1</script><b>&amp;'\""


def make_study(folder):
    """A small study on drawn portraits: seconds, and every file a real one has."""
    equant("portraits", "--out", folder / "faces", "--train", 1500, "--validation", 200, "--test",
           800, "--size", "89x109", "--quiet")
    equant("study", "--data", folder / "faces", "--out", folder / "study", "--size", 32,
           "--epochs", 2, "--limit", 1500, "--quiet", "--store", folder / "runs.sqlite")
    return folder / "study"


def make_hostile(study, folder):
    """The same study with a group whose name would run if anything forgot to escape it."""
    shutil.copytree(study, folder)
    text = (folder / "study.json").read_text()
    result = json.loads(text.replace('"female"', json.dumps(HOSTILE)))
    for row in result["rows"]:
        path = folder / row["predictions"]
        quoted = '"' + HOSTILE.replace('"', '""') + '"'
        path.write_text(path.read_text().replace(",female", "," + quoted))
        result["provenance"]["files"][row["predictions"]] = hashlib.sha256(
            path.read_bytes()).hexdigest()
    (folder / "study.json").write_text(json.dumps(result))
    equant("report", folder)
    return folder


def predictions(study, row):
    with open(study / row["predictions"]) as file:
        return list(csv.DictReader(file))


def rate(rows, chosen, hit):
    picked = [row for row in rows if chosen(row)]
    return sum(map(hit, picked)) / len(picked) if picked else None


def shown(value):
    return "undefined" if value is None else f"{value:.3f}"


def check_tables(tab, result):
    first = {}
    for row in result["rows"]:
        first.setdefault(row["title"], row)
    for cells in rows_of(tab, "#tables .table >> nth=0 >> tbody tr"):
        row = first[cells[0]]
        check(cells[1].startswith(f"{100 * row['accuracy']['value']:.2f}"), f"accuracy {cells}")
        for cell, kind in zip(cells[2:], ("equalOpportunity", "fprDifference")):
            check(cell.startswith(f"{row['gaps'][kind]['absolute']:.3f}"), f"{kind} {cells}")
    tab.page.click("#tables .table >> nth=0 >> thead button >> nth=1")
    column = [float(cells[1].split()[0])
              for cells in rows_of(tab, "#tables .table >> nth=0 >> tbody tr")]
    check(column == sorted(column), "a heading sorts")
    check(tab.page.locator("#tables td:not([data-why])").count() == 0, "every cell explains itself")
    cell = tab.page.locator("#tables td[data-why]").first
    cell.focus()
    status = tab.page.locator("#tables .status").first
    check(status.text_content() == cell.get_attribute("data-why"), "focus explains a cell")
    tab.page.keyboard.press("ArrowRight")
    check("minus" in status.text_content(), "a gap says which group is subtracted")


def live(tab):
    return {cells[0]: cells for cells in rows_of(tab, "#live .table >> nth=0 >> tbody tr")}


def check_threshold(tab, study, result):
    row = result["rows"][0]
    table = live(tab)
    for group in row["groups"]:
        cells = table[group["name"]]
        for cell, key in zip(cells[2:], ("accuracy", "truePositiveRate", "falsePositiveRate",
                                         "selectionRate", "baseRate")):
            found = group["rates"][key]
            check(cell.startswith(shown(found["value"])), f"{key} of {cells[0]} equals study.json")
    gaps = {cells[0]: cells for cells in rows_of(tab, "#live .table >> nth=1 >> tbody tr")}
    for name, kind in (("EO (TPR gap)", "equalOpportunity"), ("FPR difference", "fprDifference"),
                       ("demographic parity", "demographicParity")):
        gap = row["gaps"][kind]
        check(gaps[name][1] == shown(gap["absolute"]), f"{kind} equals study.json")
        check(gaps[name][4] == f"{gap['to']} minus {gap['from']}", f"{kind} names its groups")
    people = predictions(study, row)

    def expect(thresholds):
        table = live(tab)
        for name, threshold in thresholds.items():
            mine = [p for p in people if p["group"] == name]
            says = lambda p: float(p["score"]) >= threshold
            tpr = rate(mine, lambda p: p["label"] == "1", says)
            fpr = rate(mine, lambda p: p["label"] == "0", says)
            accuracy = rate(mine, lambda p: True, lambda p: says(p) == (p["label"] == "1"))
            for cell, value in zip(table[name][2:], (accuracy, tpr, fpr)):
                check(cell.startswith(shown(value)), f"{name} at {threshold}: {cell} not {value}")

    names = [group["name"] for group in row["groups"]]
    slider = tab.page.locator("#threshold input[type=range]").first
    slider.focus()
    for _ in range(3):
        tab.page.keyboard.press("ArrowLeft")
    tab.page.wait_for_timeout(100)
    check(tab.page.locator("#threshold output").all_text_contents() == ["0.497"] * len(names),
          "the keyboard moves every threshold")
    expect({name: 0.497 for name in names})
    tab.page.uncheck("#threshold input[type=checkbox]")
    slider.scroll_into_view_if_needed()
    box = slider.bounding_box()
    tab.page.mouse.move(box["x"] + box["width"] * 0.497, box["y"] + box["height"] / 2)
    tab.page.mouse.down()
    tab.page.mouse.move(box["x"] + box["width"] * 0.42, box["y"] + box["height"] / 2, steps=8)
    tab.page.mouse.up()
    tab.page.wait_for_timeout(100)
    values = [float(text) for text in tab.page.locator("#threshold output").all_text_contents()]
    check(values[0] < 0.45 and set(values[1:]) == {0.497}, f"a drag moves one threshold: {values}")
    expect(dict(zip(names, values)))


def check_flips(tab, study, result):
    # What quantization alone flips differs by processor and can be nobody in so small a study.
    pairs = result["comparisons"]
    # The page shows only so many pictures: the fewest flips that there are.
    counts = [sum(f["gained"] + f["lost"] for f in pair["comparison"]["flips"]) for pair in pairs]
    index = counts.index(min(count for count in counts if count))
    pair = pairs[index]
    tab.page.locator("#flips .tools >> nth=0 >> select").select_option(str(index))
    named = {row["model"]: row for row in result["rows"] if row["seed"] == pair["seed"]}
    before = {p["id"]: p for p in predictions(study, named[pair["base"]])}
    after = {p["id"]: p for p in predictions(study, named[pair["model"]])}
    flipped = [p for p in before.values()
               if (float(p["score"]) >= 0.5) != (float(after[p["id"]]["score"]) >= 0.5)]
    cells = rows_of(tab, "#flips .table tbody tr")
    check(sum(int(c[3]) + int(c[4]) for c in cells) == len(flipped), "flips are counted")
    check(sum(f["gained"] + f["lost"] for f in pair["comparison"]["flips"]) == len(flipped),
          "study.json counts the same flips")
    group = flipped[0]["group"]
    selects = tab.page.locator("#flips .tools >> nth=1 >> select")
    selects.nth(0).select_option(group)
    mine = [p for p in flipped if p["group"] == group]
    check(f"of {len(mine)} people" in tab.page.locator("#flips .status").text_content(),
          "the filter counts the group's flips")
    selects.nth(2).select_option("lost")
    lost = [p for p in mine if float(p["score"]) >= 0.5]
    check(tab.page.locator("#flips .people li").count() == len(lost), "the filter shows the lost")
    selects.nth(2).select_option("")
    selects.nth(0).select_option("")
    picture = tab.page.locator("#flips .people img").first
    picture.scroll_into_view_if_needed()
    check(picture.evaluate("image => image.decode().then(() => image.naturalWidth)") == 72,
          "pictures are in the page")


def check_laziness(tab):
    tab.page.wait_for_selector("html[data-drawn]")
    charts = tab.page.locator(".plot").count()
    count = lambda: tab.page.locator(".plot:has(.main-svg)").count()
    check(count() < charts, f"{count()} of {charts} charts are drawn before one scrolls")
    last = tab.page.locator(".plot").last
    last.scroll_into_view_if_needed()
    last.locator(".main-svg").first.wait_for()
    check(True, "a chart is drawn when somebody comes near")
    tab.page.emulate_media(media="print")
    # The browser tells the page of the change in its own time.
    tab.page.wait_for_function(
        "count => document.querySelectorAll('.plot:has(.main-svg)').length === count", arg=charts)
    check(True, "on paper all charts are drawn")
    tab.page.emulate_media(media="screen")
    tab.page.evaluate("scrollTo(0, 0)")


def check_sensitivity(tab, result):
    for one in result["sensitivity"]:
        check(one["split"] == "validation", "layers are tried on validation rows")
    one = result["sensitivity"][0]
    shown = {cells[0]: cells[1:] for cells in rows_of(
        tab, "#files table:has(caption:text('Each layer alone')) tbody tr")}
    for layer in one["measured"]["layers"]:
        expected = [str(layer["weights"]), str(layer["bytes"])]
        for group in dict.fromkeys(cell["group"] for cell in layer["cells"]):
            cells = [cell for cell in layer["cells"] if cell["group"] == group]
            expected += [f"{cell['shift']:+.3f}" for cell in cells]
            expected.append(f"{sum(c['lost'] + c['gained'] for c in cells)} of "
                            f"{sum(c['count'] for c in cells)}")
        found = [text.replace("+-", "-") for text in shown[layer["layer"]]]
        # Minus zero is written with either sign.
        zero = lambda text: text.replace("-0.000", "+0.000")
        check(list(map(zero, found)) == list(map(zero, expected)),
              f"layer {layer['layer']}: {found} not {expected}")


def check_certificate(browser, folder, study):
    """A certified model that is put into the folder has its claims on the page."""
    equant("compress", study / "seed-0/fine-tuned.onnx", "--budget", "40MB", "--max-accuracy-drop",
           "0.9", "--choice", "uniform:8", "--data", folder / "faces", "--out",
           study / "certified.onnx", "--quiet")
    out = folder / "certified.html"
    equant("report", study, "--out", out)
    tab = Tab(browser, out.as_uri())
    text = tab.page.text_content("#provenance")
    check("Certificate of certified.onnx" in text, "a certificate is shown")
    check("made from Fine-tuned (normal) under a budget of 40.00 MB" in text, "with what it is of")
    cells = rows_of(tab, "#provenance table:has(caption:text('Limits of')) tbody tr")[0]
    check(cells[:2] == ["accuracy", "0.9000"] and cells[4] == "yes", f"and its limits: {cells}")
    tab.close()


def check_page(browser, study, shots):
    url = (study / "report.html").as_uri()
    size = (study / "report.html").stat().st_size
    check(size < 8_000_000, f"the page has {size} bytes")
    result = json.loads((study / "study.json").read_text())
    times, drawn = [], []
    for _ in range(3):
        tab = Tab(browser, url)
        times.append(int(tab.page.locator("html").get_attribute("data-ready")))
        tab.page.wait_for_selector("html[data-drawn]")
        drawn.append(int(tab.page.locator("html").get_attribute("data-drawn")))
        tab.close()
    print(f"test-pages: {size} bytes, interactive after {min(times)} ms, the first charts drawn "
          f"after {min(drawn)} ms")
    check(min(times) < 2000, f"interactive only after {min(times)} ms")
    tab = Tab(browser, url)
    check_laziness(tab)
    tab.drawn()
    check_headline(tab)
    check_tables(tab, result)
    check_threshold(tab, study, result)
    check_flips(tab, study, result)
    check_sensitivity(tab, result)
    charts, twins = tab.page.locator("figure").count(), tab.page.locator("figure table").count()
    check(charts >= 7 and charts == twins, f"{charts} charts have {twins} tables")
    check(tab.page.locator(".plot .main-svg").count() >= charts, "every chart is drawn")
    labels = tab.page.locator(".plot").evaluate_all("p => p.map(x => x.ariaLabel?.length ?? 0)")
    check(min(labels) > 40, "every chart is summed up in words")
    with tab.page.expect_download() as download:
        tab.page.locator("#gaps .plot").first.hover()
        tab.page.locator("#gaps [data-title='Download as SVG']").first.click()
    check(Path(download.value.path()).read_text().startswith("<svg"), "a chart saves as SVG")
    tab.page.emulate_media(media="print", color_scheme="light")
    check(tab.page.locator("nav").is_hidden(), "print has no navigation")
    if shots:
        tab.page.screenshot(path=f"{shots}/print.png", full_page=True)
    tab.close()
    for name, width, height in (("desktop", 1280, 900), ("phone", 390, 844)):
        for scheme in ("light", "dark"):
            tab = Tab(browser, url, width, height, scheme)
            tab.drawn()
            wide = tab.page.evaluate("document.documentElement.scrollWidth")
            check(wide <= width, f"{name} is {wide} pixels wide")
            if shots:
                tab.page.screenshot(path=f"{shots}/{name}-{scheme}.png", full_page=True)
            tab.close()


def check_hostile(browser, study):
    tab = Tab(browser, (study / "report.html").as_uri())
    tab.drawn()
    check(tab.page.evaluate("window.pwned") is None, "a group's name does not run")
    check(HOSTILE in live(tab), "a group's name is shown as it is")
    texts = " ".join(tab.page.locator("#threshold .legendtext").all_text_contents())
    check(HOSTILE in texts, f"a group's name is shown in a legend: {texts}")
    tab.close()


def check_two(browser, studies, folder, shots):
    out = folder / "both.html"
    equant("report", *studies, "--out", out, "--link-plotly")
    check(out.stat().st_size < 2_000_000, "a linked page is small")
    tab = Tab(browser, out.as_uri(), allowed=((folder / "plotly.min.js").as_uri(),))
    tab.drawn()
    names = {cells[0] for cells in rows_of(tab, "#comparison tbody tr")}
    check(names == {study.name for study in studies}, "the studies stand side by side")
    if shots:
        tab.page.screenshot(path=f"{shots}/two.png", full_page=True)
    tab.page.locator("html").evaluate("root => delete root.dataset.drawn")
    tab.page.locator("#study").select_option("1")
    tab.drawn()
    check(HOSTILE in live(tab), "the other study is shown")
    tab.close()


def check_half_written(study, folder):
    """A study that was cut off is refused in a line, and no page is written."""
    folder.mkdir()
    whole = (study / "study.json").read_bytes()
    (folder / "study.json").write_bytes(whole[: len(whole) // 2])
    refused = equant("report", folder, status=1)
    check(refused.stderr.count("\n") == 1 and str(folder / "study.json") in refused.stderr,
          f"a half-written study is one line: {refused.stderr}")
    check(not (folder / "report.html").exists(), "and no page of it is written")


def check_headline(tab):
    """Each badge is one of Table 4's verdicts on the pair, and a harm where there is one."""
    harms = {"worse", "better, by levelling down"}
    badges = tab.page.locator(".verdicts .badge").all_text_contents()
    rows = rows_of(tab, "#tables .table >> nth=3 >> tbody tr")
    check(len(badges) == len(rows), "every comparison has a badge")
    for badge, row in zip(badges, rows):
        verdicts = {text.split(", needs")[0] for text in (row[4], row[6])}
        check(badge in verdicts and (badge in harms) == bool(harms & verdicts),
              f"the badge {badge} of {row}")


def main():
    mode = sys.argv[1] if len(sys.argv) > 1 else None
    if len(sys.argv) != {None: 1, "list": 2, "screenshots": 3}.get(mode):
        raise SystemExit("usage: test-pages [list | screenshots FOLDER]")
    shots = sys.argv[2] if mode == "screenshots" else None
    with tempfile.TemporaryDirectory() as name, sync_playwright() as playwright:
        folder = Path(name)
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        if mode == "list":
            check_many(browser, folder, times=21)
        else:
            check_everything(browser, folder, shots)
        browser.close()
    print(f"test-pages: {tools.checks} checks passed")


def check_everything(browser, folder, shots):
    study, hostile = folder / "study", folder / "hostile"
    for name, part in {
            "a study": lambda: make_study(folder),
            "its page": lambda: check_page(browser, study, shots),
            "hostile names": lambda: check_hostile(browser, make_hostile(study, hostile)),
            "a half-written study": lambda: check_half_written(study, folder / "half"),
            "a certificate": lambda: check_certificate(browser, folder, study),
            "two studies": lambda: check_two(browser, [study, hostile], folder, shots),
            "the dashboard": lambda: check_dashboard(browser, folder, study, shots),
            "many runs": lambda: check_many(browser, folder)}.items():
        start = time.monotonic()
        part()
        print(f"test-pages: {name} took {time.monotonic() - start:.0f} s", flush=True)


if __name__ == "__main__":
    main()
