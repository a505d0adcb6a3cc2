"""Operations on a home: back up, rebuild, verify, forget, alert, diagnose."""
