/// Where a head is in the picture and how it is turned.
///
/// Heads are described in units of 1/178 of a standard picture's width, from the point between the
/// eyes, `x` to the viewer's right, `y` down and `z` towards the viewer: the eyes are at (±19.5, 0),
/// the mouth at (0, 42), the chin at about (0, 69).
struct Pose {
  /// The point between the eyes, in pixels.
  var origin: SIMD2<Double>
  /// Pixels a unit.
  var scale: Double
  /// Pixels for one unit to the right.
  private(set) var right: SIMD2<Double>
  /// Pixels for one unit down.
  private(set) var down: SIMD2<Double>
  private(set) var sinYaw: Double
  private(set) var cosYaw: Double
  private(set) var sinPitch: Double
  private(set) var cosPitch: Double

  /// Angles are in radians.
  init(origin: SIMD2<Double>, scale: Double, roll: Double, yaw: Double, pitch: Double) {
    self.origin = origin
    self.scale = scale
    right = SIMD2(cosine(roll), sine(roll)) * scale
    down = SIMD2(-sine(roll), cosine(roll)) * scale
    (sinYaw, cosYaw) = (sine(yaw), cosine(yaw))
    (sinPitch, cosPitch) = (sine(pitch), cosine(pitch))
  }

  /// The pixel of a point, the head turning about a pivot behind the eyes.
  func at(_ x: Double, _ y: Double, depth z: Double) -> SIMD2<Double> {
    origin + right * (x * cosYaw + z * sinYaw) + down * (y * cosPitch + z * sinPitch)
  }

  /// The pixel of a point on the front of the face, or `out` units before it.
  func face(_ x: Double, _ y: Double, out: Double = 0) -> SIMD2<Double> {
    let across = x / 50
    let z = 34 * max(0.04, 1 - across * across).squareRoot() - 24
    return at(x, y, depth: z + out)
  }

  /// The pixel of a point where the head's outline is.
  func edge(_ x: Double, _ y: Double) -> SIMD2<Double> {
    at(x, y, depth: y > 0 ? min(y * 0.26 - 22, -2) : -22)
  }

  /// The pixel of a point beside or behind the head: ears, neck, hair that hangs.
  func behind(_ x: Double, _ y: Double) -> SIMD2<Double> {
    at(x, y, depth: -30)
  }

  /// A direction in the plane of the face, in pixels.
  func direction(_ x: Double, _ y: Double) -> SIMD2<Double> { right * x + down * y }
}
