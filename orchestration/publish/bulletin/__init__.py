"""The bulletin as Word, Excel and PDF; figures come from the published marts only."""
