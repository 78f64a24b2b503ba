"""Sphinx: the reference of the Python module (scripts/docs)."""

import muster

project = "muster"
author = "the authors of muster"
version = release = muster.__version__
extensions = ["sphinx.ext.autodoc", "sphinx.ext.doctest", "sphinx.ext.viewcode"]
html_theme = "alabaster"
html_theme_options = {"description": "Process groups on one machine", "fixed_sidebar": True, "page_width": "1100px"}
html_copy_source = False
autodoc_member_order = "groupwise"
autodoc_typehints = "none"
add_module_names = False
nitpicky = True
# Every rank runs all examples, so they call muster in the same order.
doctest_global_setup = "import muster, numpy as np\nworld = muster.init()\nrank = world.rank()"
