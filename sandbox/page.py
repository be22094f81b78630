# SPDX-License-Identifier: Apache-2.0
"""quickstart-out/index.html: the mails side by side, each in a frame without rights.

The page's policy holds inside the frames too: looking at a mail here loads no pixel.
"""

import email
import email.policy
from html import escape

STYLE = """
:root { color-scheme: light dark; --back: #f4f4f1; --card: #fff; --ink: #1d2421;
  --dim: #5d6863; --line: #d9dcd6; --good: #1d6b4f; --bad: #9a3412; }
@media (prefers-color-scheme: dark) { :root { --back: #121614; --card: #1c2320;
  --ink: #e6ebe8; --dim: #9aa8a1; --line: #34403b; --good: #7fd1b0; --bad: #f0a584; } }
* { box-sizing: border-box; }
body { margin: 0; padding: 24px 16px 48px; background: var(--back); color: var(--ink);
  font: 15px/1.5 system-ui, "Segoe UI", Roboto, Helvetica, Arial, sans-serif; }
main { max-width: 1560px; margin: 0 auto; }
h1 { font-size: 24px; margin: 0 0 4px; }
h2 { font-size: 15px; margin: 0; overflow-wrap: anywhere; }
p { margin: 0 0 12px; max-width: 75ch; }
code, pre { font: 13px/1.45 ui-monospace, Menlo, Consolas, monospace; }
.dim { color: var(--dim); }
.cards { display: grid; gap: 16px; margin-top: 20px;
  grid-template-columns: repeat(auto-fill, minmax(min(100%, 380px), 1fr)); }
.card, .table, details { background: var(--card); border: 1px solid var(--line);
  border-radius: 10px; }
.card { display: flex; flex-direction: column; overflow: hidden; }
.card header { padding: 12px 16px; border-bottom: 1px solid var(--line); }
.subject { margin: 6px 0 0; font-weight: 600; overflow-wrap: anywhere; }
.verdict { font-weight: 700; }
.deliver { color: var(--good); } .drop, .reject, .defer, .hold { color: var(--bad); }
iframe { display: block; width: 100%; height: 640px; border: 0; background: #fff; }
.none { display: grid; place-content: center; flex: 1; min-height: 160px; padding: 24px;
  text-align: center; color: var(--dim); }
.table { overflow-x: auto; margin-top: 24px; }
table { border-collapse: collapse; width: 100%; min-width: 620px; }
th, td { text-align: left; padding: 8px 14px; border-bottom: 1px solid var(--line); }
tr:last-child td { border-bottom: 0; }
details { margin-top: 24px; padding: 12px 16px; }
summary { cursor: pointer; font-weight: 600; }
pre { overflow-x: auto; white-space: pre; margin: 12px 0 0; }
.plain { white-space: pre-wrap; overflow-wrap: anywhere; border-top: 1px solid var(--line);
  border-radius: 0; border-width: 1px 0 0; margin: 0; }
"""


def plain_part(delivery):
    text = escape(delivery.text("plain") or "")
    return f"<details class=plain><summary>text/plain</summary><pre>{text}</pre></details>"


def card(row, who, delivery):
    """One recipient: what became of the first send, and the mail."""
    head = (
        f"<header><h2>{escape(row['recipient'])}</h2><div class=dim>{escape(who)}</div>"
        f"<div><span class='verdict {escape(row['verdict'])}'>{escape(row['verdict'])}</span> "
        f"<span class=dim>{escape(row['reason'])}</span></div>"
    )
    if not delivery:
        return f"<article class=card>{head}</header><div class=none>No mail left.</div></article>"
    title = f"Mail to {row['recipient']}"
    return (
        f"<article class=card>{head}<p class=subject>{escape(row['subject'] or '')}</p></header>"
        f'<iframe sandbox="" title="{escape(title)}" '
        f'srcdoc="{escape(delivery.text("html") or "")}"></iframe>{plain_part(delivery)}</article>'
    )


def table(rows):
    heads = ("recipient", "send", "verdict", "reason", "subject")
    lines = "".join(
        "<tr>" + "".join(
            f"<td>{escape(str(row[name]) if row[name] is not None else '-')}</td>"
            for name in heads
        ) + "</tr>"
        for row in rows
    )
    head = "".join(f"<th>{name}</th>" for name in heads)
    return f"<div class=table><table><thead><tr>{head}</tr></thead><tbody>{lines}</tbody></table></div>"


def render(rows, mails, recipients, message):
    """rows: the report; mails: Delivery by address (first send); message: the template."""
    first = {row["recipient"]: row for row in rows if row["send"] == 1}
    cards = "".join(card(first[a], who, mails.get(a)) for a, who in recipients.items())
    template = email.message_from_bytes(message, policy=email.policy.default)
    source = escape(message.decode("utf-8", "replace"))
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy"
  content="default-src 'none'; style-src 'unsafe-inline'; img-src data:">
<title>Merganser: one message, {len(recipients)} people</title>
<style>{STYLE}</style>
</head>
<body>
<main>
<h1>One message, {len(recipients)} people</h1>
<p class=dim>Sent: <code>{escape(str(template['Subject']))}</code>. Below is what each of them
received and why; the table shows both sends.</p>
<section class=cards>{cards}</section>
{table(rows)}
<details><summary>The message as it was sent</summary><pre>{source}</pre></details>
</main>
</body>
</html>
"""
