"""The words in which the ledger stops: what happened to the effect, and what a person can do about it."""

from accordant.backbone.ledger.step import Step
from accordant.backbone.rows import EffectRow
from accordant.kernel.errors import AccordantError, NonDeterministic, Retryable, Terminal, Unavailable


def not_now(step: Step, problem: AccordantError | None) -> Retryable:
    if isinstance(problem, Retryable):
        return problem
    return Unavailable(
        f"{step.operation.connection} gives no clear answer to {step.operation.verb}: {problem}",
        detail={"system": step.operation.system, "verb": step.operation.verb},
    )


def payload_changed(step: Step, before: EffectRow) -> NonDeterministic:
    return NonDeterministic(
        f"effect {step.name!r} was asked for with another payload than before ({before.state})",
        hint="restore the former flow or mapping, or compensate the transaction",
        detail={"cause": f"effect {step.name!r} of {step.transaction.flow} changed its payload"},
    )


def in_doubt(step: Step, problem: AccordantError | None) -> Terminal:
    return Terminal(
        f"{step.operation.verb} was sent to {step.operation.connection} and nobody can say whether it was applied",
        code="effect.in_doubt",
        hint=f"look in {step.operation.connection} for {step.operation.business_id}, then say what you found",
        detail={
            "system": step.operation.system,
            "verb": step.operation.verb,
            "vendor_code": problem.code if problem else "interrupted",
        },
    )
