"""Which systems are told of what happens (`docs/desk-api.md`, Webhooks)."""

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, HTTPException, Path, Response
from pydantic import BaseModel, ConfigDict, Field

from pipeline import subscriptions
from pipeline.ledger.telling import Told
from pipeline.review.api.asking import Asked, Csrf, refusals
from pipeline.review.guard import allowed
from pipeline.review.problems import described
from pipeline.review.roles import Permission
from pipeline.review.sessions import Session

HookId = Annotated[str, Path(pattern=r"^[0-9a-f]{16}$", description="A subscription.")]


class Subscribe(BaseModel):
    """Where to post, and of what to tell."""

    model_config = ConfigDict(extra="forbid")
    url: str = Field(max_length=500, examples=["https://hooks.plan.example/triage"])
    kinds: list[Told] = Field(min_length=1, max_length=20)


class Hook(BaseModel):
    """A subscription; `failures` in a row were not taken. `reason` is why it is disabled."""

    id: str
    url: str
    kinds: list[Told]
    created_at: datetime
    created_by: str
    failures: int
    waiting: int
    disabled_at: datetime | None
    reason: str | None


class NewHook(Hook):
    """A subscription with the secret that signs what it is told: shown this once, kept sealed."""

    secret: str


def add_hooks(router: APIRouter, asked: Asked) -> None:
    """The routes."""
    Who = Annotated[Session, Depends(asked.who)]
    ledger, settings = asked.ledger, asked.settings

    @router.get("/webhooks")
    def list_webhooks(session: Who) -> list[Hook]:
        """All subscriptions."""
        allowed(ledger, session, Permission.USERS)
        return [Hook(**_told(one)) for one in subscriptions.listed(ledger)]

    @router.post("/webhooks", status_code=201)
    def add_webhook(session: Who, body: Subscribe, x_csrf_token: Csrf = "") -> NewHook:
        """Let a system be told. Its host must be one that TRIAGE_WEBHOOK_HOSTS names."""
        allowed(ledger, session, Permission.USERS)
        with refusals():
            made, secret = subscriptions.add(ledger, settings, body.url, body.kinds, actor=session.user.name)
        return NewHook(**_told(made), secret=secret)

    @router.post("/webhooks/{hook}/enable", responses=described(404))
    def enable_webhook(session: Who, hook: HookId, x_csrf_token: Csrf = "") -> Hook:
        """Tell a system again that was left alone; what waited and failed is sent again."""
        allowed(ledger, session, Permission.USERS)
        with refusals(usage=404):
            subscriptions.enable(ledger, hook, actor=session.user.name)
        return next(Hook(**_told(one)) for one in subscriptions.listed(ledger) if one.id == hook)

    @router.delete("/webhooks/{hook}", status_code=204, response_class=Response, responses=described(404))
    def remove_webhook(session: Who, hook: HookId, x_csrf_token: Csrf = "") -> None:
        """Tell it no more; what waits for it is dropped."""
        allowed(ledger, session, Permission.USERS)
        if not subscriptions.remove(ledger, hook, actor=session.user.name):
            raise HTTPException(404, "There is no such subscription.")


def _told(one: subscriptions.Subscription) -> dict[str, Any]:
    return {
        "id": one.id,
        "url": one.url,
        "kinds": list(one.kinds),
        "created_at": one.created_at,
        "created_by": one.created_by,
        "failures": one.failures,
        "waiting": one.waiting,
        "disabled_at": one.disabled_at,
        "reason": one.reason,
    }
