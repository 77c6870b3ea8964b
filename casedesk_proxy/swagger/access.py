"""Additions to Swagger UI for people who use a keyboard or a screen reader, or need more contrast.

With them axe-core finds nothing serious in the light or the dark scheme.
"""

from __future__ import annotations

__all__ = ["SCRIPT", "STYLE"]

#: Loaded after the package's own style. In its light colours nearly all labels are too faint.
STYLE = """\
.back { margin: 0; padding: .5rem 20px; font: 600 14px/1.5 sans-serif; background: #f0f2f1; }
.back a { color: #0a5a51; }
.dark-mode .back { background: #12171a; }
.dark-mode .back a { color: #64cdbc; }
html:not(.dark-mode) .swagger-ui .info .title small { background: #5a6170; }
html:not(.dark-mode) .swagger-ui .info .title small.version-stamp { background: #3c6d00; }
html:not(.dark-mode) .swagger-ui :is(.info a, .info .url) { color: #1f5fae; }
html:not(.dark-mode) .swagger-ui .btn.authorize { color: #176b43; border-color: #176b43; }
html:not(.dark-mode) .swagger-ui .btn.authorize span { color: #176b43; }
html:not(.dark-mode) .swagger-ui .btn.authorize svg { fill: #176b43; }
html:not(.dark-mode) .swagger-ui .btn.cancel { color: #b71c1c; border-color: #b71c1c; }
html.dark-mode .swagger-ui .btn.try-out__btn.cancel { color: #ff9d92; border-color: #ff9d92; }
html:not(.dark-mode) .swagger-ui .btn.execute { background: #1f5fae; border-color: #1f5fae; }
html:not(.dark-mode) .swagger-ui .download-contents { background: #4d5462; }
html:not(.dark-mode) .swagger-ui .parameter__in { color: #595959; }
html:not(.dark-mode) .swagger-ui .opblock-post .opblock-summary-method { background: #176b43; }
html:not(.dark-mode) .swagger-ui .opblock-get .opblock-summary-method { background: #1f5fae; }
html:not(.dark-mode) .swagger-ui .opblock-delete .opblock-summary-method { background: #b71c1c; }
html:not(.dark-mode) .swagger-ui .opblock-put .opblock-summary-method { background: #8a5200; }
"""

#: Loaded after the page's own script: names for unnamed elements, keyboard scrolling of text, and
#: no link inside a button. The address of an open operation is in the browser's address bar.
SCRIPT = """\
const names = [
  ["#servers", () => "Server"],
  [".body-param__text", () => "Request body"],
  [
    ".parameters input, .parameters select",
    (one) => one.closest("tr")?.dataset.paramName ?? one.placeholder,
  ],
];
function correct() {
  for (const [which, name] of names) {
    for (const one of document.querySelectorAll(which)) {
      if (!one.hasAttribute("aria-label")) one.setAttribute("aria-label", name(one));
    }
  }
  for (const one of document.querySelectorAll(".swagger-ui pre:not([tabindex])")) one.tabIndex = 0;
  const links = document.querySelectorAll(".opblock-summary-control a[href]");
  for (const one of links) one.removeAttribute("href");
}
const page = document.getElementById("swagger-ui");
new MutationObserver(correct).observe(page, { childList: true, subtree: true });
"""
