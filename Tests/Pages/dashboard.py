"""Uses the dashboard of `equant serve` as a person would, in a real browser."""
import json
import signal
import sqlite3
import subprocess
import time

from browser import EQUANT, Tab, check, equant, rows_of

HOSTILE = "<img src=x onerror=window.pwned=1>"


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


def fill(store, count):
    """Makes a store of many runs out of the first one in `store`."""
    with sqlite3.connect(store) as database:
        columns = [row[1] for row in database.execute("PRAGMA table_info(run)") if row[1] != "id"]
        changed = [{"started": "started - 60 * n", "title": "'runs/' || n || '.onnx'",
                    "kind": "'train'", "accuracy": "0.5 + (n * 7919 % 10000) / 20000.0",
                    "state": "CASE WHEN n % 50 = 0 THEN 'failed' ELSE 'finished' END",
                    }.get(name, name) for name in columns]
        database.execute(
            f"INSERT INTO run ({', '.join(columns)}) WITH RECURSIVE c(n) AS (VALUES (1) UNION ALL "
            f"SELECT n + 1 FROM c LIMIT {count}) SELECT {', '.join(changed)} FROM run, c "
            "WHERE id = 1")
        database.execute("UPDATE run SET title = ? WHERE id = 3", (HOSTILE,))
    database.close()


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


def check_following(browser, server, folder):
    """A training that another process does is seen to begin, go on and end."""
    tab = Tab(browser, server.url)
    training = subprocess.Popen(
        [EQUANT, "train", "--data", folder / "faces", "--out", folder / "live.onnx", "--size", "32",
         "--epochs", "4", "--quiet", "--store", folder / "runs.sqlite"],
        stdout=subprocess.DEVNULL)
    link = tab.page.locator("#runs a >> text=live.onnx")
    link.wait_for(timeout=20_000)
    link.click()
    tab.page.locator("#progress", has_text="loss").wait_for(timeout=60_000)
    tab.page.wait_for_selector("#run li >> text=epoch 1", timeout=60_000)
    check(training.poll() is None, "the first epoch is seen while the training goes on")
    tab.page.wait_for_selector("#run dd >> text=finished", timeout=120_000)
    check(training.wait() == 0, "the training ended well")
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


def filter_and_sort(tab):
    """How many milliseconds each takes in the page, at best of three."""
    return tab.page.evaluate("""() => {
      const best = work => Math.min(...[0, 1, 2].map(() => {
        const start = performance.now();
        work();
        return performance.now() - start;
      }));
      const search = document.querySelector("#search");
      let turn = 0;
      return [
        best(() => {
          search.value = ["", "runs/77", "99"][turn++];
          search.dispatchEvent(new Event("input", { bubbles: true }));
        }),
        best(() => [...document.querySelectorAll("#runs thead button")]
          .find(button => button.textContent === "accuracy %").click()),
      ];
    }""")


def check_many(browser, store, shots):
    fill(store, 10_000)
    server = Server(store)
    shown, answered = [], []
    for _ in range(3):
        tab = Tab(browser, server.url)
        shown.append(int(tab.page.locator("html").get_attribute("data-ready")))
        answered.append(tab.page.evaluate(
            "performance.getEntriesByType('resource').find(e => e.name.endsWith('api/runs')).duration"))
        told = tab.page.text_content("#count")
        check("of 10003 runs" in told, f"all runs are counted: {told}")
        if len(shown) < 3:
            tab.close()
    filtered = filter_and_sort(tab)
    tab.close()
    print(f"test-pages: a list of 10 003 runs is answered in {min(answered):.0f} ms, on the screen "
          f"{min(shown)} ms after the page was asked for, filtered in {filtered[0]:.0f} ms and "
          f"sorted in {filtered[1]:.0f} ms")
    check(min(answered) < 100, f"the list took {min(answered)} ms")
    check(max(filtered) < 100, f"filtering and sorting took {filtered} ms")
    tab = Tab(browser, server.url)
    tab.page.fill("#search", "onerror")
    check(listed(tab)["3"][3] == HOSTILE, "a hostile name is text")
    tab.page.wait_for_timeout(200)
    check(tab.page.evaluate("window.pwned") is None, "and does not run")
    tab.page.fill("#search", "")
    for name, width, height in (("desktop", 1280, 900), ("phone", 390, 844)):
        for scheme in ("light", "dark"):
            shot = Tab(browser, server.url + "#1", width, height, scheme, (server.url,))
            shot.page.wait_for_selector("#run dl")
            wide = shot.page.evaluate("document.documentElement.scrollWidth")
            check(wide <= width, f"the dashboard on a {name} is {wide} pixels wide")
            if shots:
                shot.page.screenshot(path=f"{shots}/dashboard-run-{name}-{scheme}.png")
                shot.page.evaluate("scrollTo(0, 0)")
                shot.page.check("[aria-label='compare run 1']")
                shot.page.screenshot(path=f"{shots}/dashboard-{name}-{scheme}.png")
            shot.close()
    tab.close()
    server.stop(signal.SIGTERM)


def check_dashboard(browser, folder, study, shots):
    store = folder / "runs.sqlite"
    equant("compress", study / "seed-0/fine-tuned.onnx", "--scheme", "kmeans:8", "--out",
           folder / "small.onnx", "--store", store)
    server = Server(store)
    tab = Tab(browser, server.url)
    check_list(tab, study)
    check_run(tab)
    tab.close()
    check_report(browser, server)
    check_following(browser, server, folder)
    check_refusals(server, folder)
    follower = Tab(browser, server.url)
    server.stop(signal.SIGINT)
    follower.context.close()
    check_many(browser, store, shots)
