// The room Fairness.
