"""One small HTML page: a title, some lines, perhaps a command. Everything is escaped, and nothing else is loaded."""

import base64
import hashlib
import html
from string import Template

from aiohttp import web

STYLE = """
:root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif; }
body {
  margin: 0; min-height: 100vh; display: grid; grid-template-columns: minmax(0, 1fr); place-items: center;
  background: #f5f6fa; color: #1a1f36;
}
main {
  box-sizing: border-box; width: min(32rem, calc(100% - 2rem)); padding: 2.4rem 2rem;
  border: 1px solid #dfe3ec; border-radius: 14px; background: #fff;
}
h1 { margin: 0 0 .8rem; font-size: 1.4rem; }
p { margin: .5rem 0; overflow-wrap: anywhere; }
dl { display: grid; grid-template-columns: auto 1fr; gap: .3rem 1.2rem; margin: 1.2rem 0; }
dt { color: #5b6478; }
dd { margin: 0; font-weight: 600; font-variant-numeric: tabular-nums; }
pre {
  padding: .7rem .9rem; border-radius: 8px; background: #eef0f5; font-size: .85rem;
  white-space: pre-wrap; overflow-wrap: anywhere;
}
@media (prefers-color-scheme: dark) {
  body { background: #11131a; color: #e8eaf2; }
  main { border-color: #2c3040; background: #1a1d27; }
  dt { color: #a3acbf; }
  pre { background: #252936; }
}
"""
_STYLE_HASH = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
HEADERS = {
    "Content-Security-Policy": f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; base-uri 'none'; form-action "
    f"'none'; frame-ancestors 'none'",
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Robots-Tag": "noindex",
}
_DOCUMENT = Template("""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">$refresh
<title>$title</title>
<link rel="icon" href="data:,">
<style>$style</style>
</head>
<body>
<main>
<h1 role="status">$title</h1>
$body
</main>
</body>
</html>
""")


def page(
    title: str,
    *lines: str,
    facts: dict[str, str] | None = None,
    commands: tuple[str, ...] = (),
    refresh: tuple[int, str] | None = None,
    status: int = 200,
) -> web.Response:
    """`refresh`: after how many seconds the browser goes where."""
    body = [f"<p>{html.escape(line)}</p>" for line in lines]
    if facts:
        rows = "".join(f"<dt>{html.escape(name)}</dt><dd>{html.escape(value)}</dd>" for name, value in facts.items())
        body.insert(0, f"<dl>{rows}</dl>")
    if commands:
        body.append(f"<pre>{html.escape(chr(10).join(commands))}</pre>")
    again = f'\n<meta http-equiv="refresh" content="{refresh[0]};url={html.escape(refresh[1])}">' if refresh else ""
    text = _DOCUMENT.substitute(title=html.escape(title), body="\n".join(body), refresh=again, style=STYLE)
    return web.Response(text=text, status=status, content_type="text/html", charset="utf-8", headers=HEADERS)
