/// Drawn portraits: a stand-in for CelebA's photographs.
public enum Portraits {
}
