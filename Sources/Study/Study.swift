// The room Study.
