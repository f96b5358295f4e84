"""Uses the dashboard of `equant serve` as a person would, in a real browser."""
import json
import signal
import subprocess
import time

from browser import EQUANT, Tab, check, equant, rows_of


class Server:
    """A running `equant serve` on a free port."""

    def __init__(self, store, *arguments):
        self.process = subprocess.Popen(
            [EQUANT, "serve", "--store", store, "--port", "0", *arguments],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.url = self.process.stdout.readline().split(" at ")[-1].strip()
        check(self.url.startswith("http://127.0.0.1:"), f"the address is told: {self.url}")
        self.port = self.url.split(":")[2].strip("/")

    def stop(self, number):
        """Sends a signal: the end is quick and clean, whoever still listens."""
        start = time.monotonic()
        self.process.send_signal(number)
        status = self.process.wait(timeout=10)
        errors = self.process.stderr.read()
        check(status == 0 and errors == "", f"{number} ends it cleanly: {status} {errors}")
        check(time.monotonic() - start < 3, "and soon")


def listed(tab):
    """The lines of the list by the number of the run."""
    return {cells[1]: cells for cells in rows_of(tab, "#runs tbody tr")}


def check_list(tab, study):
    result = json.loads((study / "study.json").read_text())
    smallest = min(result["summary"], key=lambda model: model["bytes"])
    cells = listed(tab)["1"]
    check(cells[2:5] == ["study", str(study), "finished"], f"the study is listed: {cells}")
    check(cells[6] == f"{100 * smallest['cells']['accuracy']['mean']:.2f}", "its accuracy")
    check(cells[7] == f"{smallest['cells']['equalOpportunity']['mean']:.3f}", "its EO")
    check(cells[8].replace("\u202f", "") == str(smallest["bytes"]), "its bytes")
    tab.page.fill("#search", "small.onnx")
    check(list(listed(tab)) == ["2"], "a search finds")
    check(tab.page.text_content("#count") == "1 of 2 runs", "and counts")
    tab.page.fill("#search", "")
    tab.page.select_option("#kind", "compress")
    check(list(listed(tab)) == ["2"], "a filter finds")
    tab.page.select_option("#kind", "")
    tab.page.click("#runs thead button >> text=bytes")
    shown = [int(cells[8].replace("\u202f", "")) for cells in rows_of(tab, "#runs tbody tr")]
    check(shown == sorted(shown), "a heading sorts")


def check_run(tab):
    tab.page.click("#runs a[href='#1']")
    tab.page.wait_for_selector("#run dl")
    facts = dict(zip(tab.page.locator("#run dt").all_text_contents(),
                     tab.page.locator("#run dd").all_text_contents()))
    check(facts["setting: training.epochs"] == "2", "settings are shown")
    check(len(facts["made from: data"]) == 64, "fingerprints are shown")
    told = tab.page.locator("#run ol li").all_text_contents()
    check(any("fine-tuned" in text for text in told), f"events are shown: {told[:2]}")
    for number in ("1", "2"):
        tab.page.check(f"[aria-label='compare run {number}']")
    tab.page.wait_for_selector("#comparison tbody tr")
    rows = {cells[0]: cells[1:] for cells in rows_of(tab, "#comparison tbody tr")}
    check(rows["kind"] == ["study", "compress"], "two runs stand side by side")
    check(rows["setting: scheme"] == ["", "kmeans:8"], "with the settings of each")


def check_report(browser, server):
    tab = Tab(browser, f"{server.url}runs/1/report", allowed=(server.url,))
    tab.drawn()
    check(tab.page.locator("figure").count() >= 7, "the report opens")
    check(tab.page.evaluate("window.origin") == "null", "the report sees nothing of the dashboard")
    tab.close()


def check_dashboard(browser, folder, study):
    store = folder / "runs.sqlite"
    equant("compress", study / "seed-0/fine-tuned.onnx", "--scheme", "kmeans:8", "--out",
           folder / "small.onnx", "--store", store)
    server = Server(store)
    tab = Tab(browser, server.url)
    check_list(tab, study)
    check_run(tab)
    tab.close()
    check_report(browser, server)
    server.stop(signal.SIGINT)
