#!/usr/bin/env python3
"""Opens the page that `trainer pretrain` writes in headless Chromium, at three widths, light and dark.

Usage: report_test.py TRAINER [--keep FOLDER]. Fails where the browser logs an error, the page is wider than the window, a link, a
picture or a name for screen readers is missing, the map does not answer, or a screenshot is blank. Without Chromium it says so and
does nothing. FOLDER keeps the pages and the screenshots, to be looked at.
"""
import argparse
import html
import json
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

WIDTHS = (390, 820, 1440)
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
TINY = ("--crops 2x32+2x16 --base-width 8 --hidden 16 --dim 8 --prototypes 6 --batch 8 --epochs 2 --no-report").split()
# What a name can do to a page: end an attribute, begin an element, turn the direction of text, run a script.
NAMES = ["<img src=x onerror=document.title='broken'>", '" onload="x', "\u202egpj", "שלום", '"\u0301 onload="x', "plain"]

# Runs in the page, and leaves what it finds in it.
PROBE = """
addEventListener("load", async () => {
  const wrong = [], say = (what) => wrong.push(what), all = (query) => [...document.querySelectorAll(query)];
  const root = document.documentElement;
  if (root.scrollWidth > innerWidth) say(`wider than the window: ${root.scrollWidth} of ${innerWidth}`);
  for (const a of all("nav a")) if (!document.getElementById(a.hash.slice(1))) say(`no ${a.hash}`);
  for (const i of all("img")) if (!i.complete || !i.naturalWidth || !i.alt) say("a picture that is broken or has no text");
  const ids = all("[id]").map((e) => e.id);
  if (new Set(ids).size !== ids.length) say("an id twice");
  for (const e of all("[role=img]")) {
    if (!e.ariaHidden && !e.ariaLabel && !document.getElementById(e.getAttribute("aria-labelledby"))) say(`${e.outerHTML.slice(0, 80)}: no name`);
  }
  for (const s of all("svg")) if (s.getBoundingClientRect().width < 100) say("a chart without width");
  for (const t of all(".chart")) if (!t.querySelector("table td")) say("a chart without a table");
  if (all("h1").length !== 1 || all("h2").length < 8) say("headings");
  if (all("script").length !== 3) say(`${all("script").length} scripts`);
  if (document.title === "broken") say("a name ran as a script");
  const plot = document.getElementById("map-plot"), card = document.getElementById("map-card"), dot = plot.querySelector("circle");
  plot.scrollIntoView();
  const box = dot.getBoundingClientRect();
  dot.dispatchEvent(new PointerEvent("pointermove", {bubbles: true, clientX: box.x + box.width / 2, clientY: box.y + box.height / 2}));
  if (card.hidden || !card.querySelector("bdi").textContent) say("the map shows no picture");
  plot.dispatchEvent(new KeyboardEvent("keydown", {key: "ArrowRight"}));
  if (card.hidden) say("the map does not answer to keys");
  document.getElementById("map-toggle").click();
  await new Promise((done) => setTimeout(done, 500));
  const canvas = document.getElementById("map-pictures");
  const pixels = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data;
  if (canvas.hidden || !pixels.some((v) => v > 0)) say("no pictures on the map");
  const result = document.createElement("pre");
  result.id = "probe";
  result.textContent = JSON.stringify(wrong);
  document.body.append(result);
});
"""


def picture(path, kind, number):
    """A small PPM: stripes of a kind."""
    side, step = 40, 4 + 3 * kind
    rows = bytearray()
    for y in range(side):
        for x in range(side):
            on = ((x if kind % 2 else y) + number) % step < step // 2
            rows += bytes((200 if on else 40, (60 + 40 * kind) % 256, (17 * number) % 256))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"P6 %d %d 255\n" % (side, side) + bytes(rows))


def browse(browser, page, width, dark, *more):
    """Standard output, and what the page said on its console."""
    scheme = ["--blink-settings=preferredColorScheme=0"] if dark else []
    command = [browser, "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--enable-logging=stderr",
               f"--window-size={width},2600", "--virtual-time-budget=8000", *scheme, *more, page.as_uri()]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    said = [line for line in done.stderr.splitlines() if "CONSOLE" in line]
    return done.stdout, said


def check(browser, folder, width, dark):
    page = folder / "run" / "report.html"
    shot = folder / f"report-{width}-{'dark' if dark else 'light'}.png"
    _, wrong = browse(browser, page, width, dark, f"--screenshot={shot}")
    if not shot.exists() or shot.stat().st_size < 20_000:
        wrong.append("the screenshot is blank")
    text = page.read_text(encoding="utf-8")
    # The page's own policy would not let the probe run.
    probed = folder / "probed.html"
    probed.write_text(re.sub(r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", text)
                      .replace("</body>", f"<script>{PROBE}</script></body>"), encoding="utf-8")
    dom, said = browse(browser, probed, width, dark, "--dump-dom")
    found = re.search(r'<pre id="probe">(.*?)</pre>', dom, re.S)
    wrong += said + (json.loads(html.unescape(found.group(1))) if found else ["the probe did not end"])
    return [f"{width} pixels, {'dark' if dark else 'light'}: {what}" for what in wrong]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("trainer", type=pathlib.Path)
    parser.add_argument("--keep", type=pathlib.Path)
    given = parser.parse_args()
    browser = next((found for found in map(shutil.which, BROWSERS) if found), None)
    if browser is None:
        print("test-report: skipped, there is no chromium (Debian: apt-get install chromium)")
        return 0
    with tempfile.TemporaryDirectory() as temporary:
        folder = (given.keep or pathlib.Path(temporary)).absolute()
        for kind in range(3):
            for number in range(12):
                name = NAMES[number % len(NAMES)] + f" {number}.ppm"
                picture(folder / "images" / f"kind <b>{kind}" / name, kind, number)
        trainer = str(given.trainer.absolute())
        subprocess.run([trainer, "pretrain", "images", "--val", "images", "--output", "run", *TINY], cwd=folder, check=True,
                       stdout=subprocess.DEVNULL)
        subprocess.run([trainer, "report", "run"], cwd=folder, check=True, stdout=subprocess.DEVNULL)
        wrong = [line for width in WIDTHS for dark in (False, True) for line in check(browser, folder, width, dark)]
    for line in wrong:
        print("test-report: " + line, file=sys.stderr)
    print(f"test-report: {len(WIDTHS) * 2} views, {len(wrong)} faults")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
