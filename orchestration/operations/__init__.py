"""What the data team does with a home: back up, rebuild, verify, forget, alert, diagnose."""
