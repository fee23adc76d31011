"""The lines of Python in the card of an export."""
import contextlib
import io
import os
import re


def run(folder):
    """Runs them in the folder; returns the relative error that they print."""
    with open(os.path.join(folder, "README.md")) as file:
        lines = re.search(r"```python\n(.*?)```", file.read(), re.S).group(1)
    printed, here = io.StringIO(), os.getcwd()
    os.chdir(folder)
    try:
        with contextlib.redirect_stdout(printed):
            exec(compile(lines, "README.md", "exec"), {})
    finally:
        os.chdir(here)
    return float(printed.getvalue())
