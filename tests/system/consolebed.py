# SPDX-License-Identifier: MIT
"""The console in a real browser: headless Chromium, driven over WebDriver."""
import shutil

from selenium import webdriver
from selenium.common.exceptions import NoSuchElementException, StaleElementReferenceException
from selenium.webdriver.chrome.options import Options
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By

from conftest import wait_until

FLAGS = ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
         "--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-extensions",
         "--hide-scrollbars", "--force-color-profile=srgb")


class Console:
    """The page at `url`; what it shows, as people see it."""

    def __init__(self, folder, *, size=(1280, 800), language="en-GB", dark=False):
        options = Options()
        options.binary_location = shutil.which("chromium")
        for flag in (*FLAGS, f"--window-size={size[0]},{size[1]}", f"--lang={language}", f"--user-data-dir={folder}",
                     *(["--force-dark-mode"] if dark else [])):
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
        def check():
            text = "\n".join(self.texts(selector))
            return all(word in text for word in words) and text
        return wait_until(check, timeout=timeout, interval=0.05, what=f"{selector} says {words}")

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
