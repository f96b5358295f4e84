import Images
import Tensors

/// Draws one portrait after another on the same canvas.
///
/// What a row looks like depends on the row, the seed and the size only, never on what was drawn
/// before. Belongs to one thread at a time.
final class PortraitPainter {
  let canvas: Canvas
  /// Pixels a unit of a standard 178 x 218 picture.
  let unit: Double
  let field: SkinField
  /// The field of skin at the picture's resolution.
  let skin: Canvas
  /// Hair, beards: shaded pixel by pixel, then cut to shape.
  let layer: Canvas
  let beardLayer: Canvas
  let small: Canvas
  let ramp: Canvas
  let column: Canvas
  private let blurred: Canvas

  var sitter: Sitter
  var pose = Pose(origin: .zero, scale: 1, roll: 0, yaw: 0, pitch: 0)

  init(width: Int, height: Int) {
    unit = min(Double(width) / 178, Double(height) / 218)
    canvas = Canvas(width: width, height: height)
    layer = Canvas(width: width, height: height)
    skin = Canvas(width: width, height: height)
    beardLayer = Canvas(width: width, height: height)
    field = SkinField(width: width, height: height, unit: unit)
    small = Canvas(width: 24, height: 30)
    ramp = Canvas(width: 12, height: 1)
    column = Canvas(width: 1, height: 48)
    // A small picture has fewer pixels than that already.
    let block = max(1.9 * unit, 1)
    blurred = Canvas(
      width: max(1, Int(Double(width) / block)), height: max(1, Int(Double(height) / block)))
    sitter = Sitter(
      attributes: Array(repeating: false, count: FaceAttribute.allCases.count), seed: 0, stream: 0)
  }

  /// Draws the person of row `stream`, who has `attributes`, onto ``canvas``.
  func paint(_ attributes: [Bool], seed: UInt64, stream: UInt64) {
    sitter = Sitter(attributes: attributes, seed: seed, stream: stream)
    let luck = sitter.luck
    let center = Point(Double(canvas.width) / 2, Double(canvas.height) * 0.495)
    pose = Pose(
      origin: center + luck.shift * unit, scale: unit * luck.size, roll: luck.roll, yaw: luck.yaw,
      pitch: luck.pitch)
    paintBackdrop()
    shadeSkin()
    shadeHair()
    paintHairBehind()
    paintBody()
    paintEars()
    paintHead()
    paintBeard()
    paintEyes()
    paintBrows()
    paintNose()
    paintMouth()
    paintLines()
    paintHairBefore()
    paintWorn()
    if sitter.has(.blurry) { blur() }
    finish()
  }

  /// Fills a smooth closed shape through `points`.
  func shape(_ points: [Point], _ paint: Paint) {
    canvas.curve(through: points, closed: true)
    canvas.fill(paint)
  }

  /// Draws a smooth line through `points`, `width` units wide.
  func line(_ points: [Point], _ color: Color, alpha: Double = 1, width: Double) {
    canvas.curve(through: points)
    canvas.stroke(.color(color, alpha: alpha), width: width * pose.scale)
  }

  /// The light that falls on the side of the picture where `x` (units) is: about 1.
  func light(at x: Double) -> Double {
    1 + 0.3 * sitter.luck.contrast * (sitter.luck.light.x * x / 45)
  }

  /// Takes the picture to a fraction of its resolution, smooths it there, and takes it back.
  private func blur() {
    let (width, height) = (blurred.width, blurred.height)
    var mean = [SIMD4<Int32>](repeating: .zero, count: width * height)
    canvas.withPixels { pixels in
      for row in 0..<height {
        let rows = row * canvas.height / height..<max((row + 1) * canvas.height / height, 1)
        for column in 0..<width {
          let columns = column * canvas.width / width..<max((column + 1) * canvas.width / width, 1)
          var sum = SIMD4<Int32>.zero
          for y in rows { for x in columns { sum &+= channels(pixels[y * canvas.width + x]) } }
          let count = Int32(max(rows.count * columns.count, 1))
          mean[row * width + column] = (sum &+ count / 2) / count
        }
      }
    }
    blurred.withPixels { pixels in
      for row in 0..<height {
        for column in 0..<width {
          var sum = SIMD4<Int32>.zero
          for dy in -1...1 {
            for dx in -1...1 {
              let y = min(max(row + dy, 0), height - 1)
              let x = min(max(column + dx, 0), width - 1)
              sum &+= mean[y * width + x] &* Int32((2 - abs(dx)) * (2 - abs(dy)))
            }
          }
          let c = (sum &+ 8) / 16
          pixels[row * width + column] =
            0xff00_0000 | UInt32(c.x) << 16 | UInt32(c.y) << 8 | UInt32(c.z)
        }
      }
    }
    let size = Point(Double(canvas.width), Double(canvas.height))
    canvas.replaceAll(.picture(blurred, scale: size / Point(Double(width), Double(height))))
  }

  private func channels(_ pixel: UInt32) -> SIMD4<Int32> {
    SIMD4(Int32(pixel >> 16 & 255), Int32(pixel >> 8 & 255), Int32(pixel & 255), 0)
  }

  /// Exposure, colour cast, the fall of light across the picture, and the sensor's grain.
  private func finish() {
    let luck = sitter.luck
    let (width, height) = (canvas.width, canvas.height)
    // 8 fractional bits: columns and rows add up to the gain of a pixel.
    let columns = (0..<width).map { column in
      let x = (Double(column) + 0.5) / Double(width) * 2 - 1
      return Int32(
        256 * (1 + 0.14 * luck.contrast * luck.light.x * x - luck.vignette * 0.5 * x * x))
    }
    let curves = [luck.cast.z, luck.cast.y, luck.cast.x].map { gain in
      (0..<512).map { value -> Int32 in
        let x = Double(value) / 255 * gain * luck.exposure
        // Highlights roll off instead of clipping.
        let y = x < 0.72 ? x : 0.72 + 0.28 * (1 - exponential(-(x - 0.72) / 0.28))
        return Int32((y * 255).rounded())
      }
    }
    let (blueCurve, greenCurve, redCurve) = (curves[0], curves[1], curves[2])
    let amount = Int32(luck.grain * 16)
    let grain = Noise.shared.grain
    var at = luck.grainStart
    canvas.withPixels { pixels in
      let blue = blueCurve.span
      let green = greenCurve.span
      let red = redCurve.span
      let grain = grain.span
      for row in 0..<height {
        let y = (Double(row) + 0.5) / Double(height) * 2 - 1
        let fall = Int32(
          256 * (0.07 * luck.contrast * luck.light.y * y - luck.vignette * 0.5 * y * y))
        for column in 0..<width {
          let gain = UInt32(bitPattern: columns[column] &+ fall)
          let pixel = pixels[row &* width &+ column]
          at = (at &+ 3) & (Noise.grainCount - 1)
          let bright = Int32(grain[unchecked: at]) &* amount
          // Indices are masked to the tables' lengths: no check is needed to stay inside.
          let b = Int(((pixel & 255) &* gain) >> 8) & 511
          let g = Int(((pixel >> 8 & 255) &* gain) >> 8) & 511
          let r = Int(((pixel >> 16 & 255) &* gain) >> 8) & 511
          let far = (at &+ 40_009) & (Noise.grainCount - 1)
          let tint = Int32(grain[unchecked: far]) &* amount
          let out = (
            b: blue[unchecked: b] &+ (bright &+ tint) >> 8,
            g: green[unchecked: g] &+ bright >> 8,
            r: red[unchecked: r] &+ (bright &- tint) >> 8
          )
          pixels[row &* width &+ column] =
            0xff00_0000 | UInt32(min(max(out.r, 0), 255)) << 16
            | UInt32(min(max(out.g, 0), 255)) << 8 | UInt32(min(max(out.b, 0), 255))
        }
      }
    }
  }
}
