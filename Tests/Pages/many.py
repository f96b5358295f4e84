"""A store of 10 000 runs in the dashboard: what is shown, and how long it takes."""
import json
import os
import signal
import sqlite3
import statistics
import urllib.request

from browser import Tab, check, equant, rows_of
from dashboard import Server, settled

HOSTILE = "<img src=x onerror=window.pwned=1>"
COUNT = 10_000
ROWS_AT_ONCE = 25

# When the first rows were on the screen: the first task after the frame that has them.
WATCH = """new MutationObserver((_, observer) => {
  if (!document.querySelector("#runs tbody tr")) return;
  observer.disconnect();
  requestAnimationFrame(() => setTimeout(() => { window.painted = performance.now(); }));
}).observe(document, { childList: true, subtree: true });"""

PAINTED = """async () => {
  while (!window.painted) await new Promise(go => setTimeout(go));
  return window.painted;
}"""
FILTER = """document.querySelector("#search").value = "runs/77";
document.querySelector("#filters").dispatchEvent(new Event("input"));"""
SORT = """[...document.querySelectorAll("#runs thead button")]
  .find(button => button.textContent === "accuracy %").click();"""


def timed(tab, change):
    """How many milliseconds a change takes until the list it asks for is on the screen."""
    return tab.page.evaluate("""async () => {
      const table = document.querySelector("#runs");
      const start = performance.now();
      %s
      while (table.getAttribute("aria-busy") === "true") await new Promise(go => setTimeout(go));
      await new Promise(go => requestAnimationFrame(() => setTimeout(go)));
      return performance.now() - start;
    }""" % change)


def make_store(folder):
    """A store of 10 000 runs that are as long as those of a study, and one with a hostile name."""
    environment = {**os.environ, "EQUANT_STORE": "", "XDG_DATA_HOME": str(folder / "data")}
    # Looking into the standard store makes it.
    equant("runs", environment=environment)
    store = folder / "data/equant/runs.sqlite"
    dictionary = lambda count, value: json.dumps({f"seed-0/model-{i}": value for i in range(count)})
    rows = [
        ("train" if n % 3 else "study", HOSTILE if n == 2 else f"runs/{n}.onnx",
         "failed" if n % 50 == 0 else "finished", 1.7e9 + 60 * n, 1.7e9 + 60 * n, 1,
         None if n % 50 == 0 else 0.5 + n * 7919 % COUNT / 2 / COUNT, n * 31 % 1000 / 5000,
         4_000_000 + n * 104_729 % COUNT, f"Run {n}. " + "What it did to whom, and how sure. " * 13,
         dictionary(45, "normal"), dictionary(40, "5" * 64), dictionary(80, 0.125), "{}")
        for n in range(COUNT)]
    with sqlite3.connect(store) as database:
        database.executemany(
            "INSERT INTO run (kind, title, state, started, updated, process, accuracy, "
            "equalOpportunity, bytes, summary, settings, fingerprints, results, files) "
            f"VALUES ({', '.join('?' * 14)})", rows)
    database.close()
    return store


def measure(browser, server, times):
    """Medians in milliseconds: of a list, of the whole page, of a filter, and of a sort."""
    lists, pages, filters, sorts = [], [], [], []
    for _ in range(times):
        tab = Tab(browser, server.url, script=WATCH)
        painted = tab.page.evaluate(PAINTED)
        asked = tab.page.evaluate("performance.getEntriesByType('resource')"
                                  ".find(entry => entry.name.includes('api/runs')).startTime")
        pages.append(painted)
        lists.append(painted - asked)
        filters.append(timed(tab, FILTER))
        check("111 of" in tab.page.text_content("#count"), "the filter that is timed filters")
        tab.page.fill("#search", "")
        settled(tab)
        sorts.append(timed(tab, SORT))
        check(tab.page.get_attribute("#runs th[aria-sort]", "aria-sort") == "ascending",
              "the sorting that is timed sorts")
        tab.close()
    lists, pages, filters, sorts = map(statistics.median, (lists, pages, filters, sorts))
    print(f"test-pages: {COUNT} runs, median of {times}: from asking for the list to its rows on "
          f"the screen {lists:.0f} ms, from asking for the page {pages:.0f} ms, filtered in "
          f"{filters:.0f} ms, sorted in {sorts:.0f} ms")


def check_all(server):
    """Every run is listed once."""
    found = []
    for start in range(0, COUNT, 500):
        with urllib.request.urlopen(f"{server.url}api/runs?from={start}&count=500") as answer:
            found += [run["id"] for run in json.load(answer)["runs"]]
    check(found == list(range(COUNT, 0, -1)), f"{len(found)} runs are listed, the latest first")


def check_pages(tab, store):
    """The page has the rows that are shown and no others, and they are those that SQL gives."""
    database = sqlite3.connect(store)

    def expect(rest, count, total, place=0):
        wanted = [str(row[0]) for row in database.execute(
            f"SELECT id FROM run {rest} LIMIT {ROWS_AT_ONCE} OFFSET {place}")]
        settled(tab)
        found = [cells[1] for cells in rows_of(tab, "#runs tbody tr")]
        check(found == wanted, f"{rest} from {place}: {found[:5]} not {wanted[:5]}")
        told = tab.page.text_content("#count").replace("\u202f", "")
        check(told == f"{count} of {total} runs", f"the runs are counted: {told}")
        if count > ROWS_AT_ONCE:
            told = tab.page.text_content("#rows").replace("\u202f", "")
            check(told == f"{place + 1} to {place + len(wanted)}", f"the rows are told: {told}")

    press = lambda name: tab.page.click(f"#pages button >> text={name}")
    expect("ORDER BY started DESC", COUNT, COUNT)
    tab.page.click("#runs thead button >> text=accuracy %")
    expect("ORDER BY accuracy ASC NULLS LAST", COUNT, COUNT)
    tab.page.click("#runs thead button >> text=accuracy %")
    expect("ORDER BY accuracy DESC", COUNT, COUNT)
    press("Next")
    expect("ORDER BY accuracy DESC", COUNT, COUNT, ROWS_AT_ONCE)
    press("Last")
    expect("ORDER BY accuracy DESC, id DESC", COUNT, COUNT, COUNT - ROWS_AT_ONCE)
    press("Previous")
    expect("ORDER BY accuracy DESC, id DESC", COUNT, COUNT, COUNT - 2 * ROWS_AT_ONCE)
    tab.page.select_option("#state", "failed")
    tab.page.select_option("#kind", "study")
    tab.page.click("#runs thead button >> text=bytes")
    some = "WHERE state = 'failed' AND kind = 'study' ORDER BY bytes"
    expect(some, 67, COUNT)
    press("Next")
    expect(some, 67, COUNT, ROWS_AT_ONCE)
    press("Last")
    expect(some, 67, COUNT, 2 * ROWS_AT_ONCE)
    check(tab.page.locator("#runs tbody tr").count() == 17, "the last page has the rest")
    tab.page.fill("#search", "s/99")
    expect("WHERE state = 'failed' AND kind = 'study' AND title LIKE '%s/99%' ORDER BY bytes",
           1, COUNT)
    check(tab.page.locator("#pages").is_hidden(), "one page needs no turning")
    database.close()


def check_hostile(tab):
    tab.page.fill("#search", "onerror")
    settled(tab)
    check([cells[3] for cells in rows_of(tab, "#runs tbody tr")] == [HOSTILE],
          "a hostile name is text")
    tab.page.click("#runs a")
    tab.page.wait_for_selector("#run dl")
    check(HOSTILE in tab.page.text_content("#run h2"), "and where it is opened")
    tab.page.wait_for_timeout(200)
    check(tab.page.evaluate("window.pwned") is None, "and does not run")


def check_many(browser, folder, times=1):
    store = make_store(folder)
    with Server(store) as server:
        measure(browser, server, times)
        check_all(server)
        tab = Tab(browser, server.url)
        check_pages(tab, store)
        tab.close()
        tab = Tab(browser, server.url)
        check_hostile(tab)
        tab.close()
        server.stop(signal.SIGTERM)
