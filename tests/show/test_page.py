"""The page that steps through a trace, as HTML text and in a browser."""

from __future__ import annotations

import html
import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import dualdiff as dd
from dualdiff.cli.main import main

TRACE = dd.trace(lambda x1, x2: np.log(x1) + x1 * x2 - np.sin(x2), 2.0, 5.0)


def data(page: str) -> dict[str, Any]:
    (text,) = re.findall(r'id="data">(.*?)</script>', page, re.S)
    found: dict[str, Any] = json.loads(text)
    return found


# ---------------------------------------------------------------- the file


def test_it_is_one_file_that_needs_no_network(tmp_path: Path) -> None:
    page = TRACE.page(tmp_path / "trace.html")
    assert (tmp_path / "trace.html").read_text(encoding="utf-8") == page
    assert "@@" not in page
    assert not re.search(r"""(?:src|href)=["'](?!data:)|@import|url\((?!#)|fetch\(|XMLHttp""", page)
    assert set(re.findall(r"https?://[^\s\"'<]*", page)) <= {"http://www.w3.org/2000/svg"}


def test_its_numbers_are_those_of_the_trace() -> None:
    rows = data(TRACE.page())["rows"]
    assert [r["value"] for r in rows] == ["2", "5", "0.693147", "10", "10.6931", "-0.958924", "11.6521"]
    assert [r["tangents"] for r in rows][-1] == ["5.5", "1.71634"]
    assert [r["adjoint"] for r in rows][:2] == ["5.5", "1.71634"]
    assert rows[4]["pushes"] == ["1 × 0.5 + 1 × 5", "1 × 0 + 1 × 2"]
    assert rows[1]["sums"] == "v2: 1 × 2 + v4: -1 × 0.283662"


def test_each_step_knows_its_line_of_f() -> None:
    def squared(x: float) -> float:
        return x * x

    def f(x: float) -> float:
        a = squared(x)  # what a function called does is at the line of the call
        for k in range(1, 3):
            a = (a +
                 x * k)  # fmt: skip
        return dd.relu(a)

    rows = data(dd.trace(f, 2.0).page())["rows"]
    assert [(r["operation"], r["line"]) for r in rows] == [
        ("input", None),
        ("x × x", 1),
        ("x × 1", 4),
        ("v1 + v2", 3),
        ("x × 2", 4),
        ("v3 + v4", 3),
        ("relu(v5)", 5),
    ]
    assert [r["line"] for r in data(dd.trace(np.sin, 2.0).page())["rows"]] == [None, None]


def test_a_constant_result_has_no_seed_for_its_tangent() -> None:
    rows = data(dd.trace(lambda x: 3.0, 1.0).page())["rows"]
    assert [(r["pushes"], r["tangents"]) for r in rows] == [(["the seed"], ["1"]), (["a constant's"], ["0"])]


def test_arrays_in_any_order_read_only_or_empty() -> None:
    matrix, x = np.asfortranarray(np.arange(6.0).reshape(2, 3)), np.array([1.0, 2.0, 3.0])
    x.flags.writeable = False
    rows = data(dd.trace(lambda x: matrix @ x, x).page())["rows"]
    assert rows[-1]["pushes"][1] == "[[0, 1, 2], [3, 4, 5]] @ [0, 1, 0]" and rows[-1]["tangents"][1] == "[1, 4]"
    assert data(dd.trace(np.sum, np.ones(0)).page())["rows"][-1]["value"] == "0"


def test_products_are_counted_for_both_modes() -> None:
    assert data(TRACE.page())["costs"] == [
        "8 products a pass",
        "Forward passes: 2, one for each input number: 16 products",
        "Reverse passes: 1, one for each result number: 8 products",
    ]
    matrix = np.arange(6.0).reshape(2, 3)
    costs = data(dd.trace(lambda x: np.tanh(matrix @ x), np.ones(3)).page())["costs"]
    assert costs[0] == "8 products a pass"  # a Jacobian of 6 entries, 2 slopes


def test_markup_in_code_and_names_is_text() -> None:
    def f(x: float) -> float:
        return x * len("</script><b>@@DATA@@")

    page = dd.trace(f, 2.0).page()
    assert html.escape('"</script><b>@@DATA@@"') in page and "<b>" not in page


def test_a_graph_too_large_to_draw_leaves_the_table() -> None:
    def f(x: float) -> float:
        for _ in range(80):
            x = np.sin(x)
        return x

    page = dd.trace(f, 2.0).page()
    assert "more than the 60" in page and len(data(page)["rows"]) == 81


def test_large_and_complex_numbers() -> None:
    assert len(data(dd.trace(lambda x: np.sum(x**2), np.ones(1000)).page())["rows"]) == 3
    assert data(dd.trace(lambda z: z * z, 1 + 2j).page())["rows"][-1]["value"] == "-3+4j"


def test_pictures_of_steps() -> None:
    n = len(TRACE.rows)
    words = [re.sub(r"<[^>]*>", " ", TRACE.svg(step=k)) for k in range(2 * n + 1)]
    assert "10.69" not in words[4] and "10.69" in words[5]
    assert "← 5.5" not in words[2 * n - 1] and "← 5.5" in words[2 * n]
    assert "← 1 " in words[n + 1] and "← 1 " not in words[n]
    for k in (-1, 2 * n + 1, 0.5):
        with pytest.raises(ValueError, match="this trace has steps 0 to 14"):
            TRACE.svg(step=k)  # type: ignore[arg-type]


def test_the_command_line_writes_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "out.html"
    assert main(["ln(x1) + x1*x2 - sin(x2)", "x1=2", "x2=5", "--page", str(file)]) == 0
    page = file.read_text(encoding="utf-8")
    assert ">ln(x1) + x1*x2 - sin(x2)\n</span></pre>" in page
    assert [r["adjoint"] for r in data(page)["rows"]][:2] == ["5.5", "1.71634"]
    assert main(["x", "x=1", "--page", str(tmp_path / "missing" / "out.html")]) == 2
    assert "can't write" in capsys.readouterr().err


def test_show_opens_a_browser(monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[str] = []
    monkeypatch.setattr("webbrowser.open", opened.append)
    monkeypatch.delitem(__import__("sys").modules, "IPython", raising=False)
    TRACE.show()
    assert len(opened) == 1 and opened[0].endswith("trace.html")
    shutil.rmtree(Path(opened[0].removeprefix("file://")).parent)


# ---------------------------------------------------------------- in a browser


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    webdriver = pytest.importorskip("selenium.webdriver")
    names = ("chromium", "chromium-browser", "google-chrome", "chrome")
    binary, driver = next(filter(None, map(shutil.which, names)), None), shutil.which("chromedriver")
    if binary is None or driver is None:
        pytest.skip("no Chromium with its driver is installed")
    options = webdriver.ChromeOptions()
    options.binary_location = binary
    for flag in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--window-size=1200,900"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    made = webdriver.Chrome(options=options, service=webdriver.ChromeService(driver))
    yield made
    made.quit()


@pytest.fixture
def opened(browser: Any, tmp_path: Path) -> Iterator[Any]:
    TRACE.page(tmp_path / "trace.html")
    browser.get((tmp_path / "trace.html").as_uri())
    yield browser
    assert [entry for entry in browser.get_log("browser") if entry["level"] in ("SEVERE", "WARNING")] == []


def press(browser: Any, *keys: str) -> None:
    for key in keys:
        browser.find_element("tag name", "body").send_keys(key)


def shown(browser: Any, css: str) -> list[str]:
    """The texts of the elements that can be seen."""
    script = """return [...document.querySelectorAll(arguments[0])]
        .filter(e => getComputedStyle(e).visibility !== "hidden").map(e => e.textContent)"""
    found: list[str] = browser.execute_script(script, css)
    return found


def test_keys_step_forward_and_back(opened: Any) -> None:
    keys = pytest.importorskip("selenium.webdriver").Keys
    rows, n = data(TRACE.page())["rows"], len(TRACE.rows)
    for k in range(2 * n + 1):
        assert opened.find_element("id", "step").text == f"{k} of {2 * n}"
        assert shown(opened, "td.v") == [r["value"] for r in rows[: min(k, n)]]
        assert shown(opened, "td.t") == [r["tangents"][0] for r in rows[: min(k, n)]]
        assert shown(opened, "td.a") == [r["adjoint"] for r in rows[2 * n - k :]]
        assert shown(opened, "svg .t") == [f"→ {r['tangents'][0]}" for r in rows[: min(k, n)]]
        assert len(shown(opened, "svg .a")) == len(shown(opened, "td.a"))
        press(opened, keys.ARROW_RIGHT)
    press(opened, keys.ARROW_LEFT)
    assert opened.find_element("id", "step").text == f"{2 * n - 1} of {2 * n}"
    words = opened.find_element("id", "words").text
    assert "v2: 1 × 2 + v4: -1 × 0.283662 = 1.71634" in words and "summed" in words
    assert "1 × 2" in shown(opened, "svg .label text") and "-1 × 0.2837" in shown(opened, "svg .label text")
    press(opened, keys.HOME)
    assert shown(opened, "td.v") == []
    press(opened, keys.END)
    assert len(shown(opened, "td.a")) == n


def test_the_slider_the_buttons_and_the_seed(opened: Any) -> None:
    keys = pytest.importorskip("selenium.webdriver").Keys
    opened.find_element("id", "slider").send_keys(keys.ARROW_RIGHT)
    opened.find_element("id", "next").click()
    assert opened.find_element("id", "step").text == "2 of 14"
    opened.find_element("id", "back").click()
    assert opened.find_element("id", "step").text == "1 of 14"
    script = "const s = document.getElementById('slider'); s.value = 7; s.dispatchEvent(new Event('input'))"
    opened.execute_script(script)
    assert shown(opened, "td.t")[-1] == "5.5"
    press(opened, "s")
    assert shown(opened, "td.t")[-1] == "1.71634" and "d/dx2" in opened.find_element("id", "words").text


def test_it_fits_a_phone(opened: Any) -> None:
    opened.set_window_size(500, 800)
    assert opened.execute_script("return document.documentElement.scrollWidth <= window.innerWidth")
    opened.set_window_size(1200, 900)


def test_the_line_at_work_is_lit(browser: Any, tmp_path: Path) -> None:
    keys = pytest.importorskip("selenium.webdriver").Keys

    def f(x: float) -> float:
        a = x * x
        return np.sin(a)

    dd.trace(f, 2.0).page(tmp_path / "trace.html")
    browser.get((tmp_path / "trace.html").as_uri())
    lit = []
    for _ in range(6):
        press(browser, keys.ARROW_RIGHT)
        lit.append("".join(shown(browser, "#code .line.now")).strip())
    first, last = "a = x * x", "return np.sin(a)"
    assert lit == ["", first, last, last, first, ""]
