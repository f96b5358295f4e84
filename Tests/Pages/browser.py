"""What all pages are checked with: a count of checks, the command, and a watched browser tab."""
import os
import subprocess

EQUANT = os.environ["EQUANT"]
# What the tests run is none of the user's runs.
os.environ["EQUANT_STORE"] = "off"
# Spinning threads starve the browser, and each other, where there are few cores.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")
checks = 0


def check(condition, what):
    global checks
    checks += 1
    if not condition:
        raise SystemExit(f"test-pages: failed: {what}")


def equant(*arguments, status=0, environment=None):
    done = subprocess.run([EQUANT, *map(str, arguments)], capture_output=True, text=True,
                          env=environment)
    check(done.returncode == status, f"equant {arguments} gave {done.returncode}: {done.stderr}")
    return done


class Tab:
    """A page that must stay silent and must not ask for anything."""

    def __init__(self, browser, url, width=1280, height=900, scheme="light", allowed=(),
                 script=None):
        self.context = browser.new_context(
            viewport={"width": width, "height": height}, color_scheme=scheme)
        self.page = self.context.new_page()
        if script:
            self.page.add_init_script(script)
        self.noise, self.requests = [], []
        self.page.on("console", lambda message: self.noise.append(message.text))
        self.page.on("pageerror", lambda error: self.noise.append(str(error)))
        self.page.on("dialog", lambda dialog: self.noise.append("dialog " + dialog.message))
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.allowed = (url, *allowed)
        self.page.goto(url)
        self.page.wait_for_selector("html[data-ready]")

    def drawn(self):
        """Waits for the charts near the top, and has the others drawn as for a print."""
        self.page.wait_for_selector("html[data-drawn]")
        self.page.evaluate("dispatchEvent(new Event('beforeprint'))")

    def close(self):
        strangers = [url for url in self.requests
                     if not url.startswith(("data:", "blob:")) and not url.startswith(self.allowed)]
        check(not strangers, f"requests left the page: {strangers[:3]}")
        check(not self.noise, f"the console is not empty: {self.noise[:3]}")
        self.context.close()


def rows_of(tab, selector):
    return tab.page.locator(selector).evaluate_all(
        "rows => rows.map(row => [...row.cells].map(cell => cell.textContent))")
