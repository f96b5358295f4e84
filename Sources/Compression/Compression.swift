// The room Compression.
