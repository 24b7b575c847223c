"""Session: from control pilot, meter and decision to the charging session that clients see."""

from charger_control.core.session.block import Session
from charger_control.core.session.types import (
    Configuration,
    SessionConfig,
    SessionRecord,
    Transaction,
)

__all__ = ['Configuration', 'Session', 'SessionConfig', 'SessionRecord', 'Transaction']
