"""The pages of docs/python: their examples, in two ranks, and that they have each public name."""

import doctest
import os
import pathlib
import re
import unittest

import muster
from muster.testing import ranks

try:
    import numpy as np
except ImportError:
    np = None

PAGES = sorted(pathlib.Path(os.environ["TEST_SOURCE"], "docs", "python").glob("*.rst"))


class Pages(unittest.TestCase):
    @unittest.skipIf(np is None, "the examples use numpy")
    def test_examples(self):
        for page in PAGES:
            test = doctest.DocTestParser().get_doctest(page.read_text(encoding="utf-8"), {}, page.name, str(page), 0)
            if not test.examples:
                continue

            @ranks(2)
            def body():
                words = []
                world = muster.init()
                test.globs.update(muster=muster, np=np, world=world, rank=world.rank(), __name__="__main__")
                doctest.DocTestRunner().run(test, out=words.append)
                assert not words, "".join(words)

            with self.subTest(page.name):
                body()

    def test_each_name_is_on_one_page(self):
        found = [name for page in PAGES
                 for name in re.findall(r"^\.\. (?:auto\w+|data):: (\w+)$", page.read_text(encoding="utf-8"), re.MULTILINE)]
        self.assertEqual(sorted(found), sorted([*muster.__all__, "ranks"]))


if __name__ == "__main__":
    unittest.main()
