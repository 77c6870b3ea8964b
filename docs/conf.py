"""Makes pages from the documentation: `make docs`.

The source is the whole tree, so that a link from one document to another is the same file on a
forge, in an editor and on the pages.
"""

from importlib.metadata import version as find_version

project = "CaseDesk Proxy"
version = release = find_version("casedesk-proxy")
extensions = ["myst_parser"]
root_doc = "docs/index"
include_patterns = [
    "README.md",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "SECURITY.md",
    "THREAT_MODEL.md",
    "bench/*.md",
    "bench/results/**.md",
    "docs/*.md",
]
#: Installed and built files are not searched for documents: that took a minute of CPU.
exclude_patterns = [".*", "build", "dist", "**/node_modules", "casedesk_proxy", "tests", "packages"]
myst_heading_anchors = 4
myst_enable_extensions = ["colon_fence"]
#: Results of measurements are linked only from bench/README.md. Links to folders work on a forge
#: and stay text here; tests/test_documents.py checks that all links have a target.
suppress_warnings = ["toc.not_included", "myst.xref_missing"]
html_theme = "furo"
html_title = f"CaseDesk Proxy {release}"
#: Sources are in the package; pages are for readers.
html_copy_source = False
html_show_sphinx = False
