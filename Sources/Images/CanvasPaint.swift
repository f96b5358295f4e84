/// What a ``Canvas`` fills a shape with.
///
/// Colours are red, green, blue and alpha from 0 to 1, not multiplied by alpha.
public enum Paint {
  /// A colour on the way from the start of a gradient (0) to its end (1).
  public struct Stop {
    /// Where, from 0 to 1.
    public var at: Double
    /// Red, green, blue, alpha.
    public var color: SIMD4<Double>

    /// The colour `color` at `at`.
    public init(_ at: Double, _ color: SIMD4<Double>) {
      self.at = at
      self.color = color
    }
  }

  /// One colour.
  case color(SIMD4<Double>)

  /// Colours that change along the line from `start` to `end`.
  case linear(from: SIMD2<Double>, to: SIMD2<Double>, [Stop])

  /// Colours that change from `center` outwards to `radius`.
  case radial(center: SIMD2<Double>, radius: Double, [Stop])

  /// The pixels of another canvas, enlarged by `scale` and interpolated, from the top left corner.
  case picture(Canvas, scale: SIMD2<Double>)

  /// An opaque or, with `alpha` below 1, a translucent colour.
  public static func color(_ color: SIMD3<Double>, alpha: Double = 1) -> Paint {
    .color(SIMD4(color, alpha))
  }
}
