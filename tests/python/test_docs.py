"""The examples in what help() says of muster, run in two ranks; and that the typed stub has the same arguments."""

import ast
import doctest
import inspect
import pathlib
import re
import unittest

import muster
from muster.testing import ranks

try:
    import numpy as np
except ImportError:
    np = None

STUB = pathlib.Path(muster.__file__).with_name("__init__.pyi")


def documented():
    """(name, object) of all that has words."""
    for name in muster.__all__:
        thing = getattr(muster, name)
        yield name, thing
        if inspect.isclass(thing) and not issubclass(thing, Exception):
            for part, method in vars(thing).items():
                if not part.startswith("_"):
                    yield f"{name}.{part}", getattr(thing, part)


class Docs(unittest.TestCase):
    def test_all_that_is_public_has_words(self):
        for name, thing in documented():
            if isinstance(thing, int) or inspect.ismemberdescriptor(thing):
                continue
            self.assertTrue(thing.__doc__, name)

    @unittest.skipIf(np is None, "the examples use numpy")
    def test_examples(self):
        for name, thing in documented():
            examples = doctest.DocTestParser().get_doctest(thing.__doc__ or "", {}, name, None, 0)
            if isinstance(thing, int) or not examples.examples:
                continue

            @ranks(2)
            def body():
                words = []
                examples.globs.update(muster=muster, np=np, rank=muster.init().rank())
                doctest.DocTestRunner().run(examples, out=words.append)
                assert not words, "".join(words)

            with self.subTest(name):
                body()

    def test_most_functions_have_an_example(self):
        without = [name for name, thing in documented()
                   if inspect.isroutine(thing) and ">>>" not in thing.__doc__ and not name.endswith("_start")]
        allowed = {"init", "is_available"}
        self.assertEqual([name for name in without if "." not in name and name not in allowed], [])


class Stub(unittest.TestCase):
    def test_arguments(self):
        """Those of Python's functions by their signatures, those of C's by the first line of what they say."""
        compared = 0
        for node in ast.parse(STUB.read_text()).body:
            if not isinstance(node, ast.FunctionDef):
                continue
            function = getattr(muster, node.name)
            own = [arg.arg for arg in node.args.args + node.args.kwonlyargs]
            if inspect.isfunction(function):
                real = [name for name in inspect.signature(function).parameters]
            else:
                line = function.__doc__.splitlines()[0]
                real = [part.split("=")[0].strip() for part in re.search(r"\((.*)\)", line)[1].split(",")]
                real = [name for name in real if name and name != "*"]
                own = [name for name in own if name not in ("dtype", "stream")]  # MLX's, and for bits without a type
            self.assertEqual(sorted(own), sorted(real), node.name)
            compared += 1
        self.assertGreater(compared, 50)

    def test_each_start_returns_what_the_other_gives(self):
        types = {node.name: ast.unparse(node.returns) for node in ast.parse(STUB.read_text()).body
                 if isinstance(node, ast.FunctionDef)}
        for name, type in types.items():
            if name.endswith("_start"):
                self.assertEqual(type, f"Request[{types[name.removesuffix('_start')]}]", name)


if __name__ == "__main__":
    unittest.main()
