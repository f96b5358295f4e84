import Images

/// The light on skin, at half the picture's resolution: soft shadows, blush, highlights.
///
/// Shapes of skin are filled with this field, enlarged smoothly; it is where a face gets its depth
/// from. Everything here is soft, so half the resolution shows no difference and costs a quarter.
final class SkinField {
  let canvas: Canvas
  let step: Double
  private var color: [SIMD4<Float>]
  private var pose = Pose(origin: .zero, scale: 1, roll: 0, yaw: 0, pitch: 0)

  init(width: Int, height: Int, unit: Double) {
    step = 2 * unit
    canvas = Canvas(
      width: max(1, Int((Double(width) / step).rounded(.up))),
      height: max(1, Int((Double(height) / step).rounded(.up))))
    color = Array(repeating: .zero, count: canvas.width * canvas.height)
  }

  /// What fills a shape with skin.
  var paint: Paint { .picture(canvas, scale: SIMD2(step, step)) }

  /// Begins with plain skin on a head that the light falls on from one side.
  func begin(_ sitter: Sitter, _ pose: Pose) {
    self.pose = pose
    let luck = sitter.luck
    let skin = SIMD4<Float>(SIMD4(sitter.skin, 1))
    let depth = max(1 - luck.light.x * luck.light.x - luck.light.y * luck.light.y, 0.2).squareRoot()
    let length = (luck.light.x * luck.light.x + luck.light.y * luck.light.y + depth * depth)
      .squareRoot()
    let toLight = SIMD4<Float>(SIMD4(luck.light.x, luck.light.y, depth, 0) / length)
    let contrast = Float(luck.contrast)
    // Shadows on skin are redder than the skin, for light travels through it.
    let response = SIMD4<Float>(0.88, 1.03, 1.08, 0)
    let perUnit = 1 / (pose.scale * pose.scale)
    let (right, down) = (pose.right * perUnit, pose.down * perUnit)
    let turn = -22 * pose.sinYaw
    let mottling = 0.03 + 0.03 * Float(sitter.age)
    let clouds = Noise.shared.clouds
    // Above the shoulders there is skin near the middle only.
    let shoulders = pose.origin.y + 60 * pose.scale
    let reach = 76 * pose.scale
    // A span holds the exclusive access that each element would otherwise ask for.
    var color = self.color.mutableSpan
    let width = canvas.width
    for j in 0..<canvas.height {
      let y = (Double(j) + 0.5) * step - pose.origin.y
      let wide = y + pose.origin.y > shoulders
      let first = wide ? 0 : max(0, Int((pose.origin.x - reach) / step))
      let last = wide ? canvas.width : min(canvas.width, Int((pose.origin.x + reach) / step) + 1)
      guard first < last else { continue }
      let x = (Double(first) + 0.5) * step - pose.origin.x
      var alongX = Float((x * right.x + y * right.y - turn) / 50)
      var alongY = Float((x * down.x + y * down.y - 2) / 82)
      let (stepX, stepY) = (Float(right.x * step / 50), Float(down.x * step / 82))
      for i in first..<last {
        var (nx, ny) = (alongX, alongY)
        alongX += stepX
        alongY += stepY
        let r = nx * nx + ny * ny
        if r > 0.94 {
          let shrink = (0.94 / r).squareRoot()
          nx *= shrink
          ny *= shrink
        }
        let nz = max(1 - nx * nx - ny * ny, 0.06).squareRoot()
        let facing = max(0, nx * toLight.x + ny * toLight.y + nz * toLight.z)
        let cloud = clouds[(luck.mottle &+ (j & 63) * 64 &+ (i & 63)) & 4095]
        let light = (1.0 - 0.58 * contrast + contrast * facing) * (0.84 + 0.16 * nz)
        let shade = 1 + response * (light * (1 + mottling * cloud) - 1)
        color[j &* width &+ i] = skin * shade
      }
    }
  }

  /// Tints an elliptic spot, most in its middle and not at all at its rim.
  ///
  /// - Parameters:
  ///   - center: In pixels of the picture.
  ///   - radii: In units of the pose, before the spot is turned.
  ///   - angle: In radians.
  ///   - tint: What the middle is multiplied by.
  func spot(_ center: Point, _ radii: Point, angle: Double = 0, _ tint: Color) {
    let scale = pose.scale
    let (c, s) = (cosine(angle), sine(angle))
    let axisX = pose.direction(c, s) / (radii.x * scale * scale)
    let axisY = pose.direction(-s, c) / (radii.y * scale * scale)
    let reach = max(radii.x, radii.y) * scale
    let low = ((center - reach) / step).rounded(.down)
    let high = ((center + reach) / step).rounded(.up)
    let columns = max(0, Int(low.x))..<max(0, min(canvas.width, Int(high.x)), Int(low.x))
    let rows = max(0, Int(low.y))..<max(0, min(canvas.height, Int(high.y)), Int(low.y))
    let change = SIMD4<Float>(SIMD4(tint - 1, 0))
    let (stepX, stepY) = (Float(axisX.x * step), Float(axisY.x * step))
    var color = self.color.mutableSpan
    let width = canvas.width
    for j in rows {
      let y = (Double(j) + 0.5) * step - center.y
      let x = (Double(columns.lowerBound) + 0.5) * step - center.x
      var u = Float(x * axisX.x + y * axisX.y)
      var v = Float(x * axisY.x + y * axisY.y)
      for i in columns {
        let near = 1 - u * u - v * v
        if near > 0 { color[j &* width &+ i] *= 1 + change * (near * near) }
        u += stepX
        v += stepY
      }
    }
  }

  /// Ends the tinting: the canvas now shows the skin.
  func finish() {
    let field = color
    canvas.withPixels { pixels in
      let color = field.span
      for i in 0..<pixels.count {
        pixels[i] = pixel(color[i] * 255)
      }
    }
  }
}
