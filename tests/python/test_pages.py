"""The pages of docs/python: their examples, in two ranks, and that they have each public name."""

import os
import pathlib
import re
import unittest

import muster
from helpers import needs_numpy, run_examples

PAGES = sorted(pathlib.Path(os.environ["TEST_SOURCE"], "docs", "python").glob("*.rst"))


class Pages(unittest.TestCase):
    @needs_numpy
    def test_examples(self):
        for page in PAGES:
            with self.subTest(page.name):
                run_examples(page.read_text(encoding="utf-8"), page.name)

    def test_each_name_is_on_one_page(self):
        found = [name for page in PAGES
                 for name in re.findall(r"^\.\. (?:auto\w+|data):: (\w+)$", page.read_text(encoding="utf-8"), re.MULTILINE)]
        self.assertEqual(sorted(found), sorted([*muster.__all__, "ranks"]))


if __name__ == "__main__":
    unittest.main()
