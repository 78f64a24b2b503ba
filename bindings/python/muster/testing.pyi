from typing import Callable, ParamSpec

_Arguments = ParamSpec("_Arguments")

def ranks(count: int, *, timeout: float = 60) -> Callable[[Callable[_Arguments, object]], Callable[_Arguments, None]]: ...
