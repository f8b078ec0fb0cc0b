# SPDX-License-Identifier: MIT
"""The console in a real browser: headless Chromium, driven over WebDriver."""
import fcntl
import os
import re
import shutil
import subprocess

from selenium import webdriver
from selenium.common.exceptions import NoSuchElementException, StaleElementReferenceException
from selenium.webdriver.chrome.options import Options
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By

from conftest import BUILD, TOP, Broker, is_listening, take_free_port, wait_until

SUBSCRIPTIONS = re.compile(r"^\d+: console-\S+ (0 )?(\S+/\S+)$", re.M)

FLAGS = ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
         "--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-extensions",
         "--hide-scrollbars", "--force-color-profile=srgb")


class Console:
    """The page at `url`; what it shows, as people see it."""

    def __init__(self, folder, *, size=(1280, 800), language="en-GB", dark=False):
        options = Options()
        options.binary_location = shutil.which("chromium")
        for flag in (*FLAGS, f"--window-size={size[0]},{size[1]}", f"--lang={language}", f"--user-data-dir={folder}",
                     *(["--blink-settings=preferredColorScheme=0"] if dark else [])):
            options.add_argument(flag)
        options.add_experimental_option("prefs", {"intl.accept_languages": language})
        options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
        self.driver = webdriver.Chrome(service=Service(shutil.which("chromedriver")), options=options)

    def open(self, url):
        self.driver.get(url)
        return self

    def go(self, address):
        """To a place within the page: "#/park/p1"."""
        self.js("location.hash = arguments[0]", address)

    def js(self, script, *args):
        return self.driver.execute_script(script, *args)

    def find(self, selector):
        return self.driver.find_elements(By.CSS_SELECTOR, selector)

    def text(self, selector):
        """Of the first such element; "" if there is none or it went meanwhile."""
        try:
            return self.driver.find_element(By.CSS_SELECTOR, selector).text
        except (NoSuchElementException, StaleElementReferenceException):
            return ""

    def texts(self, selector):
        return self.js("return [...document.querySelectorAll(arguments[0])].filter(e => e.checkVisibility())"
                       ".map(e => e.innerText.trim())", selector)

    def wait(self, check, what, timeout=15):
        return wait_until(check, timeout=timeout, what=what, interval=0.05)

    def wait_text(self, selector, *words, timeout=15):
        """Until the elements' texts together hold all these words."""
        try:
            return self.wait(lambda: all(word in "\n".join(self.texts(selector)) for word in words), "the words", timeout)
        except AssertionError:
            raise AssertionError(f"{selector} does not say {words} within {timeout} s, but {self.texts(selector)}") from None

    def wait_link(self, state, timeout=15):
        self.wait(lambda: self.js("return document.body.dataset.link") == state, f"the connection is {state}", timeout)

    def rows(self):
        """Of the list: name, then the other cells, in the order that is seen."""
        return self.js("""return [...document.querySelectorAll('.space .row')]
            .sort((a, b) => a.index - b.index)
            .map(row => Object.fromEntries([...row.children].map(cell => [cell.className, cell.textContent])))""")

    def names(self):
        return [row["name"] for row in self.rows()]

    def row(self, name):
        return next((row for row in self.rows() if row["name"] == name), None)

    def errors(self):
        """What the browser complained of."""
        return [entry["message"] for entry in self.driver.get_log("browser") if entry["level"] == "SEVERE"]

    def close(self):
        self.driver.quit()


class WebBroker(Broker):
    """Mosquitto whose second listener speaks WebSockets and serves the page."""

    def __init__(self, spawn, folder, page):
        super().__init__(spawn, folder, take_free_port())
        self.page, self.web_port = page, take_free_port()
        self.web = f"http://127.0.0.1:{self.web_port}/"

    def start(self, extra="", anonymous="true"):
        super().start(f"log_type error\nlog_type subscribe\nlog_type unsubscribe\nlistener {self.web_port} 127.0.0.1\nprotocol websockets\nhttp_dir {self.page}\n{extra}", anonymous)
        wait_until(lambda: is_listening(self.web_port), what="the page is served")
        return self

    def subscriptions(self):
        """What consoles asked for, in their order: ("+" or "-", filter)."""
        log = self.process.err() + self.process.out()
        return [("+" if m.group(1) else "-", m.group(2)) for m in SUBSCRIPTIONS.finditer(log)]


def build_page():
    """The page's folder, made by `make console`; None where npm or its registry cannot be had."""
    BUILD.mkdir(parents=True, exist_ok=True)
    env = {k: v for k, v in os.environ.items() if k not in ("MAKEFLAGS", "MAKELEVEL", "MFLAGS")}
    with open(BUILD / "console.lock", "w") as lock:  # tests run side by side
        fcntl.flock(lock, fcntl.LOCK_EX)
        done = subprocess.run(["make", "--no-print-directory", f"BUILD={BUILD}", "console"], cwd=TOP, env=env,
                              capture_output=True, text=True)
    return BUILD / "console" if done.returncode == 0 else None
