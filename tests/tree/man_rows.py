"""Rows of the header that do not begin a line of the rendered manual: entries of lists, rows of tables, lines of examples,
members of structs and enums. Also lines of running text with the star of a comment's line in them. Prints them, and fails if
any, or if there are too few rows to believe it.

    man_rows.py HEADER PAGE...
"""
import re
import subprocess
import sys


def rows_of_comment(comment):
    inside = False  # an entry of a list, which goes on in lines that are indented by more
    for line in comment.split("\n")[1:]:
        line = re.sub(r"^ \*/?", "", line)
        row = line.strip()
        indent = len(line) - len(line.lstrip())  # 1 is text
        if not row or indent <= 1:
            inside = False
        elif indent == 3:
            inside = True
            yield re.split(r" {2,}", row)[0], row
        elif not inside:
            yield row, row


def rows_of(text):
    for comment in re.findall(r"^/\*\n.*?\*/", text, re.M | re.S):
        yield from rows_of_comment(comment)
    for body in re.findall(r"^typedef (?:struct|enum) \w+ \{\n(.*?)^\}", text, re.M | re.S):
        for member in re.findall(r"^ {4}(\w[^;,/]*?)[;,]?(?: *| */\*.*)$", body, re.M):
            yield member, member


def render(page):
    made = subprocess.run(["mandoc", "-T", "ascii", "-O", "width=1000", page], check=True, capture_output=True, text=True)
    for line in made.stdout.split("\n"):
        yield " ".join(re.sub(".\b", "", line).split())


def stars(page):
    """Lines of the page with a lone star, but for those of examples and tables."""
    literal = False
    with open(page, encoding="utf-8") as lines:
        for line in lines:
            literal = line.startswith(".Bd") or (literal and not line.startswith(".Ed"))
            text = re.sub(r"\\fB.*?\\fR", "", line)
            if not literal and not line.startswith(".Ft") and re.search(r"(^|\s)\*\s", text):
                yield line.strip()


def main():
    lines = [line for page in sys.argv[2:] for line in render(page)]
    with open(sys.argv[1], encoding="utf-8") as header:
        rows = list(rows_of(header.read()))
    lost = 0
    for begins, row in rows:
        begins = " ".join(begins.split())
        if not any(line == begins or line.startswith(begins + " ") for line in lines):
            print(f"no line of the manual begins with this row of the header: {row}")
            lost += 1
    for page in sys.argv[2:]:
        for line in stars(page):
            print(f"{page} has the star of a comment: {line}")
            lost += 1
    if len(rows) < 150:
        print(f"only {len(rows)} rows found in the header")
        lost += 1
    return min(lost, 1)


sys.exit(main())
