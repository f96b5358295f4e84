// The room Faces.
