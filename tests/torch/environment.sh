# What each test of muster.torch has in its environment. Read by the others; uses TEST_BUILD and TEST_SOURCE.
PYTHONPATH=$TEST_BUILD/bindings/python
PYTHONPYCACHEPREFIX=$TEST_SOURCE/build/pycache # what pip installed is not compiled, and nothing is left beside the sources
OMP_NUM_THREADS=1
XDG_CACHE_HOME=$TEST_SOURCE/build/torch-cache # what is compiled serves all builds, and all tests
unset PYTHONDONTWRITEBYTECODE
export PYTHONPATH PYTHONPYCACHEPREFIX OMP_NUM_THREADS XDG_CACHE_HOME
unset RANK WORLD_SIZE MASTER_ADDR MASTER_PORT MUSTER_TORCH_BACKEND

# Without importing it, which takes seconds.
has_torch() {
    "$TEST_TORCH_PYTHON" -c 'import importlib.metadata as m, sys
sys.exit([int(number) for number in m.version("torch").split(".")[:2]] < [2, 13])' 2>/dev/null
}
