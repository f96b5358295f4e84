import Images

extension PortraitPainter {
  /// Beard, goatee, moustache and shadow: how dense hair grows at each pixel, against its grain.
  func paintBeard() {
    let s = sitter
    let beard = !s.has(.noBeard)
    let goatee = s.has(.goatee)
    let mustache = s.has(.mustache)
    let shadow = s.has(.fiveOClockShadow)
    guard beard || goatee || mustache || shadow else { return }
    // A beard is thin on the cheeks when the row names a part of it.
    let full: Float = !beard ? 0 : goatee || mustache || shadow ? 0.26 : 0.95
    let outline = headOutline(grown: full > 0.5 ? 3.5 : goatee ? 2 : 0)
    let (columns, rows) = bounds(Point(-66, -8), Point(66, s.chin + 30))
    let hair = mix(s.hair, s.skin * 0.35, 0.2) * (s.hair.luminance > 0.4 ? 0.8 : 1)
    let strandColor = SIMD4<Float>(SIMD4(hair, 0)) * 255
    let stubble = SIMD4<Float>(SIMD4(mix(s.skin * 0.5, Color(0.24, 0.25, 0.28), 0.45), 0)) * 255
    let perUnit = 1 / (pose.scale * pose.scale)
    let (right, down) = (pose.right * perUnit, pose.down * perUnit)
    let (yaw, edgeYaw) = (pose.sinYaw * 8, pose.sinYaw * -16)
    let width = canvas.width
    let cheek = Float(s.cheek)
    let chin = Float(s.chin)
    let nose = Float(s.noseTip) + 6.5
    let lipTop: Float = 42 - Float(s.upperLip)
    let mouth = Float(s.mouthWidth)
    let rooted = Noise.shared.strands
    let specks = Noise.shared.specks
    let phase = s.luck.mottle
    beardLayer.withPixels { pixels in
      pixels.update(repeating: 0)
      for row in rows {
        let dy = Double(row) + 0.5 - pose.origin.y
        for column in columns {
          let dx = Double(column) + 0.5 - pose.origin.x
          let rough = Float(dx * right.x + dy * right.y)
          // The middle of the face turns one way, its outline the other.
          let out = min(abs(rough) / cheek, 1)
          let x = rough - Float(yaw) * (1 - out) - Float(edgeYaw) * out
          let y = Float(dx * down.x + dy * down.y)
          let a = abs(x)
          let line = a < mouth + 3 ? nose : nose + 9 - (a - mouth - 3) * (a - mouth - 3) * 0.085
          // Most of the face has no beard at all.
          if a > 56 || y > chin + 9 || (y < line && (a > mouth + 6 || y < nose - 1)) { continue }
          let area = smooth((y - line) * 0.2) * smooth((a * 1.6 + y - 58) * 0.12)
          let chinPart =
            smooth((mouth + 4 - a) * 0.22) * smooth((y - 47 - max(0, a - 6) * 0.2) * 0.3)
          let lipPart =
            smooth((mouth + 4.5 - a) * 0.16) * smooth((y - nose - 0.5 - a * 0.22) * 0.3)
            * smooth((lipTop + 4.5 + a * 0.36 - y) * 0.4)
          let ring =
            smooth((mouth + 4.5 - a + (y - 44) * 0.1) * 0.3) * smooth((a - mouth + 2.5) * 0.34)
            * smooth((y - 37) * 0.1)
          let cheeks = max(area, max(chinPart, lipPart))
          var dense = cheeks * full
          if goatee { dense = max(dense, max(chinPart, ring * smooth((66 - y) * 0.14)) * 0.95) }
          if mustache { dense = max(dense, lipPart) }
          let at = column &* 5 &+ Int(y * 0.22) &* Noise.columns &+ phase
          let strand = rooted[at & (Noise.columns * Noise.rows - 1)]
          let speck = specks[(row &* 97 &+ column &* 61 &+ (row &* column)) & 4095]
          var alpha = min(max(dense * 1.25 - 0.22 + dense * strand * 0.35, 0), 0.96)
          var color = strandColor * (0.9 + 0.4 * strand + 0.2 * speck)
          if shadow {
            let light = cheeks * (0.30 + 0.34 * speck)
            if light > alpha {
              alpha = light
              color = stubble
            }
          }
          let most = SIMD4<Float>(repeating: 255)
          color.replace(with: most, where: color .> most)
          pixels[row &* width &+ column] =
            UInt32(alpha * 255) << 24 | (pixel(color * alpha) & 0xff_ffff)
        }
      }
    }
    shape(outline, .picture(beardLayer, scale: Point(1, 1)))
  }
}
