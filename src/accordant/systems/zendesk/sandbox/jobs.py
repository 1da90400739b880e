"""Work that Zendesk does after it answered: bulk jobs and their status, and the clock of incremental exports.

Sources: https://developer.zendesk.com/api-reference/ticketing/ticket-management/job_statuses/ and
https://developer.zendesk.com/api-reference/ticketing/ticket-management/incremental_exports/ (API v2).
"""

from collections.abc import Callable
from datetime import UTC, datetime

from accordant.connector.sandbox import Call, Kit, Record, Refused, Reply, Route, Write
from accordant.systems.zendesk.sandbox import answers
from accordant.systems.zendesk.sandbox.events import stamp

RECENT_S = 60
Commit = Callable[[Write, str], object]


class Jobs:
    """Bulk jobs; each row of a job succeeds or fails by itself."""

    def __init__(self, kit: Kit, commit: Commit) -> None:
        self._kit = kit
        self._commit = commit
        self._jobs: dict[str, Record] = {}

    def routes(self) -> list[Route]:
        return [
            Route("GET", "/api/v2/job_statuses/{id:[0-9a-f]{32}}", "job.get", self.get),
            Route("GET", "/api/v2/job_statuses", "job.list", self.list_all),
        ]

    async def get(self, call: Call) -> Reply:
        job = self._jobs.get(call.params["id"])
        if job is None:
            raise answers.not_found()
        return Reply(200, {"job_status": job})

    async def list_all(self, call: Call) -> Reply:
        return Reply(200, {"job_statuses": list(self._jobs.values())[-answers.PAGE_MAX :]})

    def start(self, call: Call, rows: list[Record], *, write: Callable[[Record], Write], action: str) -> Write:
        """Answer `queued`; the rows are written right after, each with its own line in the ledger."""
        job_id = f"{self._kit.rng.getrandbits(128):032x}"
        url = f"{answers.origin(call)}/api/v2/job_statuses/{job_id}.json"
        queued: Record = {"id": job_id, "job_type": f"Bulk {action.capitalize()} Organization", "url": url}
        queued |= {"total": len(rows), "progress": None, "status": "queued", "message": None, "results": None}

        def apply() -> None:
            operation = f"{call.method} {call.path}"
            results = [self._done(index, row, write=write, operation=operation) for index, row in enumerate(rows)]
            message = f"Completed at {self._kit.clock.now():%Y-%m-%d %H:%M:%S} +0000"
            done = {"progress": len(rows), "status": "completed", "message": message, "results": results}
            self._jobs[job_id] = queued | done

        return Write(Reply(200, {"job_status": queued}), (), apply)

    def _done(self, index: int, row: Record, *, write: Callable[[Record], Write], operation: str) -> Record:
        try:
            planned = write(row)
        except Refused as refused:
            body = refused.reply.body
            return {"index": index, "id": row.get("id") or 0, "error": body["error"], "details": str(body)}
        self._commit(planned, operation)
        native_id = planned.reply.body["organization"]["id"]
        if planned.reply.status == 201:
            return {"index": index, "id": native_id}
        return {"index": index, "id": native_id, "action": "update", "success": True, "status": "Updated"}

    def start_time(self, call: Call) -> str:
        """`start_time` (Unix seconds, more than a minute ago) as the text that records carry."""
        text = call.query.get("start_time", "")
        if not (text.isascii() and text.isdigit()) or len(text) > 11:
            raise answers.bad_request("InvalidValue", "start_time must be an integer")
        if int(text) > self._kit.clock.now_s() - RECENT_S:
            raise answers.bad_request("InvalidValue", "Too recent start_time. Use a start_time older than 60 seconds")
        return stamp(datetime.fromtimestamp(int(text), UTC))

    def unix_time(self, text: str) -> int:
        return int(datetime.fromisoformat(text).timestamp())
