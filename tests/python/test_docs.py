"""The examples in what help() says of muster, run in two ranks; and that the typed stub has the same arguments."""

import ast
import inspect
import os
import pathlib
import shutil
import subprocess
import tempfile
import unittest

import muster
from helpers import needs_numpy, run_examples

STUB = pathlib.Path(muster.__file__).resolve().with_name("__init__.pyi")


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

    @needs_numpy
    def test_examples(self):
        for name, thing in documented():
            if not isinstance(thing, int):
                with self.subTest(name):
                    run_examples(thing.__doc__ or "", name)

    def test_most_functions_have_an_example(self):
        without = [name for name, thing in documented()
                   if inspect.isroutine(thing) and ">>>" not in thing.__doc__ and not name.endswith("_start")]
        allowed = {"init", "is_available"}
        self.assertEqual([name for name in without if "." not in name and name not in allowed], [])


class Stub(unittest.TestCase):
    def compare(self, node, thing, name):
        """The arguments of a function of the stub, and of what is there."""
        signature = inspect.signature(thing)
        real = [(parameter.name, parameter.kind is parameter.KEYWORD_ONLY, parameter.default is not parameter.empty)
                for parameter in signature.parameters.values() if parameter.kind is not parameter.VAR_POSITIONAL]
        args, named = node.args.posonlyargs + node.args.args, node.args.kwonlyargs
        args = args[[ast.unparse(mark) for mark in node.decorator_list] == ["classmethod"]:]
        without = len(args) - len(node.args.defaults)
        own = [(arg.arg, False, i >= without) for i, arg in enumerate(args)]
        own += sorted((arg.arg, True, default is not None) for arg, default in zip(named, node.args.kw_defaults))
        by_name_only = [row for row in real if row[1]]
        self.assertEqual(own, [row for row in real if not row[1]] + sorted(by_name_only), name)

    def compare_all(self, stub, module):
        """Returns how many were compared."""
        body = ast.parse(stub.read_text()).body
        classes = {node.name: node for node in body if isinstance(node, ast.ClassDef)}

        def methods(node):  # those of bases that are the stub's alone, too
            for base in node.bases:
                if isinstance(base, ast.Name) and base.id.startswith("_"):
                    yield from methods(classes[base.id])
            yield from (method for method in node.body if isinstance(method, ast.FunctionDef))

        found = [(node.name, node, getattr(module, node.name)) for node in body if isinstance(node, ast.FunctionDef)]
        for node in classes.values():
            if not node.name.startswith("_"):
                found += [(f"{node.name}.{method.name}", method, getattr(getattr(module, node.name), method.name))
                          for method in methods(node)]
        found = [row for row in found if not isinstance(row[2], type(object.__init__))]  # C's, which say nothing
        for name, node, thing in found:
            self.compare(node, thing, name)
        return len(found)

    def test_arguments(self):
        """As inspect.signature, help() and editors have them: names, their order, which are by name only, and which may be
        left out."""
        self.assertGreater(self.compare_all(STUB, muster), 80)
        self.assertEqual(self.compare_all(STUB.with_name("testing.pyi"), muster.testing), 1)

    def test_all_that_can_be_called_has_a_signature(self):
        for name, thing in documented():
            if callable(thing):
                self.assertTrue(inspect.signature(thing), name)
        self.assertEqual(str(inspect.signature(muster.PeerDiedError)), "(*args)")

        class Own(muster.Error):
            def __init__(self, rank, *, why=None):
                super().__init__(f"{rank}: {why}")

        self.assertEqual(str(inspect.signature(Own)), "(rank, *, why=None)")

    @needs_numpy
    def test_arguments_of_nn(self):
        import muster.nn

        self.assertGreater(self.compare_all(STUB.parent / "nn" / "__init__.pyi", muster.nn), 7)

    @unittest.skipUnless(shutil.which("mypy"), "needs mypy")
    def test_a_typed_program(self):
        """mypy --strict finds what is wrong, and nothing else."""
        right = pathlib.Path(__file__).with_name("typed.py")
        wrong = """import muster
from muster.testing import ranks
muster.init().split(0).sise()
muster.init().split(-1).size()
ranks("four")
total: str = muster.all_sum(3.0) if muster.all_sum(b"x") == 3 else muster.cpu_count()
"""
        own = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}  # where mypy passes over errors
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder, "wrong.py")
            path.write_text(wrong)
            for program, expected in (right, []), (path, [3, 4, 5, 6]):
                said = subprocess.run(["mypy", "--strict", "--cache-dir", folder, str(program)], cwd=folder, text=True,
                                      stdout=subprocess.PIPE, env=own | {"MYPYPATH": str(STUB.parents[1])})
                found = {int(line.split(":")[1]) for line in said.stdout.splitlines() if ": error:" in line}
                self.assertEqual(sorted(found), expected, said.stdout)

    def test_arrays_and_errors_are_described(self):
        for name in ("all_sum all_max all_min all_reduce all_gather sum_scatter reduce_scatter all_to_all scan exscan broadcast "
                     "reduce gather scatter send recv recv_into sendrecv").split():
            words = getattr(muster, name).__doc__.lower()
            for word in "dtype", "shape", "error", "peerdiederror":
                self.assertIn(word, words, name)

    def test_each_start_returns_what_the_other_gives(self):
        types = {node.name: ast.unparse(node.returns) for node in ast.parse(STUB.read_text()).body
                 if isinstance(node, ast.FunctionDef)}
        for name, type in types.items():
            if name.endswith("_start"):
                self.assertEqual(type, f"Request[{types[name.removesuffix('_start')]}]", name)


if __name__ == "__main__":
    unittest.main()
