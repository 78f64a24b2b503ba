"""What inspect.signature says of the exceptions: it finds nothing in Python's own, which they are made of."""

from ._muster import Error


class _AnyArguments:
    """Of Error and what derives from it, until a class has arguments of its own."""

    def __get__(self, instance, owner):
        if owner.__init__ is not RuntimeError.__init__ or owner.__new__ is not RuntimeError.__new__:
            raise AttributeError("__signature__")
        import inspect  # here: it takes longer than most of the package

        return inspect.Signature([inspect.Parameter("args", inspect.Parameter.VAR_POSITIONAL)])


Error.__signature__ = _AnyArguments()
