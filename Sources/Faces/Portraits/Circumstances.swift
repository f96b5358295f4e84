import Tensors

/// Everything about a portrait that no attribute decides: pose, light, tone, place, clothes.
///
/// All numbers are drawn in one fixed order before any attribute is looked at, so two rows that
/// differ in one attribute differ in its drawing only.
struct Circumstances {
  var shift: Point
  var size: Double
  var roll: Double
  var yaw: Double
  var pitch: Double

  /// From the viewer's left (-1) to right (1), from above (-1) to below (1).
  var light: Point
  var contrast: Double
  var exposure: Double
  var cast: Color
  var vignette: Double
  var grain: Double
  var grainStart: Int

  /// From light (0) to deep (1).
  var tone: Double
  var undertone: Double
  var iris: Int
  var gaze: Point
  var mottle: Int
  var moles: [(Point, Double)]

  /// Individual shape, each about normal with deviation 1.
  var shape: [Double]
  /// Individual choices, each uniform from 0 to 1.
  var choice: [Double]

  var backdrop: [Color]
  var lamps: [(Point, Double, Color)]
  var cloth: Color
  var cloth2: Color
  var accent: Color
  var metal: Color

  init(using random: inout SplitMix64) {
    shift = Point(random.normal().clamped(2.5) * 4, random.normal().clamped(2.5) * 3.4)
    size = 0.92 + 0.055 * random.normal().clamped(2)
    roll = 0.075 * random.normal().clamped(2.2)
    yaw = 0.15 * random.normal().clamped(2.2)
    pitch = 0.06 * random.normal().clamped(2)

    light = Point(random.uniform(-0.85...0.85), random.uniform(-0.75 ... -0.1))
    contrast = random.uniform(0.28...0.75)
    exposure = random.uniform(0.9...1.16)
    let warmth = random.normal().clamped(2) * 0.055
    let tint = random.normal().clamped(2) * 0.018
    cast = Color(1 + warmth, 1 + tint, 1 - warmth)
    vignette = random.uniform(0...0.22)
    grain = random.uniform(0.8...3.2)
    grainStart = random.below(Noise.grainCount)

    tone = random.uniform()
    undertone = random.uniform(-1...1)
    iris = random.below(8)
    gaze = Point(random.normal().clamped(2) * 0.8, random.normal().clamped(2) * 0.3)
    mottle = random.below(Noise.side * Noise.side)
    moles = (0..<3).map { _ in
      (Point(random.uniform(-34...34), random.uniform(-30...55)), random.uniform())
    }
    shape = (0..<24).map { _ in random.normal().clamped(2.2) }
    choice = (0..<32).map { _ in random.uniform() }

    let base = Circumstances.color(&random, saturation: 0.36)
    backdrop = (0..<4).map { _ in
      mix(base, Circumstances.color(&random, saturation: 0.42), 0.55)
    }
    lamps = (0..<9).map { _ in
      (
        Point(random.uniform(), random.uniform()), random.uniform(0.05...0.2),
        Circumstances.color(&random, saturation: 0.6)
      )
    }
    cloth = Circumstances.color(&random, saturation: 0.65) * 0.9
    cloth2 = Circumstances.color(&random, saturation: 0.4)
    accent = Circumstances.color(&random, saturation: 0.85)
    let metals = [
      Color(0.90, 0.72, 0.33), Color(0.82, 0.83, 0.86), Color(0.86, 0.60, 0.50),
      Color(0.95, 0.93, 0.88),
    ]
    metal = metals[random.below(metals.count)]
  }

  /// A colour of any hue, from dark to light.
  private static func color(_ random: inout SplitMix64, saturation: Double) -> Color {
    let hue = random.uniform() * 6
    let value = random.uniform(0.06...1)
    let strength = random.uniform(0...saturation)
    let pure = Color(
      min(max(abs(hue - 3) - 1, 0), 1), min(max(2 - abs(hue - 2), 0), 1),
      min(max(2 - abs(hue - 4), 0), 1))
    return mix(Color(repeating: 1), pure, strength) * value
  }
}

extension Double {
  /// Kept within `bound` of 0.
  func clamped(_ bound: Double) -> Double { Swift.min(Swift.max(self, -bound), bound) }
}
