// The room Predictions.
