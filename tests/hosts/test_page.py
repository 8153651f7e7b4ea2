"""The monitor page in Chromium, against a running server."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from performance import WAIT_S, lacking, program
from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.ui import Select, WebDriverWait
from servers import Served, serving

from oscbend.server.announce import heard_at
from oscbend.server.client import Client

TOKEN = "a-token_of-the-test"
SITE = "latent.end"
PIXELS = """
const canvas = document.querySelector("#picture");
return [...canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data];
"""


class Page:
    """The page in a browser, in the test's own words."""

    def __init__(self, browser: webdriver.Chrome) -> None:
        self.browser = browser

    def open(self, url: str) -> None:
        """Opens the page and waits until it has drawn its map and a picture."""
        self.browser.get("about:blank")
        self.browser.get(url)
        self.until(
            lambda: self.all(".cell") and self.all("#controls .control") and max(self.pixels()[:3]) > 0
        )

    def until(self, true: Callable[[], object]) -> None:
        WebDriverWait(self.browser, WAIT_S).until(lambda _: true())

    def all(self, selector: str) -> list[WebElement]:
        return self.browser.find_elements(By.CSS_SELECTOR, selector)

    def one(self, selector: str) -> WebElement:
        return self.browser.find_element(By.CSS_SELECTOR, selector)

    def pixels(self) -> list[int]:
        """Of the live picture, RGBA."""
        found: list[int] = self.browser.execute_script(PIXELS)
        return found

    def differs(self, before: list[int]) -> bool:
        """True if the picture is plainly another than it was."""
        now = self.pixels()
        return sum(abs(a - b) for a, b in zip(now, before)) / len(now) > 3


@pytest.fixture(scope="module")
def page() -> Iterator[Page]:
    options = webdriver.ChromeOptions()
    options.binary_location = program("chromium")
    for flag in ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"):
        options.add_argument(flag)
    options.add_argument("--window-size=1400,1000")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})  # type: ignore[no-untyped-call]
    browser = webdriver.Chrome(options=options, service=Service(program("chromedriver")))
    yield Page(browser)
    browser.quit()


@pytest.fixture(scope="module")
def server() -> Iterator[Served]:
    with serving("--steps", "1", "--noise", "hold") as one:
        yield one


@pytest.fixture
def client(server: Served) -> Iterator[Client]:
    with Client(server.host, server.port) as opened:
        for address in ("/bend/free", "/black"):
            opened.send(address, *([0.0] if address == "/black" else []))
        opened.sync()
        yield opened


def test_a_bend_is_armed_by_a_click_and_played_by_a_slider(
    page: Page, server: Served, client: Client
) -> None:
    page.open(server.web)
    page.one(f'[data-site="{SITE}"] rect').click()
    Select(page.one("#arm-op")).select_by_visible_text("add")
    page.one("#arm-go").click()
    page.until(lambda: page.all('[data-bend="1"] [data-address="/bend/1/r"] input[type=range]'))
    assert client.ask("/get", "/bend/1", reply="/bend/1").args == ("add", SITE)
    assert "bent" in str(page.one(f'[data-site="{SITE}"]').get_attribute("class"))
    before = page.pixels()
    slider = page.one('[data-address="/bend/1/r"] input[type=range]')
    page.browser.execute_script("arguments[0].scrollIntoView({block: 'center'})", slider)
    wide = slider.size["width"]
    drag = ActionChains(page.browser).move_to_element(slider).click_and_hold()
    for _ in range(8):
        drag = drag.move_by_offset(wide // 20, 0)
    drag.release().perform()
    page.until(lambda: page.differs(before))
    (amount,) = client.ask("/get", "/bend/1/r", reply="/bend/1/r").args
    assert amount == pytest.approx(float(str(slider.get_property("value"))), rel=1e-3)
    assert amount > 0


def test_the_map_is_played_with_the_keyboard(page: Page, server: Served, client: Client) -> None:
    page.open(server.web)
    first = page.one('.cell[tabindex="0"]')
    first.send_keys(Keys.ARROW_RIGHT)
    site = str(page.browser.switch_to.active_element.get_attribute("data-site"))
    assert site != first.get_attribute("data-site")
    page.browser.switch_to.active_element.send_keys(Keys.ENTER)
    assert page.one("#arm-site").text == site
    page.one("#arm-id").send_keys(Keys.ENTER)
    page.until(lambda: page.all('[data-bend="1"]'))
    assert client.ask("/get", "/bend/1", reply="/bend/1").args == ("rotate", site)


def test_what_others_do_is_seen(page: Page, server: Served, client: Client) -> None:
    page.open(server.web)
    client.send("/bend/loud", "rotate", "latent.0")
    client.send("/feature/rms", 0.5)
    client.send("/bend/loud/angle/map", "rms", 0.0, 3.0)
    client.send("/guidance", 2.5)
    client.send("/bend/other", "no_such_operator", "image")
    page.until(lambda: page.all('[data-bend="loud"] .driven') and page.all(".flow.drive"))
    page.until(lambda: "rms" in page.one("#features").text)
    field = page.one('[data-address="/guidance"] input[type=number]')
    page.until(lambda: field.get_property("value") == "2.50")
    page.until(lambda: "no_such_operator" in page.one("#log .fail").text)
    client.send("/bend/free")
    page.until(lambda: not page.all("[data-bend]") and not page.all(".cell.bent"))


def test_a_prompt_changes_the_picture_and_a_wrong_value_is_told(
    page: Page, server: Served, client: Client
) -> None:
    page.open(server.web)
    before = page.pixels()
    words = page.one('[data-address="/prompt/1"] input')
    words.clear()
    words.send_keys("starry night in blue", Keys.ENTER)
    page.until(lambda: page.differs(before))
    page.one("#scene-name").send_keys("no such scene")
    page.one("#scene-load").click()
    page.until(lambda: "no such scene" in page.one("#toast").text)


def test_nothing_went_wrong_in_the_browser_and_nothing_sticks_out(page: Page, server: Served) -> None:
    for width, height in ((1400, 1000), (390, 844)):
        metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 500}
        page.browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
        page.open(server.web)
        assert page.browser.execute_script("return document.documentElement.scrollWidth") <= width
    page.browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
    assert [line for line in page.browser.get_log("browser") if line["level"] == "SEVERE"] == []


def test_pages_of_other_machines_look_and_with_the_token_play(page: Page) -> None:
    here = [host for host in heard_at("0.0.0.0") if ":" not in host]
    if not here:
        lacking("this machine is in no network")
    options = ("--steps", "1", "--noise", "hold", "--lan", "--allow", here[0], "--web-token", TOKEN)
    with serving(*options) as server, Client("127.0.0.1", server.port) as client:
        url = f"http://{here[0]}:{server.web.rpartition(':')[2]}/"
        page.open(url)
        page.until(lambda: "may only look" in page.one("#look").text)
        page.one(f'[data-site="{SITE}"] rect').click()
        assert not page.one("#arm").is_displayed()
        assert not page.one('[data-address="/guidance"] input').is_enabled()
        page.open(f"{url}#token={TOKEN}")
        page.until(lambda: page.one('[data-address="/guidance"] input[type=number]').is_enabled())
        assert TOKEN not in page.browser.current_url
        field = page.one('[data-address="/guidance"] input[type=number]')
        field.clear()
        field.send_keys("3", Keys.ENTER)
        page.until(lambda: client.ask("/get", "/guidance", reply="/guidance").args == (3.0,))
