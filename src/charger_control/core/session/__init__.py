"""Session: from control pilot, meter and decision to the charging session that clients see."""

from charger_control.core.session.block import Session
from charger_control.core.session.types import SessionConfig, SessionRecord

__all__ = ['Session', 'SessionConfig', 'SessionRecord']
