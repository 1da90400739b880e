"""temporary"""
from accordant.kernel.database import Database, metadata
import accordant.backbone.rows, accordant.masterdata.crosswalk, accordant.masterdata.records, accordant.masterdata.identity, accordant.governance.versions, accordant.telemetry.audit
def prepare_schema(database: Database) -> None:
    metadata.create_all(database.engine)
