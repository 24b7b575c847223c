"""Who reads bytes: registers, SML, IEC 62056-21, OBIS. Pure."""
