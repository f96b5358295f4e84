// The room Execution.
