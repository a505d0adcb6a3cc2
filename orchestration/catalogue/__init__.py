"""The one definition of measures, marts and the index, which all other packages use."""
