"""The page of mails: what the outbox holds of DAGs that the user may read, and how it looks."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from fastapi import APIRouter, HTTPException, Request
from fastapi.responses import HTMLResponse, PlainTextResponse, Response

from include.mail.message import from_bytes
from include.ops.mails import find_mail, list_mails, read_content
from nba_airflow.page.access import DagIds, Readable, open_ledger, show

router = APIRouter(dependencies=Readable)

# A mail has styles of its own, and nothing else: no script, no picture, no way out of its frame.
MAIL_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none';"
    " frame-ancestors 'self'; sandbox"
)


@router.get("/api/v1/mails")
def get_mails(dag_ids: DagIds, dag_id: str | None = None) -> dict[str, Any]:
    """``{"mails": [...]}``, the newest of the outbox first: subject, state (pending, sent, failed),
    attempts, when it was written and is tried next, the receipt or the last error."""
    with open_ledger() as ledger:
        return {"mails": [*map(asdict, list_mails(ledger, dag_ids, dag_id=dag_id))]}


@router.get("/mails", response_class=HTMLResponse)
def show_mails(request: Request, dag_ids: DagIds, dag_id: str | None = None) -> HTMLResponse:
    """The same as a page."""
    return show(request, "mails.html.j2", **get_mails(dag_ids, dag_id), dag_id=dag_id)


@router.get("/mail", response_class=HTMLResponse)
def show_mail(request: Request, dag_ids: DagIds, mail_id: str) -> HTMLResponse:
    """One of them, with its preview in a frame."""
    with open_ledger() as ledger:
        found = find_mail(ledger, dag_ids, mail_id)
    if found is None:
        raise _not_there(mail_id)
    return show(request, "mail.html.j2", mail=asdict(found))


@router.get("/mail/body")
def get_body(dag_ids: DagIds, mail_id: str) -> Response:
    """What its reader sees: the HTML, or the text of one that has no other part."""
    with open_ledger() as ledger:
        content = read_content(ledger, dag_ids, mail_id)
    if content is None:
        raise _not_there(mail_id)
    body = from_bytes(content).get_body(("html", "plain"))
    assert body is not None  # all of ours have one
    kind = HTMLResponse if body.get_content_subtype() == "html" else PlainTextResponse
    return kind(body.get_content(), headers={"Content-Security-Policy": MAIL_POLICY})


def _not_there(mail_id: str) -> HTTPException:
    return HTTPException(404, f"the outbox has no mail {mail_id} of DAGs that you may read")
