"""Uses the dashboard of `equant serve` as a person would, in a real browser."""
import json
import os
import signal
import sqlite3
import subprocess
import time

from browser import EQUANT, Tab, check, equant, rows_of


class Process:
    """A running command, which is gone at the end of the `with`, whatever happens inside."""

    def __init__(self, *arguments):
        self.process = subprocess.Popen(
            [EQUANT, *map(str, arguments)], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            text=True, start_new_session=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
        self.process.stdout.close()
        self.process.stderr.close()


class Server(Process):
    """A running `equant serve` on a free port."""

    def __init__(self, store, *arguments):
        super().__init__("serve", "--store", store, "--port", "0", *arguments)

    def __enter__(self):
        self.url = self.process.stdout.readline().split(" at ")[-1].strip()
        try:
            check(self.url.startswith("http://127.0.0.1:"), f"the address is told: {self.url}")
        except BaseException:
            self.__exit__()
            raise
        self.port = self.url.split(":")[2].strip("/")
        return self

    def stop(self, number):
        """Sends a signal: the end is quick and clean, whoever still listens."""
        start = time.monotonic()
        self.process.send_signal(number)
        status = self.process.wait(timeout=10)
        errors = self.process.stderr.read()
        check(status == 0 and errors == "", f"{number} ends it cleanly: {status} {errors}")
        check(time.monotonic() - start < 3, "and soon")


def settled(tab):
    """Waits until the list that was asked for is there."""
    tab.page.wait_for_selector("#runs[aria-busy=false]")


def listed(tab):
    """The lines of the list by the number of the run."""
    settled(tab)
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
    settled(tab)
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


def check_following(browser, server, folder):
    """A training that another process does is seen to begin, go on and end."""
    tab = Tab(browser, server.url)
    arguments = ["train", "--data", folder / "faces", "--out", folder / "live.onnx", "--size", "32",
                 "--epochs", "4", "--quiet", "--store", folder / "runs.sqlite"]
    with Process(*arguments) as training:
        link = tab.page.locator("#runs a >> text=live.onnx")
        link.wait_for(timeout=20_000)
        link.click()
        tab.page.locator("#progress", has_text="loss").wait_for(timeout=60_000)
        tab.page.wait_for_selector("#run li >> text=epoch 1", timeout=60_000)
        check(training.process.poll() is None, "the first epoch is seen while the training goes on")
        tab.page.wait_for_selector("#run dd >> text=finished", timeout=120_000)
        check(training.process.wait() == 0, "the training ended well")
    told = tab.page.locator("#run ol li").all_text_contents()
    check(len(told) == 4, f"every epoch is told once: {told}")
    tab.close()


def check_refusals(server, folder):
    store = folder / "runs.sqlite"
    busy = equant("serve", "--store", store, "--port", server.port, status=1)
    check(busy.stderr == f"Error: port {server.port} of 127.0.0.1: Address already in use; "
          "name another with --port\n", f"a port in use is one line: {busy.stderr}")
    remote = equant("serve", "--store", store, "--host", "0.0.0.0", status=64)
    check("--allow-remote" in remote.stderr, "other addresses are refused")
    (folder / "token").write_text("short\n")
    token = equant("serve", "--store", store, "--host", "0.0.0.0", "--allow-remote",
                   "--token-file", folder / "token", status=1)
    check(token.stderr.count("\n") == 1 and "is no token" in token.stderr, "a bad token is one line")
    missing = equant("serve", "--store", folder / "none.sqlite", status=1)
    check(missing.stderr.count("\n") == 1, "a missing store is one line")
    damaged = folder / "damaged.sqlite"
    damaged.write_bytes(b"SQLite format 3\0" + b"\7" * 4096)
    refused = equant("serve", "--store", damaged, status=1)
    check(refused.stderr.count("\n") == 1 and "is damaged" in refused.stderr
          and "name another with --store" in refused.stderr,
          f"a damaged store is one line with a way out: {refused.stderr}")
    check(damaged.read_bytes()[16:] == b"\7" * 4096, "and is left as it is")
    check_held(store, folder / "held.sqlite")


def check_held(store, held):
    """A store that another process keeps for itself."""
    with sqlite3.connect(store) as source, sqlite3.connect(held) as copy:
        source.backup(copy)
    copy.close()
    owner = sqlite3.connect(held, isolation_level=None)
    owner.execute("PRAGMA locking_mode = exclusive")
    owner.execute("BEGIN EXCLUSIVE")
    refused = equant("serve", "--store", held, "--port", "0", status=1)
    check(refused.stderr == f"Error: {held}: is held by another process; "
          "try again when that has ended\n", f"a store that is held is one line: {refused.stderr}")
    owner.close()


def check_looks(browser, server, shots):
    for name, width, height in (("desktop", 1280, 900), ("phone", 390, 844)):
        for scheme in ("light", "dark"):
            tab = Tab(browser, server.url + "#1", width, height, scheme, (server.url,))
            tab.page.wait_for_selector("#run dl")
            wide = tab.page.evaluate("document.documentElement.scrollWidth")
            check(wide <= width, f"the dashboard on a {name} is {wide} pixels wide")
            if shots:
                tab.page.screenshot(path=f"{shots}/dashboard-run-{name}-{scheme}.png")
                tab.page.evaluate("scrollTo(0, 0)")
                tab.page.check("[aria-label='compare run 1']")
                tab.page.screenshot(path=f"{shots}/dashboard-{name}-{scheme}.png")
            tab.close()


def check_dashboard(browser, folder, study, shots):
    store = folder / "runs.sqlite"
    equant("compress", study / "seed-0/fine-tuned.onnx", "--scheme", "kmeans:8", "--out",
           folder / "small.onnx", "--store", store)
    with Server(store) as server:
        tab = Tab(browser, server.url)
        check_list(tab, study)
        check_run(tab)
        tab.close()
        check_report(browser, server)
        check_looks(browser, server, shots)
        check_following(browser, server, folder)
        check_refusals(server, folder)
        follower = Tab(browser, server.url)
        server.stop(signal.SIGINT)
        follower.context.close()
