import Images

extension PortraitPainter {
  /// What fills a shape with hair.
  var hairPaint: Paint { .picture(layer, scale: Point(1, 1)) }

  /// The pixels of the picture that may lie in a box of the head, its corners in units.
  func bounds(_ low: Point, _ high: Point) -> (columns: Range<Int>, rows: Range<Int>) {
    let corners = [low, high, Point(low.x, high.y), Point(high.x, low.y)]
      .map { pose.behind($0.x, $0.y) }
    let xs = corners.map(\.x)
    let ys = corners.map(\.y)
    func range(_ values: [Double], _ count: Int) -> Range<Int> {
      let low = min(max(0, Int((values.min() ?? 0).rounded(.down))), count)
      let high = min(max(low, Int((values.max() ?? 0).rounded(.up))), count)
      return low..<high
    }
    return (range(xs, canvas.width), range(ys, canvas.height))
  }

  /// Fills the layer with strands that run from the parting down, shining where the head is round.
  func shadeHair() {
    let s = sitter
    let end = s.style == .long ? s.hairEnd + 14 : s.style == .tied ? 70 : 36
    let top = s.crown - s.volume - (s.style == .tied ? 26 : 9)
    let side = s.style == .long ? 74.0 : 62.0
    let (columns, rows) = bounds(Point(-side, top), Point(side, end))
    let half = (0..<320).map { i -> Float in
      let y = Double(i) - 140
      let arc = y < -22 ? (y + 22) / 68 : 0
      return 1 / Float(s.cheek * max(0.1, 1 - arc * arc).squareRoot())
    }
    let swing = (0..<256).map { Float(sine(Double($0) / 128 * .pi) * 30 * s.wave) }
    let perUnit = 1 / (pose.scale * pose.scale)
    let stepX = Float(pose.right.x * perUnit)
    let stepY = Float(pose.down.x * perUnit)
    let turn = -24 * pose.sinYaw
    let parting = Float(s.parting)
    let hair = SIMD4<Float>(SIMD4(s.hair, 0)) * 255
    let gray = s.has(.grayHair)
    let shine = hair * (gray ? 0.35 : 0.75) + 22 + 16 * (s.has(.straightHair) ? 1 : 0)
    let contrast = Float(s.luck.contrast)
    let (lightX, lightY) = (Float(s.luck.light.x), Float(s.luck.light.y))
    let depth: Float = s.has(.straightHair) ? 0.30 : 0.38
    let width = canvas.width
    let phase = Int32(s.luck.mottle & 255)
    let strands = Noise.shared.strands
    layer.withPixels { pixels in
      // Nothing of the person before may show where this one's hair leaves the box.
      pixels.update(repeating: 0)
      // Strands run down, so every second row is drawn and those between are their means.
      for row in stride(from: rows.lowerBound, to: rows.upperBound, by: 2) {
        let dy = Double(row) + 0.5 - pose.origin.y
        let dx = Double(columns.lowerBound) + 0.5 - pose.origin.x
        var hx = Float((dx * pose.right.x + dy * pose.right.y) * perUnit - turn)
        var hy = Float((dx * pose.down.x + dy * pose.down.y) * perUnit)
        for column in columns {
          let line = Int32(hy)
          let inverse = half[Int(min(max(line &+ 140, 0), 319))]
          let above = min(max((hy + 22) * -0.022, 0), 1)
          let u = (hx - parting * above) * inverse
          let wave = swing[Int((line &* 6 &+ Int32(u * 42) &+ phase) & 255)]
          let across = Int((Int32((u + 4) * 118 + wave)) & 511)
          let along = Int((line &+ 140) >> 3 & 31)
          let strand = strands[along &* Noise.columns &+ across]
          let q = (hy + 60 - 15 * u * u + wave * 0.12) * 0.105
          let band = max(0, 1 - q * q)
          let round = 0.92 + contrast * 0.45 * (hx * lightX * 0.02 + (hy + 24) * lightY * 0.011)
          let edge = min(u * u, 1.5) * 0.14
          let tone = max(0.15, round - edge + depth * strand)
          let gloss = band * band * max(0, 0.34 + 0.5 * strand)
          pixels[row &* width &+ column] = pixel(hair * tone + shine * gloss)
          hx += stepX
          hy += stepY
        }
      }
      for row in stride(from: rows.lowerBound + 1, to: rows.upperBound - 1, by: 2) {
        for at in row &* width &+ columns.lowerBound..<row &* width &+ columns.upperBound {
          let (a, b) = (pixels[at &- width], pixels[at &+ width])
          // Channel by channel: what both have, and half of what one has.
          pixels[at] = (a & b) &+ (((a ^ b) & 0xfefe_fefe) >> 1)
        }
      }
    }
  }
}
