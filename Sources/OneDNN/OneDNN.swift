// The room OneDNN.
