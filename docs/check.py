"""Check the built site in a browser: `cargo xtask docs --check`.

Every page opens, on a wide and a narrow window, with nothing wider than the window, without errors
in the console and without failed requests; nothing is asked of another host; every link within the
site leads to a page and a place on it; the navigation leads to every page; search finds what it is
asked for.
"""

from __future__ import annotations

import argparse
import functools
import http.server
import json
import shutil
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import unquote, urldefrag, urlsplit

from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.support.wait import WebDriverWait

#: How long, in seconds, a page may take to show what it is to show.
PATIENCE = 30

#: Wide as on a desk, and narrow as in a hand.
WIDTHS = (1400, 400)

#: What to search for, and the page that has to be found.
SEARCHES = {
    "gather": "gather.html",
    "lease": "pools.html",
    "threaded_iterable": "api.html",
    "sessions": "sharing.html",
}

INSTALL = (
    "the site is checked in a browser: install Debian's packages chromium and chromium-driver "
    "(chromium and chromedriver on PATH)"
)


class Quiet(http.server.SimpleHTTPRequestHandler):
    """Serves files, and does not talk about it."""

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - The base's name.
        """Say nothing: the browser tells what has failed."""


@contextmanager
def serve(folder: Path) -> Iterator[str]:
    """Serve a folder on a port of this machine's own, and tell where."""
    handler = functools.partial(Quiet, directory=folder)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/"
        finally:
            server.shutdown()
            thread.join()


@contextmanager
def chromium() -> Iterator[webdriver.Chrome]:
    """Start a browser that has never been used."""
    programs = [shutil.which("chromium"), shutil.which("chromedriver")]
    if None in programs:
        sys.exit(INSTALL)
    with tempfile.TemporaryDirectory() as profile:
        options = webdriver.ChromeOptions()
        options.binary_location = str(programs[0])
        for argument in (
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-quic",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--hide-scrollbars",
            f"--user-data-dir={profile}",
        ):
            options.add_argument(argument)
        options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
        service = webdriver.ChromeService(executable_path=str(programs[1]))
        driver = webdriver.Chrome(options=options, service=service)
        try:
            yield driver
        finally:
            driver.quit()


class Check:
    """One browser on one site, and what was found to be wrong."""

    def __init__(
        self, driver: webdriver.Chrome, folder: Path, site: str, pictures: Path | None
    ) -> None:
        self.driver = driver
        self.folder = folder
        self.site = site
        self.pictures = pictures
        self.faults: list[str] = []
        self.places: dict[str, set[str]] = {}
        self.links: set[tuple[str, str]] = set()
        #: The address of each request.
        self.requests: dict[str, str] = {}
        # What a browser does as it starts is not the site's.
        for log in ("browser", "performance"):
            driver.get_log(log)

    def fault(self, text: str) -> None:
        """Note that something is wrong."""
        self.faults.append(text)
        print(f"  {text}")

    def open(self, page: str, width: int, scheme: str = "light") -> None:
        """Open a page, and look at what can be wrong with any."""
        driver = self.driver
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
        driver.execute_cdp_cmd(
            "Emulation.setDeviceMetricsOverride",
            {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 600},
        )
        driver.get(self.site + page)
        self.look(f"{page} ({width} px)")
        wide = driver.execute_script("return document.documentElement.scrollWidth")
        if wide > width:
            self.fault(f"{page}: {wide} px wide in a window of {width}")
        if self.pictures is not None:
            high = driver.execute_script("return document.documentElement.scrollHeight")
            driver.execute_cdp_cmd(
                "Emulation.setDeviceMetricsOverride",
                {"width": width, "height": high, "deviceScaleFactor": 1, "mobile": width < 600},
            )
            name = page.partition(".")[0] or "index"
            driver.save_screenshot(str(self.pictures / f"{name}-{width}-{scheme}.png"))

    def look(self, where: str) -> None:
        """Look at what the console and the network have to tell since the last time."""
        for entry in self.driver.get_log("browser"):
            self.fault(f"{where}: console: {entry['message']}")
        for entry in self.driver.get_log("performance"):
            message = json.loads(entry["message"])["message"]
            method, details = message["method"], message["params"]
            if method == "Network.requestWillBeSent":
                url = self.requests[details["requestId"]] = details["request"]["url"]
                if not url.startswith((self.site, "data:", "blob:", "chrome:", "about:")):
                    self.fault(f"{where}: leaves the site: {url}")
            elif method == "Network.responseReceived" and details["response"]["status"] >= 400:
                self.fault(f"{where}: {details['response']['status']} {details['response']['url']}")
            elif method == "Network.loadingFailed" and not details.get("canceled"):
                # What no page has asked for, the browser has for itself.
                url = self.requests.get(details["requestId"])
                if url is not None:
                    self.fault(f"{where}: {details['errorText']}: {url}")

    def collect(self, page: str) -> None:
        """Note the places of a page, and its links."""
        script = "return [...document.querySelectorAll('[id]')].map(element => element.id)"
        self.places[page] = set(self.driver.execute_script(script))
        script = "return [...document.querySelectorAll('a[href]')].map(link => link.href)"
        self.links.update((page, link) for link in self.driver.execute_script(script))

    def follow(self) -> int:
        """Check that each link within the site leads somewhere. Return how many there are."""
        count = 0
        for page, link in sorted(self.links):
            url, place = urldefrag(link)
            if not url.startswith(self.site):
                if urlsplit(url).hostname not in {"docs.python.org", "github.com"}:
                    self.fault(f"{page}: a link to {url}")
                continue
            count += 1
            target = urlsplit(url).path.removeprefix("/") or "index.html"
            if target not in self.places:
                if not (self.folder / target).is_file():
                    self.fault(f"{page}: a link to {target}, which is not there")
            elif place and unquote(place) not in self.places[target]:
                self.fault(f"{page}: a link to {target}#{place}, which is no place")
        return count

    def navigate(self) -> int:
        """Go to each chapter by clicking on its name. Return how many there are."""
        chapters = ".sidebar-tree a.reference.internal"
        self.open("index.html", WIDTHS[0])
        names = [link.text for link in self.driver.find_elements(By.CSS_SELECTOR, chapters)]
        for name in names:
            self.driver.find_element(By.LINK_TEXT, name).click()
            self.look(f"navigation to {name}")
            heading = self.driver.find_element(By.TAG_NAME, "h1").text
            if name not in heading:
                self.fault(f"the navigation's {name!r} leads to {heading!r}")
        return len(names)

    def search(self, words: str, page: str) -> None:
        """Search as a reader does, and click on the result."""
        self.open("index.html", WIDTHS[0])
        box = self.driver.find_element(By.CSS_SELECTOR, "input.sidebar-search")
        box.send_keys(words)
        box.submit()
        wait = WebDriverWait(self.driver, PATIENCE)
        result = f"#search-results ul.search a[href^='{page}']"
        try:
            wait.until(lambda driver: driver.find_elements(By.CSS_SELECTOR, result))[0].click()
            wait.until(lambda driver: urlsplit(driver.current_url).path == f"/{page}")
        except Exception as error:
            self.fault(f"search for {words!r} does not lead to {page}: {type(error).__name__}")
        self.look(f"search for {words!r}")


def main() -> None:
    """Check a site, and end with 1 if something is wrong with it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("site", type=Path, help="the folder of the built site")
    parser.add_argument("--pictures", type=Path, help="a folder to put a picture of each page into")
    args = parser.parse_args()
    pages = sorted(path.name for path in args.site.glob("*.html"))
    if "index.html" not in pages:
        sys.exit(f"there is no site in {args.site}")
    if args.pictures is not None:
        args.pictures.mkdir(parents=True, exist_ok=True)
    with serve(args.site) as site, chromium() as driver:
        check = Check(driver, args.site, site, args.pictures)
        for page in pages:
            for width in WIDTHS:
                check.open(page, width)
            check.collect(page)
            if args.pictures is not None:
                check.open(page, WIDTHS[0], "dark")
        links = check.follow()
        chapters = check.navigate()
        for words, page in SEARCHES.items():
            check.search(words, page)
    found = f"{len(pages)} pages, {links} links, {chapters} chapters, {len(SEARCHES)} searches"
    if check.faults:
        sys.exit(f"{found}: {len(check.faults)} faults")
    print(f"{found}: all well")


if __name__ == "__main__":
    main()
