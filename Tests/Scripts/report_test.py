#!/usr/bin/env python3
"""Opens the pages that `trainer` makes in headless Chromium, at three widths, light and dark: that of a run, of runs side by side, and
the one that `trainer explore` serves.

Usage: report_test.py TRAINER [--keep FOLDER]. Fails where the browser logs an error, a page is wider than the window, a link, a
picture or a name for screen readers is missing, the map does not answer, a click or a dropped picture finds nothing, or a screenshot
is blank. Without Chromium it says so and does nothing. FOLDER keeps the pages and the screenshots, to be looked at.
"""
import argparse
import html
import http.client
import http.server
import json
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import urllib.parse

WIDTHS = (390, 820, 1440)
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
TINY = ("--crops 2x32+2x16 --base-width 8 --hidden 16 --dim 8 --prototypes 6 --batch 8 --epochs 2 --no-report").split()
# What a name can do to a page: end an attribute, begin an element, turn the direction of text, run a script.
NAMES = ["<img src=x onerror=document.title='broken'>", '" onload="x', "\u202egpj", "שלום", '"\u0301 onload="x', "plain"]

# Runs in a page, and leaves what it finds in it.
PROBE = """
addEventListener("load", async () => {
  const wrong = [], say = (what) => wrong.push(what), all = (query) => [...document.querySelectorAll(query)];
  const wait = (milliseconds) => new Promise((done) => setTimeout(done, milliseconds));
  const root = document.documentElement;
  if (root.scrollWidth > innerWidth) say(`wider than the window: ${root.scrollWidth} of ${innerWidth}`);
  for (const a of all("nav a")) if (!document.getElementById(a.hash.slice(1))) say(`no ${a.hash}`);
  for (const e of all("[role=img]")) {
    if (!e.ariaHidden && !e.ariaLabel && !document.getElementById(e.getAttribute("aria-labelledby"))) say(`${e.outerHTML.slice(0, 80)}: no name`);
  }
  const ids = all("[id]").map((e) => e.id);
  if (new Set(ids).size !== ids.length) say("an id twice");
  for (const s of all("svg")) if (s.getBoundingClientRect().width < 100) say("a chart without width");
  for (const t of all(".chart")) if (!t.querySelector("table td")) say("a chart without a table");
  if (all("h1").length !== 1) say("headings");
  if (document.title === "broken") say("a name ran as a script");
  const pictures = () => {
    // Those that are out of sight are not loaded yet.
    for (const i of all("img")) if (i.src && (i.loading !== "lazy" || i.complete) && (!i.naturalWidth || !i.alt)) say("a picture that is broken or has no text");
  };
  pictures();
  PART
  const result = document.createElement("pre");
  result.id = "probe";
  result.textContent = JSON.stringify(wrong);
  document.body.append(result);
});
"""
REPORT = """
  if (all("h2").length < 8 || all("script").length !== 3) say(`${all("h2").length} headings, ${all("script").length} scripts`);
  const plot = document.getElementById("map-plot"), card = document.getElementById("map-card"), dot = plot.querySelector("circle");
  plot.scrollIntoView();
  const box = dot.getBoundingClientRect();
  dot.dispatchEvent(new PointerEvent("pointermove", {bubbles: true, clientX: box.x + box.width / 2, clientY: box.y + box.height / 2}));
  if (card.hidden || !card.querySelector("bdi").textContent) say("the map shows no picture");
  const large = document.getElementById("large"), touched = document.querySelector("#clusters .pictures .p");
  touched.scrollIntoView();
  touched.click();
  const seen = large.getBoundingClientRect();
  if (large.hidden || large.querySelector("bdi").textContent !== touched.title) say("a touch shows no larger picture");
  if (seen.left < 0 || seen.right > innerWidth) say("the larger picture is outside of the window");
  touched.click();
  if (!large.hidden) say("a second touch leaves the larger picture");
  plot.dispatchEvent(new KeyboardEvent("keydown", {key: "ArrowRight"}));
  if (card.hidden) say("the map does not answer to keys");
  document.getElementById("map-toggle").click();
  await wait(500);
  const canvas = document.getElementById("map-pictures");
  const pixels = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data;
  if (canvas.hidden || !pixels.some((v) => v > 0)) say("no pictures on the map");
"""
COMPARE = """
  if (all("h2").length !== 3 || all(".chart").length < 3 || all("td").length < 10) say("a part of the comparison is missing");
  if (all("thead bdi").length < 2) say("a run has no name");
"""
EXPLORE = """
  const wall = document.getElementById("found"), query = document.getElementById("query"), status = document.getElementById("status");
  const names = () => [...wall.querySelectorAll("img")].map((image) => image.title);
  const answered = async (what, first) => {
    for (let i = 0; i < 50 && (query.hidden || status.textContent); ++i) await wait(100);
    await wait(300);
    if (query.hidden || status.textContent) return say(`${what}: no answer: ${status.textContent}`);
    if (names()[0] !== first || wall.querySelectorAll("span").length !== names().length) say(`${what}: found ${names()[0]}, not ${first}`);
    pictures();
  };
  const start = names(), first = wall.querySelector("button");
  if (start.length < 10) say(`${start.length} pictures at the start`);
  first.click();
  await answered("a click", start[0]);
  document.getElementById("back").click();
  if (!query.hidden || names().join() !== start.join()) say("back does not lead to the start");
  const bytes = await (await fetch("/picture/" + wall.querySelectorAll("button")[1].dataset.number)).blob();
  const drop = new Event("drop", {bubbles: true, cancelable: true});
  drop.dataTransfer = {files: [new File([bytes], "dropped <b>.jpg")]};
  dispatchEvent(drop);
  await answered("a dropped picture", start[1]);
  if (document.querySelector("#what bdi").textContent !== "dropped <b>.jpg") say("the name of what was dropped");
  document.getElementById("back").click();
  const text = new Event("drop", {bubbles: true, cancelable: true});
  text.dataTransfer = {files: [new File(["no picture"], "a.txt")]};
  dispatchEvent(text);
  for (let i = 0; i < 50 && (!status.textContent || status.textContent === "Looking…"); ++i) await wait(100);
  if (!status.textContent || status.textContent === "Looking…" || !query.hidden) say("what is no picture is not refused");
"""
# What a browser says of the file that is no picture.
EXPECTED = re.compile(r"status of 415")


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


def browse(browser, address, width, dark, *more):
    """Standard output, and what the page said on its console."""
    scheme = ["--blink-settings=preferredColorScheme=0"] if dark else []
    command = [browser, "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--enable-logging=stderr",
               f"--window-size={width},2600", "--virtual-time-budget=8000", *scheme, *more, address]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    said = [line for line in done.stderr.splitlines() if "CONSOLE" in line and not EXPECTED.search(line)]
    return done.stdout, said


def probed(text, part):
    """The page with the probe in it. Its own policy would not let that run."""
    text = re.sub(r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", text)
    return text.replace("</body>", f"<script>{PROBE.replace('PART', part)}</script></body>")


def check(browser, address, probe, shot, width, dark):
    """What is wrong with the page at `address`; at `probe` it has the probe in it."""
    _, wrong = browse(browser, address, width, dark, f"--screenshot={shot}")
    if not shot.exists() or shot.stat().st_size < 20_000:
        wrong.append("the screenshot is blank")
    dom, said = browse(browser, probe, width, dark, "--dump-dom")
    found = re.search(r'<pre id="probe">(.*?)</pre>', dom, re.S)
    wrong += said + (json.loads(html.unescape(found.group(1))) if found else ["the probe did not end"])
    return [f"{shot.stem}: {what}" for what in wrong]


def views(browser, name, address, probe, folder):
    return [line for width in WIDTHS for dark in (False, True)
            for line in check(browser, address, probe, folder / f"{name}-{width}-{'dark' if dark else 'light'}.png", width, dark)]


def check_file(browser, page, part):
    beside = page.with_name("probed-" + page.name)
    beside.write_text(probed(page.read_text(encoding="utf-8"), part), encoding="utf-8")
    return views(browser, page.stem, page.as_uri(), beside.as_uri(), page.parent)


class Between(http.server.BaseHTTPRequestHandler):
    """Stands between the browser and the server of `trainer explore`, and puts the probe into its page."""
    upstream = None

    def do_GET(self):
        self.forward("GET", None)

    def do_POST(self):
        self.forward("POST", self.rfile.read(int(self.headers["Content-Length"])))

    def forward(self, method, body):
        connection = http.client.HTTPConnection(self.upstream)
        connection.request(method, self.path, body)
        answer = connection.getresponse()
        content = answer.read()
        if self.path == "/":
            content = probed(content.decode("utf-8"), EXPLORE).encode("utf-8")
        self.send_response(answer.status)
        self.send_header("Content-Type", answer.headers["Content-Type"])
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)
        connection.close()

    def log_message(self, *_):
        pass


def check_explorer(browser, trainer, folder):
    server = subprocess.Popen([trainer, "explore", "run", "images", "--port", "0", "--json"], cwd=folder, text=True,
                              stdout=subprocess.PIPE)
    try:
        rows = (json.loads(line) for line in server.stdout)
        address = next(row["address"] for row in rows if row["type"] == "listening")
        Between.upstream = urllib.parse.urlparse(address).netloc
        between = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Between)
        threading.Thread(target=between.serve_forever, daemon=True).start()
        wrong = views(browser, "explore", address, f"http://127.0.0.1:{between.server_port}/", folder)
        between.shutdown()
        return wrong
    finally:
        server.terminate()
        server.wait(20)


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
        def run(*words):
            subprocess.run([trainer, *words], cwd=folder, check=True, stdout=subprocess.DEVNULL)

        run("pretrain", "images", "--val", "images", "--output", "run", *TINY)
        run("report", "run", "--output", "report.html")
        run("pretrain", "images", "--output", "<b>other", *TINY, "--base-lr", "0.02", "--final-lr", "0")
        run("compare", "run", "<b>other", "--output", "compare.html")
        wrong = check_file(browser, folder / "report.html", REPORT) + check_file(browser, folder / "compare.html", COMPARE)
        wrong += check_explorer(browser, trainer, folder)
    for line in wrong:
        print("test-report: " + line, file=sys.stderr)
    print(f"test-report: {len(WIDTHS) * 6} views, {len(wrong)} faults")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
